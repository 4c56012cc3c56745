# SPDX-License-Identifier: Apache-2.0
"""A tile waits for exactly the stored tiles that a direct count of pixels names."""

import random
from itertools import product

import numpy as np
import pytest

from flexcc.accelerator import Accelerator
from flexcc.ir.layers import Conv2d
from flexcc.ir.types import TensorType
from flexcc.tiles import Stage, Tiling, tiling
from flexcc.waits import stored_tiles, wait_tiles

ACCELERATOR = Accelerator(
    m=8,
    p=4,
    n=8,
    q=2,
    packed=True,
    beat_bytes=64,
    act_words=512,
    weight_words=256,
    param_passes=4,
    out_words=256,
    list_entries=64,
)
HEIGHT, WIDTH = 10, 13


def _tiling(rng: random.Random, name: str, kernel: tuple[int, int]) -> Tiling:
    """A convolution of 8 channels from HEIGHT x WIDTH pixels, in random tiles."""
    size = TensorType(channels=8, height=HEIGHT, width=WIDTH)
    target = TensorType(channels=8, height=HEIGHT + 1 - kernel[0], width=WIDTH + 1 - kernel[1])
    conv = Conv2d(
        name=name,
        inputs=("x",),
        output=f"{name}_out",
        weight=np.ones((8, 8, *kernel), np.int8),
        bias=np.zeros(8, np.int32),
    )
    stage = Stage(conv=conv, input=size, raw=target, output=target)
    return tiling(
        stage,
        ACCELERATOR,
        tile_rows=rng.randint(1, target.height),
        tile_cols=rng.choice([8, target.width]),
    )


def _written(tiles: Tiling, first: int) -> dict[tuple[int, int], int]:
    """The tile that writes each pixel."""
    return {
        pixel: number
        for number, tile in enumerate(tiles.tiles(), start=first)
        for pixel in product(
            range(tile.rows.stored.start, tile.rows.stored.stop),
            range(tile.cols.stored.start, tile.cols.stored.stop),
        )
    }


@pytest.mark.parametrize("seed", range(30))
def test_waits_count_to_the_last_tile_read(seed: int) -> None:
    rng = random.Random(seed)
    writers = {first: _tiling(rng, f"w{first}", (1, 1)) for first in (7, 60)}
    sources = [stored_tiles(tiles, first)[f"w{first}_out"] for first, tiles in writers.items()]
    readers = _tiling(rng, "r", (rng.randint(1, 5), rng.randint(1, 5)))
    for tile in readers.tiles():
        rows, cols = tile.rows, tile.cols
        read = list(
            product(
                range(rows.start, rows.start + rows.count),
                range(cols.start, cols.start + cols.count),
            )
        )
        last = [max(_written(writers[first], first)[pixel] for pixel in read) for first in writers]
        assert [source.needed(tile) for source in sources] == [number + 1 for number in last]
        assert wait_tiles(tile, sources) == last[1] + 1
        assert wait_tiles(tile, []) == 0
