# SPDX-License-Identifier: Apache-2.0
"""Packed tensors hold the pixels that they say, and give them back."""

import random

import numpy as np
import pytest

from flexcc.ir.packing import AxisPacking, Packing, block, block_axis
from flexcc.ir.printer import print_type
from flexcc.ir.types import Quantization, TensorType

TENSOR = TensorType(
    channels=3, height=8, width=12, quantization=Quantization(scale=0.5, zero_point=-9)
)


def _axis(rng: random.Random, size: int) -> AxisPacking:
    return AxisPacking(
        lanes=rng.randint(1, 4),
        distance=rng.randint(1, 3),
        step=rng.randint(1, 4),
        offset=rng.randint(0, 20),
        size=size,
        extent=rng.randint(1, 12),
    )


@pytest.mark.parametrize("seed", range(30))
def test_every_place_holds_its_pixel(seed: int) -> None:
    rng = random.Random(seed)
    channels, height, width = rng.randint(1, 3), rng.randint(1, 9), rng.randint(1, 9)
    packing = Packing(y=_axis(rng, height), x=_axis(rng, width))
    values = np.random.default_rng(seed).integers(-128, 128, (2, channels, height, width))
    packed = packing.pack(values.astype(np.int8), 5)
    assert packed.shape == (
        2,
        packing.lanes * channels,
        packing.y.extent,
        packing.x.extent,
    )
    for channel, row, column in np.ndindex(*packed.shape[1:]):
        lane, own = divmod(channel, channels)
        y = row * packing.y.step + lane // packing.x.lanes * packing.y.distance
        x = column * packing.x.step + lane % packing.x.lanes * packing.x.distance
        y, x = y - packing.y.offset, x - packing.x.offset
        inside = 0 <= y < height and 0 <= x < width
        found = packing.locate(channels, channel, row, column)
        assert found == ((own, y, x) if inside else None)
        for image in range(2):
            wanted = values[image, own, y, x] if inside else 5
            assert packed[image, channel, row, column] == wanted


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (2, 2), (4, 1), (1, 3), (8, 12)])
def test_blocks_move_every_pixel_once(rows: int, columns: int) -> None:
    values = np.arange(288, dtype=np.int16).astype(np.int8).reshape(3, 8, 12)
    packed = TENSOR.packed(block(8, 12, rows, columns))
    assert (packed.channels, packed.height, packed.width) == (
        3 * rows * columns,
        8 // rows,
        12 // columns,
    )
    assert packed.unpacked == TENSOR
    np.testing.assert_array_equal(packed.unpack(packed.pack(values)), values)


def test_space_to_depth_puts_the_phase_outside_the_channel() -> None:
    packed = TENSOR.packed(block(8, 12, 2, 2))
    assert packed.locate(1 * 6 + 1 * 3 + 2, 3, 5) == (2, 7, 11)
    assert TENSOR.locate(2, 7, 11) == (2, 7, 11)


def test_what_cannot_be_packed_is_refused() -> None:
    overlapping = AxisPacking(lanes=3, distance=1, step=1, offset=1, size=8, extent=8)
    packing = Packing(y=overlapping, x=block_axis(12, 1))
    packed = TENSOR.packed(packing)
    values = np.zeros((3, 8, 12), np.int8)
    assert not packing.is_block
    with pytest.raises(ValueError, match="repeats or drops pixels"):
        packed.unpack(packed.pack(values))
    with pytest.raises(ValueError, match="pixels 8x11 given, 8x12 are packed"):
        packed.pack(values[..., 1:])
    with pytest.raises(ValueError, match="is no tensor in this packing"):
        TENSOR.packed(block(8, 12, 2, 2)).unpack(values)
    with pytest.raises(ValueError, match="packed already"):
        packed.packed(packing)
    with pytest.raises(ValueError, match="12 pixels do not divide into blocks of 5"):
        block(8, 12, 1, 5)


def test_the_printer_tells_the_packing() -> None:
    folded = AxisPacking(lanes=5, distance=2, step=1, offset=4, size=12, extent=10)
    packed = TENSOR.packed(Packing(y=block_axis(8, 1), x=folded))
    assert print_type(packed) == (
        "i8[1x15x8x10] scale=0.5 zero_point=-9 "
        "packing=lanes:1x5,step:1x1,distance:1x2,offset:0x4,of:3x8x12"
    )
    assert print_type(TENSOR.packed(block(8, 12, 2, 4))) == (
        "i8[1x24x4x3] scale=0.5 zero_point=-9 packing=block:2x4"
    )
