# SPDX-License-Identifier: Apache-2.0
"""Scales: zero is exact, the range is covered, shared tensors share."""

from dataclasses import replace

import numpy as np
import pytest

from flexcc.ir.affine import dequantize_array
from flexcc.ir.layers import MaxPool2d
from flexcc.ir.types import Quantization
from flexcc.quantization.exact_scales import odd_factor
from flexcc.quantization.ranges import Range
from flexcc.quantization.scales import affine, tensor_scales, weight_scale
from tests.models import chain, random_conv, tensor, transposed


@pytest.mark.parametrize(
    ("low", "high"), [(-1.0, 1.0), (0.0, 6.0), (-3.0, 0.0), (-0.1, 300.0), (-1e-30, 2e-30)]
)
def test_integers_cover_the_range(low: float, high: float) -> None:
    quantization = affine(Range(low=low, high=high), 8)
    check_covers(quantization, low, high)
    ends = dequantize_array(np.array([-128, 127], np.int8), quantization)
    assert ends[1] - ends[0] <= (high - low) * 1.004


@pytest.mark.parametrize("significant", [1, 3])
def test_scales_of_few_bits_cover_the_range_from_the_middle(seed: int, significant: int) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(200):
        low, high = -rng.exponential(), rng.exponential()
        quantization = affine(Range(low=low, high=high), 8, significant=significant)
        check_covers(quantization, low, high)
        assert odd_factor(quantization.scale) < 1 << significant
        ends = dequantize_array(np.array([-128, 127], np.int8), quantization)
        assert ends[1] - ends[0] <= (high - low) * (1 + 0.5 ** (significant - 1)) * 1.004
        beyond = low - ends[0], ends[1] - high
        assert beyond[0] * high == pytest.approx(
            beyond[1] * -low, abs=1.6 * (high - low) * quantization.scale
        )


def test_wide_ranges_leave_room_for_sums() -> None:
    for low, high in ((-1.0, 1.0), (0.0, 3.0), (-0.2, 7.0)):
        quantization = affine(Range(low=low, high=high), 16, significant=1)
        assert quantization.zero_point == 0
        assert 2**11 <= (high - low) / quantization.scale <= 2**12


def check_covers(quantization: Quantization, low: float, high: float) -> None:
    """No end lies more than half a step beyond the integers, and the zero point is even."""
    ends = dequantize_array(np.array([-128, 127], np.int8), quantization)
    assert ends[0] <= low + 0.51 * quantization.scale
    assert ends[1] >= high - 0.51 * quantization.scale
    assert -128 <= quantization.zero_point <= 127
    assert quantization.zero_point % 2 == 0


def test_a_tensor_of_zeros_has_a_scale() -> None:
    for high in (0.0, 1e-44):
        assert affine(Range(low=0.0, high=high), 8) == Quantization(scale=1.0, zero_point=0)


def test_pools_share_and_others_do_not(seed: int) -> None:
    source = tensor(2, 8, 8)
    conv = random_conv(np.random.default_rng(seed), "c", ("x", source), channels=3, kernel=(1, 1))
    pools = [
        MaxPool2d(name=name, inputs=(of,), output=name, kernel=(2, 2), strides=(2, 2))
        for name, of in (("p", "c_out"), ("q", "p"))
    ]
    graph = chain(source, [conv, *pools])
    ranges = {
        "x": Range(low=-1.0, high=1.0),
        "c_out": Range(low=-2.0, high=5.0),
        "p": Range(low=0.0, high=6.0),
        "q": Range(low=-3.0, high=0.0),
    }
    scales = tensor_scales(graph, ranges, dict.fromkeys(ranges, 8))
    assert scales["x"] == affine(ranges["x"], 8)
    assert scales["c_out"] == scales["p"] == scales["q"] == affine(Range(low=-3.0, high=6.0), 8)


def test_weight_scales_are_per_output_channel(seed: int) -> None:
    conv = random_conv(
        np.random.default_rng(seed), "c", ("x", tensor(2, 8, 8)), channels=3, kernel=(2, 2)
    )
    weight = conv.weight.astype(np.float32)
    weight[1] = 0
    scale = weight_scale(replace(conv, weight=weight))
    assert scale.dtype == np.float32
    assert scale[0] == pytest.approx(np.abs(weight[0]).max() / 127)
    assert 0 < scale[1] < 1e-37


def test_weights_of_one_size_are_ones() -> None:
    source = tensor(4, 3, 3)
    conv = random_conv(np.random.default_rng(0), "c", ("x", source), channels=3, kernel=(2, 2))
    weight = conv.weight.astype(np.float32)
    weight[:2] = np.where(weight[:2] < 0, -0.25, 0.25)
    even = replace(conv, weight=weight, bias=np.array([0, 1, 0], np.float32))
    largest = np.abs(weight[2]).max()
    expected = [0.25, 0.25 / 127, largest / 127]
    assert weight_scale(even).tolist() == pytest.approx(expected, rel=1e-6)
    assert weight_scale(transposed(even))[0] == pytest.approx(0.25 / 127)
