# SPDX-License-Identifier: Apache-2.0
"""Operands of the array for its benches: random and extreme bytes, skewed lanes, fields."""

import numpy as np
from numpy.typing import NDArray

CHAIN_LANES = 8
# What a packed chain adds to its sum.
PACKING_OFFSET = -1024


def random_operands(
    rng: np.random.Generator, steps: int, x_shape: tuple[int, ...], w_shape: tuple[int, ...]
) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
    """Activations [steps, *x_shape] and weights [steps, *w_shape].

    Half of the steps are random; the others hold one extreme value or random extremes, so that the
    largest and the smallest sums occur, and every mixture of them in neighbouring pixels.
    """
    x = rng.integers(-128, 128, (steps, *x_shape), np.int8)
    w = rng.integers(-128, 128, (steps, *w_shape), np.int8)
    for step in np.flatnonzero(rng.random(steps) < 0.5):
        for operand, shape in ((x, x_shape), (w, w_shape)):
            match rng.integers(3):
                case 0:
                    operand[step] = rng.choice(_EXTREMES)
                case 1:
                    # One value per word, the same in all its lanes.
                    operand[step] = rng.choice(_EXTREMES, (*shape[:-1], 1))
                case _:
                    operand[step] = rng.choice(_EXTREMES, shape)
    return x, w


_EXTREMES = np.array([-128, -127, -1, 0, 127], np.int8)


def wrapped(value: int, width: int) -> int:
    """A number as `width` bits hold it, two's complement."""
    half = 1 << (width - 1)
    return (value + half) % (2 * half) - half


def skew(words: NDArray[np.int8], rng: np.random.Generator) -> NDArray[np.int8]:
    """What a chain's inputs see: lane i of words[t], [..., lanes], in cycle t + (i mod 8).

    There are 7 more cycles than words; lanes without an operand are random.
    """
    cycles = len(words) + CHAIN_LANES - 1
    driven = rng.integers(-128, 128, (cycles, *words.shape[1:]), np.int8)
    for lane in range(words.shape[-1]):
        first = lane % CHAIN_LANES
        driven[first : first + len(words), ..., lane] = words[..., lane]
    return driven


def bits(values: NDArray[np.int8]) -> int:
    """The bytes as one word, the first in its lowest bits."""
    return int.from_bytes(values.tobytes(), "little")


def signed_fields(word: int, width_bits: int, count: int) -> list[int]:
    """The two's complement numbers of `width_bits` in `word`, the lowest first."""
    sign = 1 << (width_bits - 1)
    fields = [word >> (i * width_bits) & (2 * sign - 1) for i in range(count)]
    return [(field ^ sign) - sign for field in fields]
