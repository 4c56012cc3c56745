# SPDX-License-Identifier: Apache-2.0
"""Pass images byte by byte: header, parameters in channel order, weights in row order."""

from dataclasses import replace

import numpy as np
import pytest

from flexcc.accelerator import Accelerator
from flexcc.backend.lists import Entry, ListRange, reduction_lists
from flexcc.backend.weights import channel_rows, pass_images, stage_requantization
from flexcc.errors import InputError
from flexcc.ir.kernel import weight_sums
from flexcc.ir.layers import Conv2d
from flexcc.ir.requantize import requantization, with_accumulator_offset
from flexcc.ir.types import Quantization, TensorType
from flexcc.program.decode import decode_format, from_bytes
from flexcc.program.formats import PARAMETER, WEIGHT_IMAGE
from flexcc.tiles import Stage, Tiling, tiling

ACCELERATOR = Accelerator(
    m=4,
    p=2,
    n=8,
    q=2,
    packed=True,
    beat_bytes=64,
    act_words=1024,
    weight_words=512,
    param_passes=64,
    out_words=512,
    list_entries=512,
)


def _tiling(co: int, ci: int, kernel: int, accelerator: Accelerator = ACCELERATOR) -> Tiling:
    rng = np.random.default_rng(1)
    conv = Conv2d(
        name="layer",
        inputs=("x",),
        output="y",
        weight=rng.integers(-128, 128, (co, ci, 1, kernel)).astype(np.int8),
        weight_scale=rng.uniform(0.001, 0.002, co).astype(np.float32),
        bias=rng.integers(-1000, 1000, co).astype(np.int32),
    )
    q = Quantization(scale=0.1, zero_point=5)
    source = TensorType(channels=ci, height=3, width=9 + kernel - 1, quantization=q)
    target = TensorType(channels=co, height=3, width=9, quantization=q)
    stage = Stage(conv=conv, input=source, raw=target, output=target)
    return tiling(stage, accelerator, tile_rows=3, tile_cols=9)


def test_rows_drain_from_the_end_of_each_chain() -> None:
    # Channels 0 and 1 leave first: they stand last in the chains of rows 0..1 and 2..3.
    assert list(channel_rows(ACCELERATOR)) == [1, 3, 0, 2]
    assert list(channel_rows(replace(ACCELERATOR, m=8, q=1))) == [7, 6, 5, 4, 3, 2, 1, 0]
    assert list(channel_rows(replace(ACCELERATOR, q=4))) == [0, 1, 2, 3]


def test_images_hold_every_weight_at_its_byte() -> None:
    plan = _tiling(6, 11, 3)
    rq = stage_requantization(plan)
    conv = plan.stage.conv
    images = pass_images(plan, rq, split=False)
    assert len(images) == 2
    row_of = {0: 1, 1: 3, 2: 0, 3: 2}
    for number, image in enumerate(images):
        header = decode_format(WEIGHT_IMAGE, from_bytes(image.parameters[:8]))
        assert header == {"weight_words": 6, "has_params": 1}
        assert not any(image.parameters[8:64])
        assert (len(image.parameters), len(image.weights)) == (64 + 64, 6 * 32)
        words = np.frombuffer(image.weights, np.int8).reshape(6, 4, 8)
        for step in range(6):
            kx, block = divmod(step, 2)
            for c, row in row_of.items():
                for lane in range(8):
                    channel, source = number * 4 + c, block * 8 + lane
                    real = channel < 6 and source < 11
                    expected = conv.weight[channel, source, 0, kx] if real else 0
                    assert words[step, row, lane] == expected


def test_parameters_take_the_packing_offset_back() -> None:
    plan = _tiling(6, 11, 3)
    plain = requantization(plan.stage.conv, plan.stage.input, plan.stage.raw)
    images = pass_images(plan, stage_requantization(plan), split=False)
    records = [
        decode_format(PARAMETER, from_bytes(image.parameters[at : at + 16]))
        for image in images
        for at in range(64, 128, 16)
    ]
    for channel in range(6):
        multiplier = int(plain.multiplier[channel])
        assert records[channel]["mult"] == multiplier
        assert records[channel]["shift"] == plain.shift[channel]
        # The zero point is 5; K = 6 steps of one chain of 8 lanes, each 1024 too low.
        carried = 5 * int(plan.stage.conv.weight[channel].sum(dtype=np.int64)) - 6 * 1024
        assert records[channel]["bias"] == plain.bias[channel] - carried * multiplier
    assert records[6:] == [{"mult": 0, "shift": 0, "bias": 0}] * 2


def test_unpacked_arrays_carry_the_zero_point_alone() -> None:
    plan = _tiling(6, 11, 3, replace(ACCELERATOR, packed=False))
    centred = requantization(plan.stage.conv, plan.stage.input, plan.stage.raw)
    plain = with_accumulator_offset("layer", centred, 5 * weight_sums(plan.stage.conv))
    (rq,) = stage_requantization(plan)
    assert np.array_equal(rq.bias, plain.bias)


def test_split_images_stream_the_weights_alone() -> None:
    plan = _tiling(6, 11, 3)
    rq = stage_requantization(plan)
    whole, parted = (pass_images(plan, rq, split=split)[0] for split in (False, True))
    heads = [from_bytes(part[:8]) for part in (parted.parameters, parted.weights)]
    assert decode_format(WEIGHT_IMAGE, heads[0]) == {"weight_words": 0, "has_params": 1}
    assert decode_format(WEIGHT_IMAGE, heads[1]) == {"weight_words": 6, "has_params": 0}
    assert parted.parameters[64:] == whole.parameters[64:]
    assert parted.weights[64:] == whole.weights
    assert parted.size == whole.size + 64


def test_lists_name_words_and_banks() -> None:
    entries, ranges = reduction_lists(_tiling(6, 11, 3))
    # Rows of 11 pixels in two banks: 6 words; planes of 3 rows: 18 words.
    assert entries == (
        Entry(base=0, rotation=0, run=2),
        Entry(base=0, rotation=1, run=2),
        Entry(base=1, rotation=0, run=2),
    )
    assert ranges == (ListRange(start=0, entries=3, steps=6),)
    _, ranges = reduction_lists(_tiling(3, 11, 3))
    assert ranges[1:] == (ListRange(start=3, entries=1, steps=1),)


def test_a_bias_beyond_48_bits_names_the_layer() -> None:
    plan = _tiling(6, 11, 3)
    conv = replace(plan.stage.conv, bias=np.full(6, 2**31 - 1, np.int32))
    stage = replace(plan.stage, conv=conv)
    with pytest.raises(InputError, match="layer: the bias of channel 0"):
        stage_requantization(replace(plan, stage=stage))
