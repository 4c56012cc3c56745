# SPDX-License-Identifier: Apache-2.0
"""Packing puts each value at the byte that the definition names, and nothing elsewhere."""

import random

import numpy as np
import pytest

from flexcc.layout import Pixel, TensorLayout


def _random_layout(rng: random.Random) -> TensorLayout:
    lanes = rng.choice([4, 8, 16, 32])
    return TensorLayout(
        channels=rng.randint(1, 70),
        height=rng.randint(1, 6),
        width=rng.randint(1, 20),
        lanes=lanes,
        beat_bytes=rng.choice([b for b in (8, 16, 64, 128) if b >= lanes]),
    )


@pytest.mark.parametrize("seed", range(20))
def test_every_byte_is_where_locate_says(seed: int) -> None:
    rng = random.Random(seed)
    layout = _random_layout(rng)
    shape = (layout.channels, layout.height, layout.width)
    values = np.random.default_rng(seed).integers(-128, 128, shape).astype(np.int8)
    dead = np.full(shape[1:], -7, np.int8)
    data = layout.pack(values, dead)
    assert layout.row_pitch % layout.beat_bytes == 0
    assert layout.plane_pitch % max(64, layout.beat_bytes) == 0
    seen = set()
    for offset, byte in enumerate(data.view(np.int8)):
        match layout.locate(offset):
            case None:
                assert byte == 0
            case Pixel(channel=c, row=r, column=x) if c < layout.channels:
                assert byte == values[c, r, x]
                assert offset == layout.offset(c, r, x)
                seen.add((c, r, x))
            case _:
                assert byte == -7
    assert len(seen) == values.size
    assert np.array_equal(layout.unpack(data), values)


def test_lanes_of_a_pixel_lie_side_by_side() -> None:
    layout = TensorLayout(channels=5, height=2, width=3, lanes=4, beat_bytes=8)
    values = np.arange(30, dtype=np.int8).reshape(5, 2, 3)
    data = layout.pack(values)
    assert list(data[:8]) == [0, 6, 12, 18, 1, 7, 13, 19]
    assert list(data[64:72]) == [24, 0, 0, 0, 25, 0, 0, 0]
    assert layout.size == 128


def test_wrong_arrays_are_refused() -> None:
    layout = TensorLayout(channels=5, height=2, width=3, lanes=4, beat_bytes=8)
    with pytest.raises(ValueError, match="int8"):
        layout.pack(np.zeros((5, 2, 3), np.int16))
    with pytest.raises(ValueError, match="int8"):
        layout.pack(np.zeros((5, 3, 2), np.int8))
    with pytest.raises(ValueError, match="uint8"):
        layout.unpack(np.zeros(64, np.uint8))
    with pytest.raises(ValueError, match="outside"):
        layout.locate(128)
