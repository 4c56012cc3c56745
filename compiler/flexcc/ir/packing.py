# SPDX-License-Identifier: Apache-2.0
"""How a tensor's channels and pixels may lie in another tensor of more channels and fewer pixels.

A packed tensor has a lane for each of several pixel distances along each axis: position X of lane
j is pixel X*step + j*distance - offset. Channel (i*columns + j)*C + c is channel c in lane i of the
rows' axis and lane j of the columns' axis; positions outside the image hold the zero point, or the
integer that the packing names.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["AxisPacking", "Packing", "block", "block_axis"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AxisPacking:
    """One axis: `size` pixels become `extent` positions of `lanes` lanes."""

    lanes: int
    distance: int
    step: int
    offset: int
    size: int
    extent: int

    @property
    def is_block(self) -> bool:
        """Whether each pixel stands in exactly one lane at one position, in order."""
        return (
            self.distance == 1
            and self.step == self.lanes
            and self.offset == 0
            and self.extent * self.step == self.size
        )

    def pixel(self, position: int, lane: int) -> int:
        """The pixel at a position of a lane; outside 0..size-1 it is padding."""
        return position * self.step + lane * self.distance - self.offset


@dataclass(frozen=True, slots=True, kw_only=True)
class Packing:
    """Both axes of a packed tensor. `padding` is what stands outside, None for the zero point."""

    y: AxisPacking
    x: AxisPacking
    padding: int | None = None

    @property
    def lanes(self) -> int:
        """Packed channels for each channel."""
        return self.y.lanes * self.x.lanes

    @property
    def is_block(self) -> bool:
        """Whether the packing moves values and repeats none: space-to-depth."""
        return self.y.is_block and self.x.is_block

    def pack(self, values: NDArray[np.int8], zero_point: int) -> NDArray[np.int8]:
        """The packed form [..., lanes*C, extent, extent] of `values` [..., C, H, W].

        Raises:
            ValueError: `values` have another height or width.
        """
        *leading, channels, height, width = values.shape
        if (height, width) != (self.y.size, self.x.size):
            raise ValueError(
                f"pixels {height}x{width} given, {self.y.size}x{self.x.size} are packed"
            )
        shape = (*leading, self.y.lanes, self.x.lanes, channels, self.y.extent, self.x.extent)
        outside = zero_point if self.padding is None else self.padding
        result = np.full(shape, outside, np.int8)
        for i in range(self.y.lanes):
            to_rows, from_rows = _spans(self.y, i)
            for j in range(self.x.lanes):
                to_cols, from_cols = _spans(self.x, j)
                part = values[..., from_rows, from_cols]
                result[..., i, j, :, to_rows, to_cols] = part
        return result.reshape(*leading, self.lanes * channels, self.y.extent, self.x.extent)

    def unpack(self, values: NDArray[np.int8]) -> NDArray[np.int8]:
        """What `pack` made `values` of; only where the packing moves values and drops none.

        Raises:
            ValueError: it repeats or drops pixels, or `values` have another shape.
        """
        *leading, channels, height, width = values.shape
        if not self.is_block:
            raise ValueError("the packing repeats or drops pixels")
        if (height, width) != (self.y.extent, self.x.extent) or channels % self.lanes:
            raise ValueError(f"{list(values.shape)} is no tensor in this packing")
        own = channels // self.lanes
        split = values.reshape(*leading, self.y.lanes, self.x.lanes, own, height, width)
        at = len(leading)
        order = (*range(at), at + 2, at + 3, at, at + 4, at + 1)
        return split.transpose(order).reshape(*leading, own, self.y.size, self.x.size)

    def locate(
        self, channels: int, channel: int, row: int, column: int
    ) -> tuple[int, int, int] | None:
        """The channel, row and column packed at a place; None for padding.

        `channels` are those of the tensor before packing.
        """
        lane, own = divmod(channel, channels)
        i, j = divmod(lane, self.x.lanes)
        y, x = self.y.pixel(row, i), self.x.pixel(column, j)
        inside = 0 <= y < self.y.size and 0 <= x < self.x.size
        return (own, y, x) if inside else None


def block_axis(size: int, block: int) -> AxisPacking:
    """An axis in blocks: pixel X*block + j is position X of lane j. `block` divides `size`."""
    if size % block:
        raise ValueError(f"{size} pixels do not divide into blocks of {block}")
    return AxisPacking(
        lanes=block, distance=1, step=block, offset=0, size=size, extent=size // block
    )


def block(height: int, width: int, rows: int, columns: int) -> Packing:
    """Space-to-depth in blocks of `rows` x `columns` pixels."""
    return Packing(y=block_axis(height, rows), x=block_axis(width, columns))


def _spans(axis: AxisPacking, lane: int) -> tuple[slice, slice]:
    """The positions of a lane that hold pixels, and those pixels."""
    shift = lane * axis.distance - axis.offset
    first = max(0, -(shift // axis.step))
    stop = min(axis.extent, (axis.size - 1 - shift) // axis.step + 1)
    if first >= stop:
        return slice(0, 0), slice(0, 0)
    return (
        slice(first, stop),
        slice(first * axis.step + shift, (stop - 1) * axis.step + shift + 1, axis.step),
    )
