# SPDX-License-Identifier: Apache-2.0
"""Requantisation equals exact fractions, and its checks neither miss nor invent anything."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray

from flexcc.errors import InputError
from flexcc.ir.accumulator import accumulator_bounds, require_accumulators_fit
from flexcc.ir.clamping import clamp_is_lossless, require_lossless_clamp
from flexcc.ir.kernel import weight_sums
from flexcc.ir.layers import Clamp, Conv2d
from flexcc.ir.requantize import (
    Requantization,
    quantized_clamp,
    requantization,
    requantize,
    with_accumulator_offset,
)
from flexcc.ir.types import Quantization, TensorType
from tests.models import tensor, transposed


def _conv(
    weight: NDArray[np.int8],
    bias: NDArray[np.int32] | NDArray[np.float64],
    scale: float | NDArray[np.float32] = 1.0,
) -> Conv2d:
    return Conv2d(
        name="conv1",
        inputs=("x",),
        output="y",
        weight=weight,
        weight_scale=np.broadcast_to(np.float32(scale), weight.shape[:1]).astype(np.float32),
        bias=bias,
    )


def _flat(weights: list[list[int]], bias: list[int], scale: float = 1.0) -> Conv2d:
    """A 1x1 convolution of the given rows."""
    array = np.array(weights, np.int8)
    return _conv(array.reshape(*array.shape, 1, 1), np.array(bias, np.int32), scale)


def _real(scale: float = 1.0, zero_point: int = 0) -> TensorType:
    return tensor(1, 1, 1, scale, zero_point)


def _exact(acc: int, rq: Requantization, channel: int) -> int:
    total = acc * int(rq.multiplier[channel]) + int(rq.bias[channel])
    rounded = round(Fraction(total, 1 << int(rq.shift[channel])))
    return min(max(rounded + rq.zero_point, rq.low), rq.high)


@pytest.mark.parametrize("trial", range(20))
def test_requantize_equals_fractions(seed: int, trial: int) -> None:
    rng = np.random.default_rng([seed, trial])
    channels = 8
    rq = Requantization(
        multiplier=rng.integers(0, 1 << 24, channels),
        shift=rng.choice([0, 1, 2, 20, 30, 40, 50, 54, 62, 63], channels).astype(np.int64),
        bias=rng.integers(-(1 << 47), 1 << 47, channels) >> int(rng.integers(0, 40)),
        zero_point=int(rng.integers(-128, 128)),
        low=int(rng.integers(-128, 0)),
        high=int(rng.integers(0, 128)),
    )
    ends = np.array([-(1 << 31), (1 << 31) - 1, 0, -1, 1])
    acc = np.concatenate(
        [np.broadcast_to(ends, (channels, 5)), rng.integers(-(1 << 31), 1 << 31, (channels, 40))], 1
    )
    expected = [[_exact(int(a), rq, c) for a in acc[c]] for c in range(channels)]
    assert requantize(acc, rq).tolist() == expected
    assert requantize(acc.astype(np.int32).T, rq, 1).T.tolist() == expected


def test_ties_round_to_even() -> None:
    one = np.ones(1, np.int64)
    rq = Requantization(multiplier=one, shift=one, bias=0 * one, zero_point=1, low=-128, high=127)
    acc = np.array([[-5, -3, -1, 0, 1, 3, 5]])
    assert requantize(acc, rq).tolist() == [[-1, -1, 1, 1, 1, 3, 3]]


def test_accumulator_beyond_33_bits_is_a_fault() -> None:
    one = np.ones(1, np.int64)
    rq = Requantization(multiplier=one, shift=one, bias=one, zero_point=0, low=-128, high=127)
    with pytest.raises(ValueError, match="beyond 33 bits"):
        requantize(np.array([[1 << 32]]), rq)


def test_ratio_is_evaluated_in_float32_in_onnx_runtimes_order() -> None:
    sx, sw, sy = np.float32(0.1), np.float32(0.0137), np.float32(0.3)
    rq = requantization(_flat([[5]], [7], float(sw)), _real(float(sx)), _real(float(sy)))
    ratio = Fraction(float(np.float32(np.float32(sx * sw) / sy)))
    assert Fraction(int(rq.multiplier[0]), 1 << int(rq.shift[0])) == ratio
    assert 1 << 23 <= rq.multiplier[0] < 1 << 24
    assert rq.bias[0] == 7 * rq.multiplier[0]


def test_bias_is_that_of_the_centred_accumulator() -> None:
    conv = _flat([[5, -2]], [7])
    rq = requantization(conv, _real(0.5, -128), _real(1.0, 4))
    assert rq.bias[0] == 7 * rq.multiplier[0]
    assert (rq.zero_point, rq.low, rq.high) == (4, -128, 127)
    plain = with_accumulator_offset("conv1", rq, -128 * weight_sums(conv))
    assert plain.bias[0] == (7 + 128 * 3) * rq.multiplier[0]


def test_bias_between_two_steps_is_rounded_after_the_multiplier() -> None:
    conv = _conv(np.ones((1, 1, 1, 1), np.int8), np.array([0.3]))
    rq = requantization(conv, _real(0.3), _real(1.0))
    assert rq.bias[0] == round(Fraction(0.3) * int(rq.multiplier[0]))


def test_dead_and_motionless_channels_are_zeros() -> None:
    weight = np.array([0, 0, 1, 1], np.int8).reshape(4, 1, 1, 1)
    conv = _conv(
        weight, np.array([0, 9, 0, 1 << 30], np.int32), np.array([1, 1, 1e-35, 1e-35], np.float32)
    )
    rq = requantization(conv, _real(), _real(2.0, 11))
    assert rq.multiplier.tolist() == [0, 1 << 23, 0, 0]
    assert rq.shift.tolist() == [0, 24, 0, 0]
    assert rq.bias[[0, 2, 3]].tolist() == [0, 0, 0]
    assert requantize(np.full((4, 1), 127), rq)[[0, 2, 3]].tolist() == [[11], [11], [11]]


def test_ratio_of_2_to_the_24_is_refused() -> None:
    almost = requantization(_flat([[1]], [0], 2.0**23), _real(), _real())
    assert almost.shift.tolist() == [0]
    for scale in (2.0**24, 3e38):
        with pytest.raises(InputError, match=r"conv1: one step of channel 0's .* 2\^24 or more"):
            requantization(
                _flat([[1]], [0], scale), _real(10.0), _real(10.0 if scale < 1e9 else 0.01)
            )


def test_bias_beyond_48_bits_is_refused() -> None:
    limit = 1 << 23
    rq = requantization(_flat([[1, 1]], [limit * 2 - 1], 0.5), _real(), _real())
    assert with_accumulator_offset("conv1", rq, 0).bias[0] == (limit * 2 - 1) << 23
    rq = requantization(_flat([[1], [1]], [0, limit * 2], 0.5), _real(), _real())
    assert with_accumulator_offset("conv1", rq, 1).bias[1] == (limit * 2 - 1) << 23
    with pytest.raises(InputError, match="conv1: the bias of channel 1 needs 49 bits, only 48"):
        with_accumulator_offset("conv1", rq, 0)


def test_bias_that_no_zero_point_brings_back_is_refused() -> None:
    conv = _conv(np.ones((1, 1, 1, 1), np.int8), np.array([2.0**36]))
    with pytest.raises(InputError, match="conv1: the bias of channel 0 needs 61 bits, only 48"):
        requantization(conv, _real(), _real())


def test_clamp_is_quantised_like_the_tensor() -> None:
    quantization = Quantization(scale=0.5, zero_point=-100)
    assert quantized_clamp(Clamp(), quantization) == (-128, 127)
    assert quantized_clamp(Clamp(low=0.0), quantization) == (-100, 127)
    assert quantized_clamp(Clamp(low=0.75, high=6.0), quantization) == (-98, -88)
    assert quantized_clamp(Clamp(low=-1e30, high=1e30), quantization) == (-128, 127)


def test_accumulator_bounds_are_attained(seed: int) -> None:
    rng = np.random.default_rng(seed)
    weight = rng.integers(-128, 128, (3, 2, 2, 3)).astype(np.int8)
    conv = _conv(weight, np.zeros(3, np.int32))
    low, high = accumulator_bounds(conv, -7, 90)
    for channel, kernel in enumerate(weight.astype(np.int64)):
        assert np.sum(kernel * np.where(kernel > 0, 90, -7)) == high[channel]
        assert np.sum(kernel * np.where(kernel > 0, -7, 90)) == low[channel]


def test_accumulator_beyond_32_bits_is_refused() -> None:
    fits = _conv(np.full((2, 131071, 1, 1), -128, np.int8), np.zeros(2, np.int32))
    assert accumulator_bounds(fits)[1].tolist() == [131071 << 14] * 2
    weight = np.ones((2, 131072, 1, 1), np.int8)
    weight[1] = -128
    with pytest.raises(
        InputError, match=r"conv1: the accumulator of channel 1 can reach .* 32 bits"
    ):
        accumulator_bounds(_conv(weight, np.zeros(2, np.int32)))


def test_offset_changes_no_output(seed: int) -> None:
    rng = np.random.default_rng(seed)
    conv = _conv(
        rng.integers(-128, 128, (4, 9, 1, 1)).astype(np.int8), np.arange(4, dtype=np.int32)
    )
    rq = requantization(conv, _real(0.02, 5), _real(1.3, -2))
    acc = rng.integers(-90000, 90000, (4, 200))
    offset = np.array([0, 1024, -77, 5000])
    moved = with_accumulator_offset("conv1", rq, offset)
    assert np.array_equal(requantize(acc, rq), requantize(acc + offset[:, None], moved))
    with pytest.raises(InputError, match=r"conv1: the bias of channel 0 .and 3 more. needs"):
        with_accumulator_offset("conv1", rq, 1 << 30)


# One channel of 5000 weights of -128: its accumulators reach about 2^26.3.
WIDE = _flat([[-128] * 5000], [0])


def test_within_27_bits_is_lossless() -> None:
    conv = _flat([[-128] * 4096], [0])  # reaches 2^26 - 2^19 .. 2^26
    rq = requantization(conv, _real(), _real(2.0**25))
    # The very top, 2^26, is one more than fits; the outputs next to it are equal.
    assert accumulator_bounds(conv)[1] == 1 << 26
    assert clamp_is_lossless(conv, rq).all()
    require_lossless_clamp(conv, rq)


def test_beyond_27_bits_but_saturated_is_lossless() -> None:
    rq = requantization(WIDE, _real(), _real(2.0**19))
    require_lossless_clamp(WIDE, rq)


def test_beyond_27_bits_within_the_output_range_is_refused() -> None:
    rq = requantization(WIDE, _real(), _real(2.0**20))
    assert not clamp_is_lossless(WIDE, rq).any()
    with pytest.raises(InputError, match=r"conv1: the accumulator .* clamping it to 27 bits"):
        require_lossless_clamp(WIDE, rq)


def test_tight_output_clamp_makes_it_lossless() -> None:
    rq = requantization(WIDE, _real(), _real(2.0**20))
    require_lossless_clamp(WIDE, replace(rq, low=-64, high=60))


def test_a_part_of_the_kernel_clamps_less() -> None:
    weight = np.full((1, 2500, 1, 2), -128, np.int8)
    conv = _conv(weight, np.zeros(1, np.int32))
    rq = requantization(conv, _real(), _real(2.0**20))
    with pytest.raises(InputError, match=r"reach -40640000\.\.40960000, .* 32 bits"):
        require_lossless_clamp(conv, rq, 1 << 31, elements=[(0, 1)])
    require_lossless_clamp(conv, rq, elements=[(0, 1)])
    with pytest.raises(InputError, match="clamping it to 27 bits"):
        require_lossless_clamp(conv, rq)


def test_a_silent_channel_is_silent_in_every_phase() -> None:
    # Both elements move the output by up to 0.46 steps, with padding or without.
    weight = np.array([[-100, 100]], np.int8).reshape(1, 1, 1, 2)
    still = _conv(weight, np.zeros(1, np.int32))
    rq = requantization(still, _real(1.0, -128), _real(100 * 255 / 0.46))
    assert (rq.multiplier[0], rq.bias[0]) == (0, 0)
    # Next to padding one element alone moves it, although both together never do.
    rq = requantization(still, _real(1.0, -128), _real(100 * 255 / 0.9))
    assert rq.multiplier[0] != 0


def test_a_transposed_layer_overflows_by_its_phases() -> None:
    # The sum over both columns leaves 32 bits, either column alone just fits.
    weight = np.full((1, 131071, 1, 2), -128, np.int8)
    conv = _conv(weight, np.zeros(1, np.int32))
    with pytest.raises(InputError, match="conv1: the accumulator of channel 0 can reach"):
        require_accumulators_fit(conv, Quantization(scale=1.0, zero_point=0))
    require_accumulators_fit(
        replace(transposed(conv), strides=(1, 2)), Quantization(scale=1.0, zero_point=0)
    )


def test_offset_moves_the_clamp() -> None:
    conv = _flat([[127] * 4000], [0])
    rq = requantization(conv, _real(), _real(2.0**19))
    low, high = (int(bound[0]) for bound in accumulator_bounds(conv))
    for offset in (0, 1 << 20, -(1 << 20), 1 << 23, -(1 << 23)):
        limit = 1 << 26
        ends = np.array([[low, high]])
        clamped = np.clip(ends + offset, -limit, limit - 1)
        moved = with_accumulator_offset("conv1", rq, offset)
        same = np.array_equal(requantize(ends, rq), requantize(clamped, moved))
        assert clamp_is_lossless(conv, moved, offset).all() == same
    moved = with_accumulator_offset("conv1", rq, 1 << 23)
    assert not clamp_is_lossless(conv, moved, 1 << 23).any()


def test_offset_beyond_32_bits_is_refused() -> None:
    rq = requantization(WIDE, _real(), _real(2.0**19))
    with pytest.raises(InputError, match="with its packing offset beyond 32 bits"):
        require_lossless_clamp(WIDE, rq, 1 << 31)


def test_every_accumulator_beyond_the_clamp_was_covered(seed: int) -> None:
    rng = np.random.default_rng(seed)
    verdicts = set()
    for _ in range(60):
        conv = _conv(
            rng.choice(np.array([-128, 127], np.int8), (1, 5200, 1, 1), p=[0.99, 0.01]),
            np.array([rng.integers(-(1 << 20), 1 << 20)], np.int32),
        )
        target = _real(float(rng.uniform(2.0**18.5, 2.0**19.8)), int(rng.integers(-128, 128)))
        rq = requantization(conv, _real(), target)
        low, high = (int(bound[0]) for bound in accumulator_bounds(conv))
        acc = np.linspace(low, high, 5000, dtype=np.int64)[None]
        clamped = np.clip(acc, -(1 << 26), (1 << 26) - 1)
        lossless = bool(clamp_is_lossless(conv, rq)[0])
        assert lossless == np.array_equal(requantize(acc, rq), requantize(clamped, rq))
        verdicts.add(lossless)
    assert verdicts == {True, False}
