# SPDX-License-Identifier: Apache-2.0
"""Array cycles of a network on every array shape: what orders and prunes the shapes."""

from dataclasses import dataclass

from flexcc.dse.forms import Forms
from flexcc.dse.shapes import Shape
from flexcc.tiles import Stage, bundle_choices, stage_lists

__all__ = ["ShapeBounds"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    """A stage with as many phases a pass as one choice makes: rows x columns of `steps`."""

    rows: int
    columns: int
    steps: int


class ShapeBounds:
    """The array cycles of a form of the network with whole rows and no draining.

    Lists depend on M and N alone, so that columns cost nothing more to try. The form is the one
    that suits 8 columns.
    """

    def __init__(self, forms: Forms) -> None:
        self._forms = forms
        self._works: dict[tuple[int, int], list[tuple[_Work, ...]]] = {}

    def cycles(self, shape: Shape, cores: int) -> int:
        """Cycles that the array of the busiest core works at the least."""
        key = shape.m, shape.n
        if key not in self._works:
            stages = self._forms.rough_stages(shape)
            self._works[key] = [_works(stage, m=shape.m, n=shape.n) for stage in stages]
        return sum(
            min(-(-w.rows // cores) * -(-w.columns // shape.p) * w.steps for w in choices)
            for choices in self._works[key]
        )


def _works(stage: Stage, *, m: int, n: int) -> tuple[_Work, ...]:
    works = []
    for bundle in bundle_choices(stage, m=m, n=n, q=1):
        lists = stage_lists(stage, m=m, n=n, bundle=bundle)
        works.append(
            _Work(
                rows=-(-stage.raw.height // lists.taps.y.out_step),
                columns=-(-stage.raw.width // lists.taps.x.out_step),
                steps=sum(lists.pass_steps),
            )
        )
    return tuple(works)
