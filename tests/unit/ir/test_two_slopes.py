# SPDX-License-Identifier: Apache-2.0
"""Requantisation with a slope below zero, against its definition in exact fractions."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from flexcc.ir.clamping import clamp_is_lossless
from flexcc.ir.kernel import weight_sums
from flexcc.ir.layers import Clamp, Conv2d
from flexcc.ir.requantize import requantization, requantize, rounding_ties, with_accumulator_offset
from flexcc.ir.types import TensorType
from tests.models import tensor


def _conv(slope: list[float], scale: float = 0.03, **fields: object) -> Conv2d:
    channels = len(slope)
    conv = Conv2d(
        name="c",
        inputs=("x",),
        output="y",
        weight=np.arange(1, channels * 6 + 1).reshape(channels, 6, 1, 1).astype(np.int8),
        weight_scale=np.full(channels, scale, np.float32),
        bias=np.arange(-40, -40 + 13 * channels, 13).astype(np.int32),
        slope=np.array(slope, np.float32),
    )
    return replace(conv, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize("slope", [0.25, 0.01, 0.0, -0.5, 1.0, 3.0])
@pytest.mark.parametrize("clamp", [Clamp(), Clamp(low=-0.2, high=0.5)])
def test_outputs_equal_the_definition(slope: float, clamp: Clamp) -> None:
    source, target = tensor(6, 1, 1, 0.25, 7), tensor(3, 1, 1, 0.013, -20)
    conv = _conv([slope, 0.125, slope], clamp=clamp)
    rq = requantization(conv, source, target)
    acc = np.broadcast_to(np.arange(-3000, 3000), (3, 6000))
    result = requantize(acc, rq)
    assert conv.slope is not None
    for channel in range(3):
        bias, factor = int(conv.bias[channel]), float(conv.slope[channel])
        real = (acc[channel] + bias) * 0.25 * float(np.float32(0.03))
        real = np.where(real < 0, real * factor, real)
        steps = np.clip(real, clamp.low, clamp.high) / float(np.float32(0.013))
        near = np.abs(steps - np.floor(steps) - 0.5) < 1e-3
        expected = np.clip(np.rint(steps) - 20, -128, 127)
        assert np.array_equal(result[channel][~near], expected[~near])
        assert near.mean() < 0.05


def test_the_sign_is_that_of_the_biased_accumulator() -> None:
    """Zero itself, and a bias that lies between two accumulator steps."""
    conv = _conv([0.5], scale=1.0, bias=np.array([-2.5]))
    kinds = tensor(6, 1, 1, 1.0), tensor(1, 1, 1, 0.25, 0)
    rq = requantization(conv, *kinds)
    assert requantize(np.array([[2, 3, 0]]), rq).tolist() == [[-1, 2, -5]]
    assert rq.negative is not None
    assert Fraction(int(rq.negative.multiplier[0]), 1 << int(rq.negative.shift[0])) == 2


def test_slope_one_changes_nothing() -> None:
    kinds = tensor(6, 1, 1, 0.25, 7), tensor(2, 1, 1, 0.013, -20)
    acc = np.broadcast_to(np.arange(-3000, 3000), (2, 6000))
    plain = requantization(replace(_conv([1.0, 1.0]), slope=None), *kinds)
    sloped = requantization(_conv([1.0, 1.0]), *kinds)
    assert np.array_equal(requantize(acc, plain), requantize(acc, sloped))


def test_offset_changes_no_output() -> None:
    source, target = tensor(6, 1, 1, 0.25, 7), tensor(3, 1, 1, 0.013, -20)
    conv = _conv([0.25, -1.5, 0.0])
    rq = requantization(conv, source, target)
    offset = 7 * weight_sums(conv) + np.array([5, -9, 1000])
    moved = with_accumulator_offset("c", rq, offset)
    acc = np.broadcast_to(np.arange(-3000, 3000), (3, 6000))
    assert np.array_equal(requantize(acc, rq), requantize(acc + offset[:, None], moved))


def test_ties_are_those_of_the_slope_that_applies() -> None:
    conv = _conv([0.25], scale=1.0, bias=np.zeros(1, np.int32))
    rq = requantization(conv, tensor(6, 1, 1, 1.0), tensor(1, 1, 1, 2.0))
    acc = np.arange(-8, 5)[None]
    assert acc[rounding_ties(acc, rq)].tolist() == [-4, 1, 3]


def test_silent_only_if_neither_side_is_heard() -> None:
    """Above zero a third of half a step at most, below it four times that."""
    weight = np.ones((2, 6, 1, 1), np.int8)
    conv = _conv([4.0, 0.5], weight=weight, bias=np.zeros(2, np.int32), scale=1.0)
    rq = requantization(conv, tensor(6, 1, 1, 1.0), tensor(2, 1, 1, 4596.0))
    assert (rq.multiplier > 0).tolist() == [True, False]
    assert requantize(np.array([[-765], [-765]]), rq).tolist() == [[-1], [0]]


def test_clamping_across_the_bend_is_not_taken_for_lossless() -> None:
    """With a falling slope both ends of the lost range agree while its middle does not."""
    weight = np.full((1, 4500, 1, 1), 127, np.int8)
    low, limit = -128 * 127 * 4500, -(1 << 26)
    bias = np.array([-(low + limit) // 2], np.int32)
    conv = _conv([-1.0], weight=weight, scale=2.0**-20, bias=bias)
    rq = requantization(conv, *_kinds(4500))
    assert requantize(np.array([[low, -int(bias[0]), limit]]), rq).tolist() == [[3, 0, 3]]
    assert not clamp_is_lossless(conv, rq).any()
    rising = replace(conv, slope=np.array([0.0], np.float32))
    assert clamp_is_lossless(rising, requantization(rising, *_kinds(4500))).tolist() == [False]


def _kinds(channels: int) -> tuple[TensorType, TensorType]:
    return tensor(channels, 1, 1, 1.0, 0), tensor(1, 1, 1, 1.0, 0)
