# SPDX-License-Identifier: Apache-2.0
"""Ratios as integers and the rounding of their products, against exact fractions."""

from fractions import Fraction

import numpy as np
import pytest

from flexcc.ir.fixed_point import fixed_point, fixed_points, is_tie, round_shift


def test_multiplier_is_the_significand(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for ratio in np.exp2(rng.uniform(-38, 23.9, 500)).astype(np.float32):
        multiplier, shift = fixed_point(float(ratio))
        assert 1 << 23 <= multiplier < 1 << 24
        assert Fraction(multiplier, 1 << shift) == Fraction(float(ratio))


def test_smallest_ratios_lose_bits_and_vanish() -> None:
    assert fixed_point(0.0) == (0, 24)
    assert fixed_point(2.0**-45) == (1 << 18, 63)
    assert fixed_point(2.0**-70) == (0, 63)


@pytest.mark.parametrize("ratio", [-1.0, 2.0**24, float("inf"), float("nan"), 1e300])
def test_other_ratios_are_refused(ratio: float) -> None:
    with pytest.raises(ValueError, match="is not in"):
        fixed_point(ratio)


@pytest.mark.parametrize("shift", [0, 1, 2, 7, 24, 40, 63])
def test_rounding_is_half_to_even(seed: int, shift: int) -> None:
    rng = np.random.default_rng([seed, shift])
    totals = rng.integers(-(1 << 55), 1 << 55, 300) >> rng.integers(0, 55, 300)
    half = 1 << max(shift - 1, 0)
    totals = np.concatenate([totals, half * np.arange(-9, 10)]) if shift < 50 else totals
    expected = [round(Fraction(int(total), 1 << shift)) for total in totals]
    assert round_shift(totals, shift).tolist() == expected
    ties = [(2 * Fraction(int(total), 1 << shift)).denominator == 1 for total in totals]
    whole = [Fraction(int(total), 1 << shift).denominator == 1 for total in totals]
    found = is_tie(totals, shift).tolist()
    assert found == [tie and not entire for tie, entire in zip(ties, whole, strict=True)]


def test_near_ties() -> None:
    # 2^10 a step: ties at 512 + 1024*k, within 1/128 of a step 8 to either side.
    totals = np.arange(-2048, 2048)
    near = np.abs(totals % 1024 - 512) <= 8
    assert np.array_equal(is_tie(totals, 10, 2.0**-7), near)
    assert not is_tie(totals, 0, 0.25).any()


def test_shifts_broadcast() -> None:
    totals = np.array([[5, 6, 7], [5, 6, 7]])
    assert round_shift(totals, np.array([[0], [1]])).tolist() == [[5, 6, 7], [2, 3, 4]]


def test_many_ratios_are_each_as_one() -> None:
    rng = np.random.default_rng(0)
    ratios = np.concatenate([np.exp(rng.uniform(-70, 16.6, 500)), [0.0, 1.0, 2.0**-45, 2.0**-130]])
    multipliers, shifts = fixed_points(ratios)
    found = list(zip(multipliers.tolist(), shifts.tolist(), strict=True))
    assert found == [fixed_point(ratio) for ratio in ratios.tolist()]
