# SPDX-License-Identifier: Apache-2.0
"""A tile waits for exactly the stored tiles that a direct count of pixels names."""

import random
from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from flexcc.cores import core_tiles
from flexcc.ir.layers import Conv2d
from flexcc.ir.types import TensorType
from flexcc.tiles import Stage, Tiling, tiling
from flexcc.waits import stored_tiles, wait_tiles
from tests.networks import ACCELERATORS

ACCELERATOR = replace(
    ACCELERATORS[0],
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


def _written(tiles: Tiling, first: tuple[int, ...]) -> dict[tuple[int, int], tuple[int, int]]:
    """The core that writes each pixel, and the number of the tile in its program."""
    every = tuple(tiles.tiles())
    order = core_tiles(len(tiles.rows), len(tiles.cols), len(first))
    return {
        pixel: (core, number)
        for core, own in enumerate(order)
        for number, tile in enumerate((every[index] for index in own), start=first[core])
        for pixel in product(
            range(tile.rows.stored.start, tile.rows.stored.stop),
            range(tile.cols.stored.start, tile.cols.stored.stop),
        )
    }


@pytest.mark.parametrize("cores", [1, 2, 4])
@pytest.mark.parametrize("seed", range(20))
def test_waits_count_to_the_last_tile_read(seed: int, cores: int) -> None:
    rng = random.Random(seed)
    begins = [tuple(rng.randrange(base, base + 5) for _ in range(cores)) for base in (7, 60)]
    writers = {first: _tiling(rng, f"w{first[0]}", (1, 1)) for first in begins}
    sources = [stored_tiles(tiles, first)[f"w{first[0]}_out"] for first, tiles in writers.items()]
    readers = _tiling(rng, "r", (rng.randint(1, 5), rng.randint(1, 5)))
    for tile in readers.tiles():
        rows, cols = tile.rows, tile.cols
        read = list(
            product(
                range(rows.start, rows.start + rows.count),
                range(cols.start, cols.start + cols.count),
            )
        )
        needed = []
        for first, tiles in writers.items():
            written = _written(tiles, first)
            places = {written[pixel] for pixel in read}
            needed.append(
                tuple(
                    max((number + 1 for own, number in places if own == core), default=0)
                    for core in range(cores)
                )
            )
        assert [source.needed(tile) for source in sources] == needed
        assert wait_tiles(tile, sources, cores) == tuple(map(max, *needed))
        assert wait_tiles(tile, [], cores) == (0,) * cores
