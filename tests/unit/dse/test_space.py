# SPDX-License-Identifier: Apache-2.0
"""Legality: every buffer, list and record field can be the one that is short."""

from dataclasses import fields, replace

import numpy as np
import pytest

from flexcc.accelerator import Accelerator
from flexcc.dse.mapping import WeightMode
from flexcc.dse.space import column_choices, legal_modes, row_choices, shortages
from flexcc.ir.layers import Conv2d, MaxPool2d
from flexcc.ir.types import Quantization, TensorType
from flexcc.tiles import Stage, stage_lists, tiling
from tests.networks import ACCELERATORS

ACCELERATOR = replace(
    ACCELERATORS[0],
    act_words=64,
    weight_words=64,
    param_passes=4,
    out_words=32,
    list_entries=16,
)
QUANTIZATION = Quantization(scale=0.125, zero_point=0)


def _stage(co: int = 16, ci: int = 16, size: tuple[int, int] = (16, 16), k: int = 3) -> Stage:
    conv = Conv2d(
        name="layer",
        inputs=("x",),
        output="y",
        weight=np.ones((co, ci, k, k), np.int8),
        bias=np.zeros(co, np.int32),
    )
    source = TensorType(
        channels=ci, height=size[0] + k - 1, width=size[1] + k - 1, quantization=QUANTIZATION
    )
    target = TensorType(channels=co, height=size[0], width=size[1], quantization=QUANTIZATION)
    return Stage(conv=conv, input=source, raw=target, output=target)


def _names(
    stage: Stage,
    accelerator: Accelerator = ACCELERATOR,
    mode: WeightMode = WeightMode.KEEP,
    tile: tuple[int, int] = (2, 8),
) -> list[str]:
    tiles = tiling(stage, accelerator, tile_rows=tile[0], tile_cols=tile[1])
    return [item.resource for item in shortages(tiles, mode)]


def _changed(**depths: int) -> Accelerator:
    values = {field.name: getattr(ACCELERATOR, field.name) for field in fields(ACCELERATOR)}
    return Accelerator(**{**values, **depths})


def test_a_legal_tile() -> None:
    # Windows of 4 rows of 10 columns, 3 words each, in 2 planes; 2 rows of 2 groups out.
    tiles = tiling(_stage(), ACCELERATOR, tile_rows=2, tile_cols=8)
    assert (tiles.act_words, tiles.out_words, tiles.lists.entries) == (24, 4, 9)
    assert sum(tiles.lists.pass_steps) == 36
    assert _names(_stage()) == []


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"act_words": 16}, "words of the activation buffer"),
        ({"out_words": 2}, "words of the output buffer"),
        ({"list_entries": 8}, "reduction list entries"),
        ({"weight_words": 32}, "words of the weight ring"),
        ({"param_passes": 2}, "passes of the parameter ring"),
    ],
)
def test_each_buffer_can_be_short(changes: dict[str, int], name: str) -> None:
    stage = _stage(co=17)
    assert _names(stage) == []
    assert _names(stage, _changed(**changes)) == [name]


def test_the_last_word_is_enough() -> None:
    exact = replace(ACCELERATOR, act_words=32, out_words=4, list_entries=16, weight_words=64)
    assert _names(_stage(), exact) == []
    assert _names(_stage(), replace(ACCELERATOR, weight_words=16), WeightMode.RELOAD) == [
        "words of the weight ring"
    ]
    assert _names(_stage(), replace(ACCELERATOR, weight_words=16), WeightMode.STREAM) == []


def test_tiles_are_stored_from_a_beat_on() -> None:
    assert _names(_stage(), tile=(2, 12)) == ["pixels of a beat at a tile's left edge"]
    assert _names(_stage(), tile=(2, 16)) == []


def test_record_fields_can_be_outgrown() -> None:
    deep = replace(ACCELERATOR, act_words=65536, out_words=65536)
    pooled = replace(
        _stage(size=(40000, 8), k=1),
        pool=MaxPool2d(name="p", inputs=("y",), output="z", kernel=(1, 1), strides=(1, 1)),
    )
    assert _names(pooled, deep, WeightMode.STREAM, tile=(40000, 8)) == [
        "words of the activation buffer",
        "words of the output buffer",
        "record field load_tile.plane_words",
        "record field weights_fetch.repeats",
        "record field list_entry.base",
        "record field array_tile.out_plane_words",
    ]


def test_modes_best_first() -> None:
    lists = stage_lists(_stage(), m=8, n=8)
    assert lists.pass_steps == (18, 18)
    assert legal_modes(lists, weight_words=64, param_passes=4) == [
        WeightMode.KEEP,
        WeightMode.RELOAD,
    ]
    assert legal_modes(lists, weight_words=64, param_passes=1) == [WeightMode.RELOAD]
    assert legal_modes(lists, weight_words=32, param_passes=4) == [WeightMode.RELOAD]
    assert legal_modes(lists, weight_words=16, param_passes=4) == [WeightMode.STREAM]


def test_choices_cover_every_number_of_tiles_once() -> None:
    assert row_choices(10) == [1, 2, 3, 4, 5, 10]
    assert row_choices(1) == [1]
    assert column_choices(30, 8) == [8, 16, 30]
    assert column_choices(32, 8) == [8, 16, 32]
    assert column_choices(5, 8) == [5]
    assert column_choices(3, 1) == [1, 2, 3]
