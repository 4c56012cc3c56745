# SPDX-License-Identifier: Apache-2.0
"""Tensor types: shape and quantisation of one image (batch 1)."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flexcc.ir.packing import Packing

__all__ = ["Integers", "Quantization", "TensorType"]

Integers = NDArray[np.signedinteger[Any]]
"""Values of a quantised tensor: int8, or int16 where its quantisation has 16 bits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantization:
    """int8 or int16 with an affine scale: real = scale * (q - zero_point).

    `scale` is exactly a float32 value, positive and finite; `zero_point` lies in low..high. The
    hardware holds 16 bits as two planes of int8: q = 256*upper + (lower + 128).
    """

    scale: float
    zero_point: int
    bits: int = 8

    @property
    def low(self) -> int:
        """The smallest integer."""
        return -(1 << (self.bits - 1))

    @property
    def high(self) -> int:
        """The largest integer."""
        return (1 << (self.bits - 1)) - 1

    @property
    def dtype(self) -> type[np.int8] | type[np.int16]:
        """The element type of the integers."""
        return np.int8 if self.bits == 8 else np.int16


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorType:
    """Shape channels x height x width; float32 while `quantization` is None, else integers.

    With a `packing` the shape is the packed one, and `unpacked` what is meant.
    """

    channels: int
    height: int
    width: int
    quantization: Quantization | None = None
    packing: Packing | None = None

    @property
    def wide(self) -> bool:
        """Whether its integers have 16 bits."""
        return self.quantization is not None and self.quantization.bits > 8

    @property
    def unpacked(self) -> "TensorType":
        """The tensor as the model knows it."""
        if self.packing is None:
            return self
        return replace(
            self,
            channels=self.channels // self.packing.lanes,
            height=self.packing.y.size,
            width=self.packing.x.size,
            packing=None,
        )

    def packed(self, packing: Packing) -> "TensorType":
        """The same tensor, not packed yet, in the form that `packing` gives it."""
        if self.packing is not None:
            raise ValueError("the tensor is packed already")
        return replace(
            self,
            channels=self.channels * packing.lanes,
            height=packing.y.extent,
            width=packing.x.extent,
            packing=packing,
        )

    def pack(self, values: NDArray[np.int8]) -> NDArray[np.int8]:
        """Values [..., C, H, W] of the unpacked tensor in the form that memory holds.

        Raises:
            ValueError: the tensor is packed and not quantised, or the pixels are not its own.
        """
        if self.packing is None:
            return values
        if self.quantization is None:
            raise ValueError("only quantised tensors are packed")
        return self.packing.pack(values, self.quantization.zero_point)

    def unpack(self, values: NDArray[np.int8]) -> NDArray[np.int8]:
        """Values [..., C, H, W] of the unpacked tensor from the form that memory holds.

        Raises:
            ValueError: the packing repeats or drops pixels, or `values` are not in it.
        """
        return values if self.packing is None else self.packing.unpack(values)

    def locate(self, channel: int, row: int, column: int) -> tuple[int, int, int] | None:
        """Channel, row and column of the unpacked tensor at a place; None for packed padding."""
        if self.packing is None:
            return channel, row, column
        return self.packing.locate(self.unpacked.channels, channel, row, column)
