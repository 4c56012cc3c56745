# SPDX-License-Identifier: Apache-2.0
"""Tiles name exactly the pixels that a direct count names, and buffer places are unique."""

import random
from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from flexcc.ir.layers import Conv2d
from flexcc.ir.types import TensorType
from flexcc.taps import conv_axis
from flexcc.tiles import (
    AxisTile,
    PoolAxis,
    Span,
    Stage,
    axis_tile,
    axis_tiles,
    beat_cycles,
    best_rotation,
    column_phases,
    tiling,
)
from tests.networks import ACCELERATORS

ACCELERATOR = replace(
    ACCELERATORS[0],
    act_words=1024,
    weight_words=512,
    param_passes=64,
    out_words=512,
    list_entries=512,
)


def _window(tile: AxisTile, in_size: int) -> list[int | None]:
    """The input pixels of the window in order, None for padding."""
    memory = [tile.start + i * tile.step for i in range(tile.count)]
    assert all(0 <= pixel < in_size for pixel in memory)
    return [None] * tile.pad_before + memory + [None] * tile.pad_after


@pytest.mark.parametrize("seed", range(200))
def test_windows_hold_what_the_definition_reads(seed: int) -> None:
    rng = random.Random(seed)
    kernel, stride, dilation = rng.randint(1, 5), rng.randint(1, 5), rng.randint(1, 4)
    pad, pad_end = rng.randint(0, 4), rng.randint(0, 4)
    axis = conv_axis(kernel=kernel, stride=stride, dilation=dilation, pad=pad)
    reach = (kernel - 1) * dilation + 1
    in_size = max(1, reach - pad - pad_end) + rng.randint(0, 12)
    raw_size = (in_size + pad + pad_end - reach) // stride + 1
    pool, size = None, raw_size
    if rng.random() < 0.5:
        window = rng.randint(1, 4)
        pool = PoolAxis(kernel=window, stride=rng.randint(1, 4), pad=rng.randint(0, window - 1))
        size = max(1, (raw_size + 2 * pool.pad - window) // pool.stride + 1)
    start = rng.randrange(size)
    stored = Span(start=start, stop=rng.randint(start + 1, size))
    steps = [s for s in range(1, 6) if stride % s == 0 and (kernel == 1 or dilation % s == 0)]
    tile = axis_tile(
        stored,
        axis=axis,
        raw_size=raw_size,
        in_size=in_size,
        pool=pool,
        step=rng.choice(steps),
    )
    if pool is None:
        assert tile.raw == stored
        needed = set(range(stored.start, stored.stop))
    else:
        edges = [s * pool.stride - pool.pad for s in range(stored.start, stored.stop)]
        assert tile.raw.start + tile.origin == edges[0]
        needed = {e + k for e in edges for k in range(pool.kernel)} & set(range(raw_size))
    if needed:
        assert needed <= set(range(tile.raw.start, tile.raw.stop))
        assert {min(needed), max(needed)} == {tile.raw.start, tile.raw.stop - 1}
    window_pixels = _window(tile, in_size)
    for output in range(tile.raw.start, tile.raw.stop):
        for k in range(kernel):
            pixel = output * stride + k * dilation - pad
            offset = (output - tile.raw.start) * stride + k * dilation
            assert offset % tile.step == 0
            expected = pixel if 0 <= pixel < in_size else None
            assert window_pixels[offset // tile.step] == expected


@pytest.mark.parametrize("seed", range(200))
def test_what_is_pooled_is_kept_once(seed: int) -> None:
    """The tiles of an axis share out its pixels, whatever the windows overlap or leave out."""
    rng = random.Random(seed)
    kernel, stride, raw_size = rng.randint(1, 4), rng.randint(1, 5), rng.randint(4, 40)
    pad, behind = rng.randint(0, kernel - 1), rng.randint(0, 3)
    outputs = (raw_size + pad + behind - kernel) // stride + 1
    axis = conv_axis(kernel=1, stride=1, dilation=1, pad=0)
    plain = PoolAxis(kernel=kernel, stride=stride, pad=pad)
    kept: list[int] = []
    for pool in (plain, replace(plain, outputs=outputs)):
        tiles = axis_tiles(
            axis=axis,
            size=outputs,
            tile=rng.randint(1, outputs),
            raw_size=raw_size,
            in_size=raw_size,
            pool=pool,
            step=1,
        )
        for tile in tiles:
            first = tile.stored.start * stride - pad
            assert tile.raw.start + tile.origin == first
            own = range(tile.kept.start, tile.kept.stop)
            assert not own or own[0] == tile.raw.start
            beyond = first + (len(tile.stored) - 1) * stride + kernel
            windows = range(max(first, 0), min(beyond, raw_size))
            computed = range(tile.raw.start, tile.raw.stop)
            assert {*own, *windows} <= {*computed}
            kept += own
    assert kept == list(range(raw_size))


@pytest.mark.parametrize("seed", range(50))
def test_columns_have_places_of_their_own(seed: int) -> None:
    rng = random.Random(seed)
    stride, banks, columns = rng.randint(1, 4), rng.randint(1, 16), rng.randint(1, 60)
    rotation = tuple(rng.randrange(banks) for _ in range(stride))
    phases = column_phases(stride=stride, banks=banks, columns=columns, rotation=rotation)
    places = [phases.place(column) for column in range(columns)]
    assert len(set(places)) == columns
    assert all(0 <= word < phases.row_words and 0 <= bank < banks for word, bank in places)
    for column in range(columns - stride):
        # The next pixel of a phase is in the next bank, or in the first bank a word further.
        word, bank = places[column]
        following = (word, bank + 1) if bank + 1 < banks else (word + 1, 0)
        assert places[column + stride] == following


@pytest.mark.parametrize(("stride", "banks", "beat"), [(2, 4, 8), (3, 5, 4), (3, 8, 8), (2, 7, 8)])
def test_best_rotation_is_best(stride: int, banks: int, beat: int) -> None:
    for residue in range(stride):

        def cost(rotation: tuple[int, ...], residue: int = residue) -> int:
            return sum(
                beat_cycles(
                    stride=stride, banks=banks, rotation=rotation, first=residue + k * beat, n=beat
                )
                for k in range(stride)
            )

        best = best_rotation(stride=stride, banks=banks, beat_pixels=beat, residue=residue)
        everything = product(range(banks), repeat=stride)
        assert cost(best) == min(cost(rotation) for rotation in everything)


def _stage(co: int, ci: int, groups: int = 1, kernel: tuple[int, int] = (3, 3)) -> Stage:
    conv = Conv2d(
        name="c",
        inputs=("x",),
        output="y",
        weight=np.ones((co, ci // groups, *kernel), np.int8),
        bias=np.zeros(co, np.int32),
        groups=groups,
    )
    size = TensorType(channels=co, height=10, width=13)
    source = TensorType(channels=ci, height=9 + kernel[0], width=12 + kernel[1])
    return Stage(conv=conv, input=source, raw=size, output=size)


def test_passes_and_lists() -> None:
    dense = tiling(_stage(20, 17), ACCELERATOR, tile_rows=4, tile_cols=8)
    assert (dense.lists.of_pass, dense.lists.steps, dense.lists.entries) == ((0, 0, 0), (27,), 9)
    assert (dense.in_planes, dense.out_planes, dense.lists.dead) == (3, 3, None)
    assert [len(tile.rows.stored) for tile in dense.tiles()] == [4, 4, 4, 4, 2, 2]
    assert dense.plane_words == 6 * 3  # six rows of ten columns in four banks
    assert dense.out_words == 4 * 2
    narrow = tiling(_stage(17, 5), replace(ACCELERATOR, m=4), tile_rows=4, tile_cols=8)
    assert narrow.lists.of_pass == (0, 0, 0, 0, 0, 1)  # channels 20..23 do not exist
    assert (narrow.lists.pass_steps, narrow.lists.dead) == ((9, 9, 9, 9, 9, 1), 1)
    grouped = tiling(_stage(32, 32, groups=4), ACCELERATOR, tile_rows=4, tile_cols=8)
    assert (grouped.lists.of_pass, grouped.lists.steps) == ((0, 1, 2, 3), (9, 9, 9, 9))


def test_accelerators_that_cannot_be_built() -> None:
    with pytest.raises(ValueError, match="q divides m and n; packed needs n >= 8"):
        replace(ACCELERATOR, q=16, n=4)
    with pytest.raises(ValueError, match="p lies in"):
        replace(ACCELERATOR, p=17)
    with pytest.raises(ValueError, match="beat_bytes"):
        replace(ACCELERATOR, n=32, beat_bytes=16)
