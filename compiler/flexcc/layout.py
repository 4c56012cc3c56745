# SPDX-License-Identifier: Apache-2.0
"""How a tensor lies in memory: planes [H][W][N], one per channel group of N channels.

Rows are whole beats and planes start at multiples of 64 bytes, so that every transfer is made of
whole, aligned beats. The host packs inputs and unpacks outputs with this.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["PLANE_ALIGNMENT", "REGION_BYTES", "Pixel", "TensorLayout", "align"]

PLANE_ALIGNMENT = 64
REGION_BYTES = 4096
"""Tensors begin at multiples of this: no burst crosses one."""

Int8Array = NDArray[np.int8]


def align(value: int, step: int) -> int:
    """The least multiple of `step` that is not below `value`."""
    return -(-value // step) * step


@dataclass(frozen=True, slots=True, kw_only=True)
class Pixel:
    """What a byte of a tensor is: an element, or a dead lane when channel >= channels."""

    channel: int
    row: int
    column: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorLayout:
    """The place of int8 [channels, height, width] in `size` bytes, relative to its address."""

    channels: int
    height: int
    width: int
    lanes: int
    beat_bytes: int

    @property
    def planes(self) -> int:
        """Channel groups."""
        return -(-self.channels // self.lanes)

    @property
    def beat_pixels(self) -> int:
        """Pixels of one plane in a beat."""
        return self.beat_bytes // self.lanes

    @property
    def row_pitch(self) -> int:
        """Bytes between rows."""
        return align(self.width * self.lanes, self.beat_bytes)

    @property
    def plane_pitch(self) -> int:
        """Bytes between planes."""
        return align(self.height * self.row_pitch, max(PLANE_ALIGNMENT, self.beat_bytes))

    @property
    def size(self) -> int:
        """Bytes of the whole tensor."""
        return self.planes * self.plane_pitch

    def _pixels(self, memory: Int8Array) -> Int8Array:
        """A view [plane, row, column, lane] of the pixels in `size` bytes."""
        step = memory.strides[0]
        return np.lib.stride_tricks.as_strided(
            memory,
            shape=(self.planes, self.height, self.width, self.lanes),
            strides=(self.plane_pitch * step, self.row_pitch * step, self.lanes * step, step),
        )

    def pack(self, values: Int8Array, dead: Int8Array | int = 0) -> NDArray[np.uint8]:
        """The bytes of `values` [C, H, W]; lanes without a channel hold `dead`, padding 0.

        `dead` is one value, one per pixel [H, W] or one per lane and pixel.
        """
        expected = (self.channels, self.height, self.width)
        if values.shape != expected or values.dtype != np.int8:
            raise ValueError(f"int8 {expected} expected, not {values.dtype} {values.shape}")
        memory = np.zeros(self.size, np.int8)
        lanes = np.empty((self.planes * self.lanes, self.height, self.width), np.int8)
        lanes[: self.channels] = values
        lanes[self.channels :] = dead
        split = lanes.reshape(self.planes, self.lanes, self.height, self.width)
        self._pixels(memory)[...] = split.transpose(0, 2, 3, 1)
        return memory.view(np.uint8)

    def unpack(self, data: NDArray[np.uint8]) -> Int8Array:
        """The values [C, H, W] in `size` bytes; dead lanes and padding are dropped."""
        if data.shape != (self.size,) or data.dtype != np.uint8:
            raise ValueError(f"uint8 ({self.size},) expected, not {data.dtype} {data.shape}")
        split = self._pixels(data.view(np.int8)).transpose(0, 3, 1, 2)
        lanes = split.reshape(self.planes * self.lanes, self.height, self.width)
        return np.ascontiguousarray(lanes[: self.channels])

    def offset(self, channel: int, row: int, column: int) -> int:
        """The byte of an element, or of a dead lane."""
        plane, lane = divmod(channel, self.lanes)
        return plane * self.plane_pitch + row * self.row_pitch + column * self.lanes + lane

    def locate(self, offset: int) -> Pixel | None:
        """What the byte at `offset` is; None for padding."""
        if not 0 <= offset < self.size:
            raise ValueError(f"offset {offset} lies outside 0..{self.size - 1}")
        plane, rest = divmod(offset, self.plane_pitch)
        row, rest = divmod(rest, self.row_pitch)
        column, lane = divmod(rest, self.lanes)
        if row >= self.height or column >= self.width:
            return None
        return Pixel(channel=plane * self.lanes + lane, row=row, column=column)
