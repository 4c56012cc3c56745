# SPDX-License-Identifier: Apache-2.0
"""Sums, products and tables in integers against exact real numbers."""

from fractions import Fraction

import numpy as np
import pytest

from flexcc import reference
from flexcc.errors import InputError
from flexcc.ir.arithmetic import sum_scaling, table_entries
from flexcc.ir.functions import X, apply
from flexcc.ir.layers import Add, Clamp, Layer, Mul, Table
from flexcc.ir.types import Quantization
from tests.models import tensor

ALL = np.arange(-128, 128).astype(np.int8)


def _quantization(rng: np.random.Generator, scale: float) -> Quantization:
    return Quantization(scale=float(np.float32(scale)), zero_point=int(rng.integers(-128, 128)))


def _check(layer: Layer, a: Quantization, b: Quantization, y: Quantization) -> None:
    """All pairs of operands against the exact value, rounded; near ties may go either way."""
    types = [tensor(1, 256, 1, q.scale, q.zero_point) for q in (a, b)]
    types[1] = tensor(1, 1, 256, b.scale, b.zero_point)
    target = tensor(1, 256, 256, y.scale, y.zero_point)
    result = reference.run_layer(
        layer, types, target, [ALL.reshape(1, 1, 256, 1), ALL.reshape(1, 1, 1, 256)]
    )[0, 0]
    left = (ALL.astype(np.float64) - a.zero_point)[:, None] * a.scale
    right = (ALL.astype(np.float64) - b.zero_point)[None, :] * b.scale
    match layer:
        case Add(subtract=True, clamp=clamp):
            real = left - right
        case Add(clamp=clamp):
            real = left + right
        case Mul(clamp=clamp):
            real = left * right
    low, high = (None if c is None else c for c in (clamp.low, clamp.high))
    steps = np.clip(real, low, high) / y.scale
    near = np.abs(steps - np.floor(steps) - 0.5) < 1e-4
    expected = np.clip(np.rint(steps) + y.zero_point, -128, 127)
    assert np.array_equal(result[~near], expected[~near])
    assert np.abs(result - expected).max() <= 1
    assert near.mean() < 0.01


@pytest.mark.parametrize("trial", range(6))
@pytest.mark.parametrize("subtract", [False, True])
def test_sums(seed: int, trial: int, subtract: bool) -> None:
    rng = np.random.default_rng([seed, trial])
    a, b = (_quantization(rng, np.exp2(rng.uniform(-8, 0))) for _ in range(2))
    y = _quantization(rng, (a.scale + b.scale) * rng.uniform(0.3, 1.5))
    clamp = Clamp(low=0.0) if trial % 2 else Clamp()
    layer = Add(name="a", inputs=("p", "q"), output="y", subtract=subtract, clamp=clamp)
    _check(layer, a, b, y)


@pytest.mark.parametrize("trial", range(6))
def test_products(seed: int, trial: int) -> None:
    rng = np.random.default_rng([seed, trial])
    a, b = (_quantization(rng, np.exp2(rng.uniform(-8, 0))) for _ in range(2))
    y = _quantization(rng, a.scale * b.scale * 256 * rng.uniform(0.1, 1))
    clamp = Clamp(high=float(y.scale * 20)) if trial % 2 else Clamp()
    _check(Mul(name="m", inputs=("p", "q"), output="y", clamp=clamp), a, b, y)


def test_multipliers_of_a_sum_share_a_shift() -> None:
    layer = Add(name="a", inputs=("p", "q"), output="y", subtract=True)
    a, b = Quantization(scale=0.5, zero_point=3), Quantization(scale=0.125, zero_point=-5)
    scaling = sum_scaling(layer, a, b, Quantization(scale=0.25, zero_point=0))
    assert scaling.multipliers == (1 << 23, -(1 << 21))
    assert scaling.shift == 22
    assert scaling.bias == -(3 << 23) - (5 << 21)


def test_the_multiplier_of_a_far_smaller_scale_loses_bits() -> None:
    layer = Add(name="a", inputs=("p", "q"), output="y")
    small = Quantization(scale=float(np.float32(2.0**-20 * 1.3)), zero_point=0)
    scaling = sum_scaling(
        layer, small, Quantization(scale=1.0, zero_point=0), Quantization(scale=1.0, zero_point=0)
    )
    assert scaling.multipliers == (round(1.3 * 8), 1 << 23)
    assert scaling.shift == 23


def test_scales_that_do_not_belong_together_are_refused() -> None:
    layer = Add(name="sum1", inputs=("p", "q"), output="y")
    big, small = Quantization(scale=1.0, zero_point=0), Quantization(scale=2.0**-24, zero_point=0)
    with pytest.raises(InputError, match=r"sum1: one step of its input is 1.68e\+07 steps"):
        sum_scaling(layer, small, big, small)


def test_table_holds_the_rounded_function() -> None:
    layer = Table(name="t", inputs=("x",), output="y", function=apply("Sigmoid", X))
    source = Quantization(scale=0.0625, zero_point=-3)
    target = Quantization(scale=2.0**-8, zero_point=-128)
    entries = table_entries(layer, source, target)
    for q in range(-128, 128):
        value = 1 / (1 + np.exp(-0.0625 * (q + 3)))
        assert entries[q + 128] == min(round(Fraction(value) * 256) - 128, 127)
    x = np.array([[[[-128, -3, 127]]]], np.int8)
    kinds = [tensor(1, 1, 3, q.scale, q.zero_point) for q in (source, target)]
    assert reference.run_layer(layer, kinds[:1], kinds[1], [x]).ravel().tolist() == [
        entries[0],
        0,
        entries[255],
    ]


def test_table_saturates_where_the_function_is_infinite() -> None:
    layer = Table(name="t", inputs=("x",), output="y", function=apply("Log", X))
    entries = table_entries(
        layer, Quantization(scale=0.5, zero_point=-128), Quantization(scale=0.1, zero_point=0)
    )
    assert entries[0] == -128
    assert entries[2] == 0


def test_undefined_values_are_those_of_the_nearest_input() -> None:
    layer = Table(name="t", inputs=("x",), output="y", function=apply("Sqrt", X))
    unit = Quantization(scale=1.0, zero_point=0)
    entries = table_entries(layer, unit, unit)
    assert not entries[:129].any()
    assert entries[128 + 100] == 10


def test_function_that_is_defined_nowhere_is_refused() -> None:
    layer = Table(name="log1", inputs=("x",), output="y", function=apply("Acosh", X))
    unit = Quantization(scale=0.001, zero_point=0)
    with pytest.raises(InputError, match=r"log1: Acosh\(x\) is not defined between -0.128 and"):
        table_entries(layer, unit, unit)
