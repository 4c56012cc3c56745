# SPDX-License-Identifier: Apache-2.0
"""The single dilated and transposed layers of docs/results.md.

Their runs must be long, so that start, first load and last store vanish in them. A dilated layer
loads a window of 2*dilation + 1 rows first, which many output channels make up for.
"""

from dataclasses import dataclass
from enum import Enum

from designs.versatility.chains import Square, chain
from flexcc.ir import Graph

__all__ = ["LAYERS", "Kind", "SingleLayer", "network"]


class Kind(Enum):
    """What `step` means: a dilated layer keeps its image's size, a transposed one multiplies it."""

    DILATED = "dilated by"
    TRANSPOSED = "transposed, stride"


@dataclass(frozen=True, slots=True, kw_only=True)
class SingleLayer:
    """A square layer on a square image."""

    kind: Kind
    kernel: int
    step: int
    inputs: int
    outputs: int
    size: int

    @property
    def name(self) -> str:
        """What it is, without its channels and pixels."""
        return f"{self.kernel}x{self.kernel} {self.kind.value} {self.step}"

    @property
    def shape(self) -> str:
        """Channels and input pixels."""
        return f"{self.inputs} to {self.outputs}, {self.size} x {self.size}"


def _transposed(kernel: int, stride: int, size: int = 64) -> SingleLayer:
    return SingleLayer(
        kind=Kind.TRANSPOSED, kernel=kernel, step=stride, inputs=64, outputs=64, size=size
    )


def _dilated(step: int) -> SingleLayer:
    return SingleLayer(kind=Kind.DILATED, kernel=3, step=step, inputs=16, outputs=256, size=64)


LAYERS = (
    _transposed(2, 2, size=96),
    _transposed(3, 2),
    _transposed(4, 2),
    _transposed(3, 3),
    _transposed(4, 4),
    _dilated(2),
    _dilated(4),
    _dilated(5),
    _dilated(8),
    _dilated(16),
)
"""Those of the table, in its order."""


def network(layer: SingleLayer) -> Graph:
    """The layer between the input `x` and the output `y`."""
    transposed = layer.kind is Kind.TRANSPOSED
    square = Square(
        name="layer",
        kernel=layer.kernel,
        outputs=layer.outputs,
        stride=layer.step if transposed else 1,
        dilation=1 if transposed else layer.step,
        transposed=transposed,
    )
    return chain(layer.name, (layer.inputs, layer.size, layer.size), [square], seed=1)
