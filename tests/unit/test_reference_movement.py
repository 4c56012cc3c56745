# SPDX-License-Identifier: Apache-2.0
"""Means, interpolation and movement of the golden model against their definitions in loops."""

from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from flexcc import reference
from flexcc.errors import InputError
from flexcc.ir.interpolation import linear_axis, position
from flexcc.ir.layers import (
    AveragePool2d,
    ChannelMax,
    Clamp,
    Concat,
    Coordinates,
    DepthToSpace,
    Interpolate2d,
    Layer,
    LocalNorm,
    Pads,
    Rearrange,
    Select,
    SpaceToDepth,
)
from flexcc.ir.shapes import output_shape
from tests.models import chain, tensor

RNG = np.random.default_rng(0)
NAMES: Any = {"name": "n", "inputs": ("x",), "output": "y"}


def _run(layer: Layer, x: NDArray[np.int8], scale: float, zero: int) -> NDArray[np.int8]:
    """The integer output for one image whose scale is 0.25 and zero point 3."""
    channels, height, width = x.shape
    source = tensor(channels, height, width, 0.25, 3)
    target = tensor(*output_shape(layer, [source], source), scale, zero)
    result: NDArray[np.int8] = reference.run_layer(layer, [source], target, [x[None]])[0]
    return result


def _rounded(value: Fraction, scale: float, zero: int) -> int:
    steps = value * Fraction(0.25) / Fraction(float(np.float32(scale)))
    return min(max(round(steps) + zero, -128), 127)


@pytest.mark.parametrize("counted", [Pads(), Pads(top=1, left=1), Pads(top=1, left=1, right=2)])
def test_means_divide_by_what_counts(counted: Pads) -> None:
    pads = Pads(top=1, left=1, bottom=0, right=2)
    pool = AveragePool2d(**NAMES, kernel=(3, 3), strides=(2, 1), pads=pads, counted=counted)
    x = RNG.integers(-128, 128, (2, 5, 6)).astype(np.int8)
    result = _run(pool, x, 0.1, -7)
    assert result.shape == (2, 2, 7)
    for c, oy, ox in product(range(2), range(2), range(7)):
        total, count = 0, 0
        for y, xx in product(range(oy * 2 - 1, oy * 2 + 2), range(ox - 1, ox + 2)):
            if 0 <= y < 5 and 0 <= xx < 6:
                total += int(x[c, y, xx]) - 3
            count += -counted.top <= y < 5 + counted.bottom and (
                -counted.left <= xx < 6 + counted.right
            )
        assert result[c, oy, ox] == _rounded(Fraction(total, count), 0.1, -7)


@pytest.mark.parametrize("coordinates", list(Coordinates))
@pytest.mark.parametrize("size", [(8, 12), (5, 3), (1, 1), (7, 4)])
def test_interpolation_is_exact(coordinates: Coordinates, size: tuple[int, int]) -> None:
    layer = Interpolate2d(**NAMES, height=size[0], width=size[1], coordinates=coordinates)
    x = RNG.integers(-128, 128, (2, 4, 6)).astype(np.int8)
    result = _run(layer, x, 0.3, 5)
    for c, oy, ox in product(range(2), range(size[0]), range(size[1])):
        rows, columns = (
            _neighbours(position(at, length, outputs, coordinates), length)
            for at, length, outputs in ((oy, 4, size[0]), (ox, 6, size[1]))
        )
        value = Fraction(0)
        for (y, a), (xx, b) in product(rows, columns):
            value += a * b * (int(x[c, y, xx]) - 3)
        assert result[c, oy, ox] == _rounded(value, 0.3, 5)


def _neighbours(place: Fraction, size: int) -> list[tuple[int, Fraction]]:
    place = min(max(place, Fraction(0)), Fraction(size - 1))
    low = int(place)
    return [(low, 1 - (place - low)), (min(low + 1, size - 1), place - low)]


def test_weights_of_usual_factors_are_small() -> None:
    twice = linear_axis(3, 6, Coordinates.HALF_PIXEL)
    assert twice.denominator == 4
    assert twice.weight == (0, 1, 3, 1, 3, 0)
    assert twice.first == (0, 0, 0, 1, 1, 2)
    assert linear_axis(4, 16, Coordinates.ASYMMETRIC).denominator == 4
    assert linear_axis(5, 1, Coordinates.ALIGN_CORNERS).first == (0,)


def test_sums_beyond_32_bits_are_refused() -> None:
    layer = Interpolate2d(**NAMES, height=3001, width=2999, coordinates=Coordinates.HALF_PIXEL)
    with pytest.raises(InputError, match=r"n: a sum of .* inputs can reach .*, beyond 32 bits"):
        _run(layer, np.zeros((1, 3, 3), np.int8), 1.0, 0)


