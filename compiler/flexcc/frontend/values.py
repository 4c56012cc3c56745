# SPDX-License-Identifier: Apache-2.0
"""What an ONNX value turns out to be while the importer walks the nodes."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flexcc.ir.graph import Axes
from flexcc.ir.types import Quantization

__all__ = [
    "Activation",
    "Constant",
    "Integers",
    "QuantizedConstant",
    "Readable",
    "Shape",
    "Unusable",
    "Value",
]

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Constant:
    """A value known at compile time."""

    name: str
    array: NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class QuantizedConstant:
    """DequantizeLinear of constant integers: scale * (integers - zero_point) along `axis`.

    `scale` and `zero_point` are 1-D; of length 1 when they hold for the whole tensor.
    """

    name: str
    integers: NDArray[np.int8] | NDArray[np.int32]
    scale: NDArray[np.float32]
    zero_point: NDArray[np.int64]
    axis: int

    def real(self) -> NDArray[np.float32]:
        """The real numbers, float32."""
        scale = self.scale.reshape(self._view())
        result: NDArray[np.float32] = self.centred().astype(np.float32) * scale
        return result

    def centred(self) -> NDArray[np.int64]:
        """The integers less their zero point."""
        result: NDArray[np.int64] = self.integers - self.zero_point.reshape(self._view())
        return result

    def _view(self) -> list[int]:
        view = [1] * self.integers.ndim
        if self.scale.size > 1:
            view[self.axis] = -1
        return view


@dataclass(frozen=True, slots=True, kw_only=True)
class Activation:
    """Real numbers in a graph tensor, under an ONNX shape with batch 1.

    `quantization` is that of this view: None in front of a QuantizeLinear, even though the tensor
    itself becomes integer by it. `axes` says which axis of [1, C, H, W] each dimension is, None if
    the values stand in the tensor's own order. The planes of a volume [1, C, D, H, W] are channels
    of the tensor, those of one of its channels side by side.
    """

    tensor: str
    shape: Shape
    quantization: Quantization | None
    axes: Axes | None = None

    @property
    def depth(self) -> int:
        """How many channels of the tensor are one channel of the ONNX value."""
        return self.shape[2] if len(self.shape) == 5 else 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Integers:
    """The integers of a graph tensor, between QuantizeLinear and DequantizeLinear.

    `unsigned` tells that they are uint8 or uint16 in the model, 128 or 32768 more than here.
    """

    tensor: str
    shape: Shape
    quantization: Quantization
    unsigned: bool
    axes: Axes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unusable:
    """A value that cannot be read: the output of a refused node, or an input without a shape.

    `reason` is None when the cause has been told already. `type` is the element type and shape,
    as far as they are known.
    """

    name: str
    reason: str | None
    type: tuple[int, Shape] | None = None


Readable = Constant | QuantizedConstant | Activation | Integers
Value = Readable | Unusable
