# SPDX-License-Identifier: Apache-2.0
"""Widths: what they promise, at their very ends."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from flexcc.errors import InputError
from flexcc.ir.accumulator import require_accumulators_fit
from flexcc.ir.clamping import clamp_is_lossless, require_lossless_clamp
from flexcc.ir.fixed_point import MULTIPLIER_BITS
from flexcc.ir.layers import Conv2d
from flexcc.ir.requantize import Requantization, requantization, requantize
from flexcc.ir.types import Quantization, TensorType
from flexcc.ir.widths import NARROW, WIDE, Widths, widths_of


@pytest.mark.parametrize("widths", [NARROW, WIDE])
def test_numerator_and_rounding_fit_64_bits(widths: Widths) -> None:
    product = (1 << (widths.centred - 1)) * (1 << MULTIPLIER_BITS)
    half = 1 << 62
    assert product + (1 << (widths.centred_bias - 1)) + half < 1 << 63


def test_either_side_makes_a_layer_wide() -> None:
    assert widths_of(8, 8) is NARROW
    assert all(widths_of(*bits) is WIDE for bits in ((8, 16), (16, 8), (16, 16)))


def _rq(ratio: Fraction, source_bits: int, target_bits: int) -> Requantization:
    shift = 0
    while ratio < 1 << (MULTIPLIER_BITS - 1):
        ratio, shift = ratio * 2, shift + 1
    half = 1 << (target_bits - 1)
    return Requantization(
        multiplier=np.array([int(ratio)]),
        shift=np.array([shift]),
        bias=np.array([0]),
        zero_point=0,
        low=-half,
        high=half - 1,
        source_bits=source_bits,
        target_bits=target_bits,
    )


@pytest.mark.parametrize("source_bits", [8, 16])
@pytest.mark.parametrize("target_bits", [8, 16])
def test_extremes_are_exact(seed: int, source_bits: int, target_bits: int) -> None:
    """Against rational numbers, from the smallest accumulators to the widest."""
    rng = np.random.default_rng(seed)
    widths = widths_of(source_bits, target_bits)
    limit, bias_limit = 1 << (widths.centred - 1), 1 << (widths.centred_bias - 1)
    for trial in range(200):
        shift = 63 - trial % 60
        rq = replace(
            _rq(Fraction(1), source_bits, target_bits),
            multiplier=np.array([int(rng.integers(1 << 23, 1 << 24))]),
            shift=np.array([shift]),
            bias=np.array([int(rng.integers(-bias_limit, bias_limit)) if trial % 2 else 0]),
            zero_point=int(rng.integers(-100, 100)),
        )
        acc = np.array([-limit, limit - 1, 0, *rng.integers(-limit, limit, 20)])
        exact = [
            round(Fraction(int(a) * int(rq.multiplier[0]) + int(rq.bias[0]), 1 << shift))
            + rq.zero_point
            for a in acc
        ]
        expected = [min(max(value, rq.low), rq.high) for value in exact]
        assert requantize(acc[None], rq).tolist() == [expected]


def _conv(inputs: int) -> Conv2d:
    return Conv2d(
        name="c",
        inputs=("x",),
        output="y",
        weight=np.full((1, inputs, 1, 1), 127, np.int8),
        weight_scale=np.ones(1, np.float32),
        bias=np.zeros(1, np.int32),
    )


def test_27_bits_suffice_for_int8_from_2_to_the_minus_18_and_for_int16_from_minus_10() -> None:
    """Why wide layers have no such clamp."""
    conv = _conv(1 << 15)  # reaches 2^29
    rq = {bits: _rq(Fraction(1, 1 << power), 8, bits) for bits, power in ((8, 18), (16, 10))}
    limit = 1 << (NARROW.clamp - 1)
    ends = np.array([[-(1 << 29), 1 << 29]])
    for bits, right in rq.items():
        clamped = np.clip(ends, -limit, limit - 1)
        assert np.array_equal(requantize(ends, right), requantize(clamped, right))
        below = replace(right, shift=right.shift + 2)
        assert not np.array_equal(requantize(ends, below), requantize(clamped, below))
        assert bool(clamp_is_lossless(conv, right)[0])
        # The narrow layer shows its clamp, the wide one has none.
        assert bool(clamp_is_lossless(conv, below)[0]) == (bits == 16)


def test_wide_accumulators_hold_16384_largest_products() -> None:
    kinds = [
        TensorType(channels=1, height=1, width=1, quantization=quantization)
        for quantization in (
            Quantization(scale=2.0**-10, zero_point=0, bits=16),
            Quantization(scale=2.0**10, zero_point=0, bits=16),
        )
    ]
    source = kinds[0].quantization
    assert source is not None
    fits = _conv(1 << 14)
    require_lossless_clamp(fits, requantization(fits, *kinds))
    # With the zero point at one end, centred inputs are twice as large.
    lopsided = replace(source, zero_point=-32768)
    with pytest.raises(InputError, match="beyond 38 bits; split the layer"):
        require_accumulators_fit(_conv(1 << 14 | 1 << 12), lopsided)
    with pytest.raises(InputError, match="beyond 38 bits; split the layer"):
        require_accumulators_fit(_conv(1 << 15 | 1 << 9), source)