def test_selection_fills_with_the_quantised_number() -> None:
    layer = Select(**NAMES, channels=(1, -1), rows=(2, 0, 0), columns=(0, -1, 1), fill=1.0)
    x = RNG.integers(-128, 128, (2, 3, 2)).astype(np.int8)
    result = _run(layer, x, 0.25, 3)
    fill = 4 + 3
    for c, y, xx in product(range(2), range(3), range(3)):
        source = (layer.channels[c], layer.rows[y], layer.columns[xx])
        assert result[c, y, xx] == (fill if -1 in source else x[source])


def test_blocks_are_each_others_inverse() -> None:
    x = RNG.integers(-128, 128, (3, 4, 6)).astype(np.int8)
    deep = _run(SpaceToDepth(**NAMES, block=2), x, 0.25, 3)
    for c, y, xx, i, j in product(range(3), range(2), range(3), range(2), range(2)):
        assert deep[(i * 2 + j) * 3 + c, y, xx] == x[c, y * 2 + i, xx * 2 + j]
    assert np.array_equal(_run(DepthToSpace(**NAMES, block=2), deep, 0.25, 3), x)


def test_maximum_over_channels() -> None:
    x = RNG.integers(-128, 128, (5, 2, 3)).astype(np.int8)
    assert np.array_equal(_run(ChannelMax(**NAMES), x, 0.25, 3)[0], x.max(axis=0))


@pytest.mark.parametrize(("size", "alpha"), [(1, 0.01), (5, 1e-4), (5, 2.0), (31, 0.5)])
def test_normalisation_over_channels(size: int, alpha: float) -> None:
    """Squares are summed exactly; with beta = 1 the quotient is a fraction, rounded to 24 bits."""
    layer = LocalNorm(**NAMES, size=size, alpha=alpha, beta=1.0, bias=2.0)
    x = RNG.integers(-128, 128, (9, 3, 4)).astype(np.int8)
    result = _run(layer, x, 0.05, -7)
    far = 0
    for c, y, xx in product(range(9), range(3), range(4)):
        near = x[max(c - size // 2, 0) : c + size // 2 + 1, y, xx]
        total = sum((int(value) - 3) ** 2 for value in near)
        divisor = 2 + Fraction(alpha) / size * Fraction(1, 16) * total
        exact = Fraction(int(x[c, y, xx]) - 3) / divisor
        if result[c, y, xx] != _rounded(exact, 0.05, -7):
            assert abs(int(result[c, y, xx]) - _rounded(exact, 0.05, -7)) == 1
            steps = exact * Fraction(0.25) / Fraction(float(np.float32(0.05)))
            assert abs(steps - steps.__floor__() - Fraction(1, 2)) < Fraction(1, 2**16)
            far += 1
    assert far <= 1


def test_normalisation_of_scales_that_do_not_belong_together() -> None:
    layer = LocalNorm(**NAMES, size=3, alpha=1.0, beta=1.0, bias=1.0)
    x = np.zeros((1, 1, 1), np.int8) + np.int8(3)
    with pytest.raises(InputError, match=r"n: one step of its input is 2.5e.11 steps of its"):
        _run(layer, x, 1e-12, 0)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_concatenation_brings_scales_together(axis: int) -> None:
    layer = Concat(name="n", inputs=("a", "b"), output="y", axis=axis)
    parts = [RNG.integers(-128, 128, (1, 2, 3, 4)).astype(np.int8) for _ in range(2)]
    kinds = [tensor(2, 3, 4, 0.25, 3), tensor(2, 3, 4, 0.125, -5)]
    target = tensor(*output_shape(layer, kinds, kinds[0]), 0.25, 3)
    result = reference.run_layer(layer, kinds, target, parts)
    first, second = np.split(result, 2, axis=1 + axis)
    assert np.array_equal(first, parts[0])
    exact = [round(Fraction(int(q) + 5, 2)) + 3 for q in parts[1].ravel()]
    assert second.ravel().tolist() == exact


def test_rearrangement_in_float() -> None:
    x = RNG.normal(size=(1, 2, 2, 3))
    index = RNG.permutation(12)
    layer = Rearrange(**NAMES, index=index)
    result = reference.run_float(chain(tensor(2, 2, 3), [layer]), {"x": x})["y"]
    assert np.array_equal(result.ravel(), x.ravel()[index])


def test_clamps_of_means() -> None:
    pool = AveragePool2d(**NAMES, kernel=(1, 1), strides=(1, 1), clamp=Clamp(low=0.0, high=2.0))
    x = np.array([[[-100, 3, 11, 100]]], np.int8)
    assert _run(pool, x, 0.25, 3).ravel().tolist() == [3, 3, 11, 11]
