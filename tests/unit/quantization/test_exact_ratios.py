# SPDX-License-Identifier: Apache-2.0
"""Weight scales whose requantisation float32 does not round."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from flexcc.ir.layers import Conv2d
from flexcc.ir.requantize import requantization, requantize
from flexcc.ir.types import Quantization
from flexcc.quantization.exact_ratios import exact_ratios, exact_slope
from flexcc.quantization.exact_scales import odd_factor
from flexcc.quantization.rounding import nearest
from tests.models import random_conv, tensor, transposed

CHANNELS = 64


def a_conv(rng: np.random.Generator) -> Conv2d:
    conv = random_conv(rng, "c", ("x", tensor(4, 6, 6)), channels=CHANNELS, kernel=(3, 3))
    weight = rng.normal(size=conv.weight.shape).astype(np.float32)
    return replace(conv, weight=weight, weight_scale=None)


def quantizations(rng: np.random.Generator) -> tuple[Quantization, Quantization]:
    source, target = np.exp(rng.uniform(-3, 3, 2)).astype(np.float32)
    return Quantization(scale=float(source), zero_point=3), Quantization(
        scale=float(target), zero_point=-7
    )


def wanted_scale(
    rng: np.random.Generator, source: Quantization, target: Quantization
) -> NDArray[np.float32]:
    """Scales whose ratios lie between 2^-11 and 2^-5."""
    ratio = np.exp2(rng.uniform(-11, -5, CHANNELS))
    return (ratio * target.scale / source.scale).astype(np.float32)


def ratios(
    scale: NDArray[np.float32], source: Quantization, target: Quantization
) -> NDArray[np.float64]:
    product = np.float32(source.scale) * scale
    return (product / np.float32(target.scale)).astype(np.float64)


def off_by_float32(conv: Conv2d, source: Quantization, target: Quantization) -> int:
    """How many accumulators, of all that reach an output, ONNX Runtime requantises otherwise."""
    assert conv.weight_scale is not None
    rq = requantization(conv, tensor(4, 6, 6, source.scale, 3), tensor(1, 4, 4, target.scale, -7))
    factor = ratios(conv.weight_scale, source, target).astype(np.float32)
    acc = np.arange(-(1 << 16), 1 << 16, dtype=np.int32)[None]
    ours = requantize(np.repeat(acc, CHANNELS, axis=0), rq)
    theirs = np.rint(acc.astype(np.float32) * factor[:, None]) + target.zero_point
    return int((ours != np.clip(theirs, rq.low, rq.high)).sum())


def with_scale(conv: Conv2d, scale: NDArray[np.float32]) -> Conv2d:
    bias = np.zeros(CHANNELS, np.int32)
    return replace(conv, weight=nearest(conv, scale), weight_scale=scale, bias=bias)


def test_onnx_runtime_rounds_as_the_accelerator_does(seed: int) -> None:
    before = after = 0
    for trial in range(8):
        rng = np.random.default_rng([seed, trial])
        conv, (source, target) = a_conv(rng), quantizations(rng)
        plain = wanted_scale(rng, source, target)
        exact = exact_ratios(conv, plain, source, target)
        whole = ratios(exact, source, target) * 2**16
        assert (whole == np.rint(whole)).mean() > 0.9
        assert (exact >= plain).all()
        assert (exact <= plain * 1.13).all()
        found = whole == np.rint(whole)
        chosen = np.where(found, exact, exact[found][0])
        before += off_by_float32(with_scale(conv, plain), source, target)
        after += off_by_float32(with_scale(conv, chosen), source, target)
    assert before > 0
    assert after == 0


def test_exact_weights_nearly_keep_their_scale(seed: int) -> None:
    rng = np.random.default_rng(seed)
    conv, (source, target) = a_conv(rng), quantizations(rng)
    plain = wanted_scale(rng, source, target) * np.float32(32)
    single = np.zeros_like(conv.weight)
    single[:, 1, 2, 0] = 0.3
    equal = np.where(conv.weight < 0, np.float32(-0.5), np.float32(0.5))
    for weight in (single, equal):
        exact = exact_ratios(replace(conv, weight=weight), plain, source, target)
        whole = ratios(exact, source, target) * 2**16
        assert (whole == np.rint(whole)).mean() > 0.7
        assert (exact >= plain).all()
        assert (exact <= plain * (1 + 2**-8)).all()


def test_small_ratios_are_left_alone(seed: int) -> None:
    rng = np.random.default_rng(seed)
    conv, (source, target) = a_conv(rng), quantizations(rng)
    tiny = wanted_scale(rng, source, target) * np.float32(2**-12)
    assert np.array_equal(exact_ratios(conv, tiny, source, target), tiny)


def significant_bits(scale: NDArray[np.float32]) -> int:
    """Of the scale that has the most."""
    return max(odd_factor(float(each)).bit_length() for each in scale)


def test_scales_of_float_layers_have_few_bits(seed: int) -> None:
    rng = np.random.default_rng(seed)
    conv, (source, target) = a_conv(rng), quantizations(rng)
    plain = wanted_scale(rng, source, target)
    sloped = replace(conv, slope=np.full(CHANNELS, 0.25, np.float32))
    wide = replace(target, bits=16)
    for layer, goal, bits in (
        (sloped, target, 4),
        (transposed(conv), target, 4),
        (conv, wide, 5),
    ):
        scale = exact_ratios(layer, plain, source, goal)
        assert significant_bits(scale) == bits
        assert (scale >= plain).all()
        assert (scale <= plain * 1.13).all()


@pytest.mark.parametrize("odd", [1, 3, 7, 13])
def test_ratios_of_wide_sources_have_few_bits(seed: int, odd: int) -> None:
    rng = np.random.default_rng(seed)
    conv = a_conv(rng)
    source = Quantization(scale=0.25, zero_point=0, bits=16)
    target = Quantization(scale=odd / 64, zero_point=-128)
    plain = wanted_scale(rng, source, target)
    scale = exact_ratios(conv, plain, source, target)
    assert significant_bits(ratios(scale, source, target).astype(np.float32)) <= 5
    assert significant_bits(scale) <= 3 + odd.bit_length() + (2 if odd == 1 else 0)
    assert (scale >= plain).all()
    assert (scale <= plain * 1.5).all()


def test_slopes_have_few_bits(seed: int) -> None:
    slope = np.random.default_rng(seed).normal(size=CHANNELS).astype(np.float32)
    slope[:3] = 0, 1, -0.25
    exact = exact_slope(slope)
    assert significant_bits(np.abs(exact)) <= 8
    assert np.array_equal(exact[:3], slope[:3])
    assert (np.abs(exact - slope) <= np.abs(slope) * 2**-8).all()


def test_scales_at_the_ends_of_float32(seed: int) -> None:
    rng = np.random.default_rng(seed)
    conv = a_conv(rng)
    for scale in (np.finfo(np.float32).tiny, np.float32(1e38)):
        for source, target in ((1e-30, 1e30), (1e30, 1e-30), (1e-38, 1e-38)):
            result = exact_ratios(
                conv,
                np.full(CHANNELS, scale, np.float32),
                Quantization(scale=source, zero_point=0),
                Quantization(scale=target, zero_point=0),
            )
            assert np.isfinite(result).all()
            assert (result >= scale).all()
