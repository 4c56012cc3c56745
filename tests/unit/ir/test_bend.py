# SPDX-License-Identifier: Apache-2.0
"""The bend that the hardware compares with, against the sign of the numerator."""

import random

import numpy as np
import pytest

from flexcc.ir.bend import bend_of
from flexcc.ir.requantize import Requantization, numerator, requantize

LIMIT = 1 << 26


def _requantization(
    mult: int, shift: int, bias: int, negative: Requantization | None = None
) -> Requantization:
    arrays = (np.array([value], np.int64) for value in (mult, shift, bias))
    multiplier, shifts, biases = arrays
    return Requantization(
        multiplier=multiplier,
        shift=shifts,
        bias=biases,
        zero_point=3,
        low=-128,
        high=127,
        negative=negative,
    )


def _hardware(acc: np.ndarray, rq: Requantization) -> np.ndarray:
    """Outputs by comparison of the accumulator."""
    bend = bend_of(rq)
    assert -LIMIT <= int(bend.last[0]) < LIMIT
    below = _requantization(int(bend.multiplier[0]), int(bend.shift[0]), int(bend.bias[0]))
    above = _requantization(int(rq.multiplier[0]), int(rq.shift[0]), int(rq.bias[0]))
    return np.where(acc <= bend.last[0], requantize(acc, below), requantize(acc, above))


def _accumulators(rq: Requantization) -> np.ndarray:
    """The ends of the clamp, and what lies around the zero of the numerator."""
    zero = -int(rq.bias[0]) // max(1, int(rq.multiplier[0]))
    near = [zero + step for step in range(-3, 4)]
    ends = [-LIMIT, -LIMIT + 1, -1, 0, 1, LIMIT - 2, LIMIT - 1]
    return np.clip(np.array([near + ends], np.int64), -LIMIT, LIMIT - 1)


@pytest.mark.parametrize("mult", [0, 1, 2, 3, 7, 1 << 23, (1 << 24) - 1])
@pytest.mark.parametrize(
    "zero", [-LIMIT - 1, -LIMIT, -LIMIT + 1, -5, -1, 0, 1, 4, LIMIT - 1, LIMIT, LIMIT + 1, 1 << 40]
)
@pytest.mark.parametrize("off", [-1, 0, 1])
def test_comparison_decides_as_the_sign_does(mult: int, zero: int, off: int) -> None:
    """The numerator is zero at `zero`, or misses it by one; with M = 0 the bias decides."""
    bias = min(max(-zero * max(1, mult) + off, -(1 << 47)), (1 << 47) - 1)
    # Below the bend all is -97, above it 3 or more.
    rq = _requantization(mult, 0, bias, _requantization(0, 0, -100))
    acc = _accumulators(rq)
    assert np.array_equal(_hardware(acc, rq), requantize(acc, rq))


def test_comparison_decides_as_the_sign_does_anywhere() -> None:
    rng = random.Random(5)
    sides = set()
    for _ in range(3000):
        below = _requantization(
            rng.choice((-1, 1)) * rng.getrandbits(rng.randint(0, 24)),
            rng.randint(0, 40),
            rng.randint(-(1 << 47), (1 << 47) - 1) >> rng.randint(0, 47),
        )
        bias = rng.randint(-(1 << 47), (1 << 47) - 1) >> rng.randint(0, 47)
        rq = _requantization(rng.getrandbits(rng.randint(0, 24)), rng.randint(0, 40), bias, below)
        acc = _accumulators(rq)
        assert np.array_equal(_hardware(acc, rq), requantize(acc, rq))
        sides.add(tuple(np.unique(numerator(acc, rq) < 0)))
    assert len(sides) == 3


def test_one_slope_is_the_same_on_both_sides() -> None:
    rq = _requantization(12345, 9, -777)
    bend = bend_of(rq)
    assert (bend.multiplier, bend.shift, bend.bias) == (rq.multiplier, rq.shift, rq.bias)
