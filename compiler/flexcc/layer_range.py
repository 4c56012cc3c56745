# SPDX-License-Identifier: Apache-2.0
"""A build cut down to some of its layers, which start from what the reference gives them."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from flexcc.backend.plan import Load, Plan, TilePlan
from flexcc.build import Build
from flexcc.errors import InputError
from flexcc.options import LayerRange

__all__ = ["PartialBuild", "part_of"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PartialBuild:
    """A build that runs some layers, and the plan of the layers in front of them.

    Addresses are those of the whole build, so a memory filled with what `before` stores is where
    the run begins. Nothing is on the chip, whose RAM cannot be filled: all addresses are those of
    the shared memory.
    """

    build: Build
    before: Plan


def part_of(build: Build, layers: LayerRange) -> PartialBuild:
    """The part of `build` that runs `layers`.

    Raises:
        InputError: a name is no layer of the build, or the first layer comes behind the last.
    """
    names = [stage.name for stage in build.plan.stages]
    for name in (layers.first, layers.last):
        if name not in names:
            raise InputError(
                f"{build.model}: there is no layer '{name}'; the layers are {', '.join(names)}"
            )
    first, last = names.index(layers.first), names.index(layers.last)
    if first > last:
        raise InputError(
            f"{build.model}: layer '{layers.first}' comes behind '{layers.last}'; write "
            f"{layers.last}..{layers.first}"
        )
    return PartialBuild(
        build=replace(build, plan=_stages(build.plan, first, last + 1)),
        before=_stages(build.plan, 0, first),
    )


def _stages(plan: Plan, first: int, end: int) -> Plan:
    """The plan with stages `first` to `end` - 1 alone; tiles stored by others are there already."""
    cores = range(plan.accelerator.cores)
    gone = [sum(len(stage.order[core]) for stage in plan.stages[:first]) for core in cores]
    stages = []
    for stage in plan.stages[first:end]:
        tiles = list(stage.tiles)
        for core, own in enumerate(stage.order):
            for number in own:
                tiles[number] = _tile(tiles[number], gone, core)
        stages.append(replace(stage, tiles=tuple(tiles)))
    accelerator = replace(plan.accelerator, on_chip_bytes=0, on_chip_pages=1)
    mapping = replace(plan.mapping, accelerator=accelerator)
    return replace(plan, mapping=mapping, stages=tuple(stages))


def _tile(tile: TilePlan, gone: Sequence[int], core: int) -> TilePlan:
    """A tile of `core`, none of whose loads waits for the first `gone` tiles of each core."""
    values = {f.name: _waiting(getattr(tile, f.name), gone, core) for f in fields(tile)}
    return TilePlan(**values)


def _waiting(value: Any, gone: Sequence[int], core: int) -> Any:
    """`value`, with all loads in it."""
    match value:
        case Load():
            return _load(value, gone, core)
        case tuple():
            return tuple(_waiting(item, gone, core) for item in value)
        case _:
            return value


def _load(load: Load, gone: Sequence[int], core: int) -> Load:
    before = (*gone, *(0,) * (len(load.core_tiles) - len(gone)))
    others = (max(0, count - less) for count, less in zip(load.core_tiles, before, strict=True))
    own = max(0, load.wait_tiles - gone[core])
    return replace(load, wait_tiles=own, core_tiles=tuple(others))
