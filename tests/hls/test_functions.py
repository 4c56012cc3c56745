# SPDX-License-Identifier: Apache-2.0
"""The plain functions of the HLS library against Python, extremes included."""

import ctypes
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from flexcc.backend.lanes import Channel, put_out, requantized, summed
from flexcc.csimulation import compile_library
from flexcc.program.decode import decode_format
from flexcc.program.encode import encode
from flexcc.program.formats import ARRAY_SUM, PARAMETER, SLOPE
from flexcc.resources import TEMPLATES

_LANES = 16
_SOURCE = "functions.cpp"


@pytest.fixture(scope="module")
def functions() -> ctypes.CDLL:
    files = {_SOURCE: (Path(__file__).parent / _SOURCE).read_bytes()}
    for folder in ("lib/flex", "csim"):
        for path in sorted((TEMPLATES / "hls" / folder).iterdir()):
            files[f"{folder}/{path.name}"] = path.read_bytes()
    return ctypes.CDLL(str(compile_library(files, _SOURCE)))


def _pointer(values: NDArray[Any]) -> ctypes.c_void_p:
    assert values.flags.c_contiguous
    return ctypes.c_void_p(values.ctypes.data)


def _pointers(*arrays: NDArray[Any]) -> list[ctypes.c_void_p]:
    return [_pointer(array) for array in arrays]


def _bytes(rng: np.random.Generator, count: int) -> NDArray[np.int8]:
    """Random pixels; the first are all pairs of extremes."""
    values = rng.integers(-128, 128, (count, _LANES), dtype=np.int8)
    values[: count // 4] = rng.choice([-128, -127, 127, 0], (count // 4, 1)).astype(np.int8)
    return values


def test_two_products_share_a_multiplier(functions: ctypes.CDLL, seed: int) -> None:
    """Exact for every sum of eight products, but for 1024 that each chain has too little."""
    rng = np.random.default_rng(seed)
    count = 4000
    high, low, weights = (_bytes(rng, count) for _ in range(3))
    high[0], low[0], weights[0] = -128, -128, -128
    high[1], low[1], weights[1] = 127, -128, -128
    high[2], low[2], weights[2] = -128, 127, -128
    found = np.empty((count, 2), np.int32)
    functions.packed(count, *_pointers(high, low, weights, found))
    for column, pixels in enumerate((low, high)):
        exact = (pixels.astype(np.int32) * weights).sum(axis=1) - 1024 * (_LANES // 8)
        assert (found[:, column] == exact).all()
    single = np.empty(count, np.int32)
    functions.plain(count, *_pointers(high, weights, single))
    assert (single == (high.astype(np.int32) * weights).sum(axis=1)).all()


def test_rounding(functions: ctypes.CDLL, seed: int) -> None:
    rng = np.random.default_rng(seed)
    shifts = rng.integers(0, 64, 20_000).astype(np.uint8)
    totals = rng.integers(-(1 << 51), 1 << 51, len(shifts))
    # Ties, and their neighbours.
    halves = np.where(shifts > 0, 1 << (shifts.astype(np.int64) - 1).clip(0), 0)
    tied = (np.abs(totals) >> 8 << shifts) + halves + rng.integers(-1, 2, len(shifts))
    usable = (shifts < 40) & (np.abs(tied) < 1 << 51)
    totals = np.ascontiguousarray(np.where(usable, tied, totals))
    found = np.empty(len(shifts), np.int64)
    functions.rounded(len(shifts), *_pointers(totals, shifts, found))
    for total, shift, value in zip(totals.tolist(), shifts.tolist(), found.tolist(), strict=True):
        quotient, rest = divmod(total, 1 << shift)
        twice = 2 * rest - (1 << shift)
        assert value == quotient + (twice > 0 or (twice == 0 and quotient % 2 == 1)), (total, shift)


def _numbers(rng: np.random.Generator, *, extreme: bool) -> tuple[dict[str, int], dict[str, int]]:
    """Fields of a `parameter` and a `slope` record."""

    def number(low: int, high: int) -> int:
        return int(rng.choice([low, high])) if extreme else int(rng.integers(low, high + 1))

    bias = number(-(1 << 47), (1 << 47) - 1)
    above = {"mult": number(0, (1 << 24) - 1), "shift": number(0, 63), "bias": bias}
    below = {
        "mult": number(-(1 << 24) + 1, (1 << 24) - 1),
        "shift": number(0, 63),
        "last": number(-(1 << 26), (1 << 26) - 1),
        "bias": -bias - 1,
    }
    return above, below


@pytest.mark.parametrize("slopes", [False, True])
def test_requantisation(functions: ctypes.CDLL, seed: int, slopes: bool) -> None:
    rng = np.random.default_rng(seed)
    limits = [-(1 << 31), (1 << 31) - 1, -(1 << 26) - 1, -(1 << 26), (1 << 26) - 1, 1 << 26, 0, -1]
    for turn in range(400):
        above, below = _numbers(rng, extreme=turn % 2 == 0)
        if turn % 4 == 1:
            # Outputs of every size.
            above |= {"shift": 36, "bias": int(rng.integers(-(1 << 40), 1 << 40))}
            below |= {"shift": 37, "bias": int(rng.integers(-(1 << 40), 1 << 40))}
        words = np.array([*encode(PARAMETER, **above), *encode(SLOPE, **below)], np.uint64)
        own = Channel(
            parameter=decode_format(PARAMETER, [int(word) for word in words[:2]]),
            slope=decode_format(SLOPE, [int(word) for word in words[2:]]) if slopes else None,
        )
        low, high = sorted(rng.integers(-128, 128, 2).tolist())
        zero_point = int(rng.integers(-128, 128))
        accs = rng.integers(-(1 << 27), 1 << 27, 64).astype(np.int32)
        accs[: len(limits)] = limits
        accs[8:11] = np.clip(below["last"] + np.arange(-1, 2), -(1 << 31), (1 << 31) - 1)
        found = np.empty(len(accs), np.int8)
        numbers = np.array([zero_point, low, high], np.int8)
        functions.requantized(
            *(len(accs), _pointer(accs), _pointer(words), _pointer(numbers)),
            *(int(slopes), _pointer(found)),
        )
        expected = requantized(accs.astype(np.int64), own, zero_point, low, high)
        assert (found == expected).all()


@pytest.mark.parametrize("wide", [False, True])
def test_requantisation_with_16_bits(functions: ctypes.CDLL, seed: int, wide: bool) -> None:
    """Tiles of 16 bits and of 8 on one lane; what is put out is the output or a byte of it."""
    rng = np.random.default_rng(seed)
    most = 1 << (37 if wide else 31)
    for turn in range(400):
        above, below = _numbers(rng, extreme=turn % 2 == 0)
        if wide and turn % 4 == 1:
            above |= {"shift": 45, "bias": int(rng.integers(-(1 << 58), 1 << 58))}
        elif wide:
            above["bias"] = int(rng.choice([-(1 << 59), (1 << 59) - 1]))
        words = np.array([*encode(PARAMETER, **above), *encode(SLOPE, **below)], np.uint64)
        own = Channel(
            parameter=decode_format(PARAMETER, [int(word) for word in words[:2]]),
            slope=decode_format(SLOPE, [int(word) for word in words[2:]]),
        )
        bound = 1 << (15 if wide else 7)
        low, high = sorted(rng.integers(-bound, bound, 2).tolist())
        zero_point = int(rng.integers(-bound, bound))
        accs = rng.integers(-most, most, 64)
        accs[:4] = -most, most - 1, 0, -1
        found, bytes_ = np.empty(len(accs), np.int16), np.empty((len(accs), 3), np.int8)
        numbers = np.array([zero_point, low, high], np.int16)
        functions.requantized_wide(
            *(len(accs), _pointer(accs), _pointer(words), _pointer(numbers)),
            *(int(wide), _pointer(found), _pointer(bytes_)),
        )
        expected = requantized(accs, own, zero_point, low, high, wide=wide)
        assert (found == expected).all()
        for plane in (1, 2) if wide else (0,):
            assert (bytes_[:, plane] == put_out(expected, plane)).all()


def _multiplier(rng: np.random.Generator, size: int) -> int:
    return int(rng.choice(np.array([-size, size - 1, int(rng.integers(-size, size))])))


def test_sums(functions: ctypes.CDLL, seed: int) -> None:
    rng = np.random.default_rng(seed)
    for turn in range(300):
        size = 1 << (24 if turn % 2 else int(rng.integers(1, 24)))
        fields = {
            "mult": _multiplier(rng, size),
            "skip_mult": _multiplier(rng, size),
            "shift": int(rng.integers(0, 40)),
            "bias": int(rng.integers(-(1 << 33), 1 << 33)),
            "zero_point": int(rng.integers(-128, 128)),
            "low": int(rng.integers(-128, 0)),
            "high": int(rng.integers(0, 128)),
        }
        words = np.array(encode(ARRAY_SUM, **fields), np.uint64)
        own, second = rng.integers(-128, 128, (2, 256), dtype=np.int8)
        found = np.empty(256, np.int8)
        functions.summed(256, *_pointers(own, second, words, found))
        record = decode_format(ARRAY_SUM, [int(word) for word in words])
        assert (found == summed(own.astype(np.int64), second.astype(np.int64), record)).all()


@pytest.mark.parametrize("banks", [1, 3, 7, 16])
@pytest.mark.parametrize("stride", [1, 2, 3, 4])
def test_columns_of_a_row_go_to_their_banks(
    functions: ctypes.CDLL, banks: int, stride: int
) -> None:
    """Division by strides and banks without a divider, left of column 0 as Euclid has it."""
    for before in range(32):
        for step in (1, 2, 4, 8, 16, 32):
            found = np.empty((40, 3), np.int32)
            functions.walk_columns(banks, len(found), before, stride, step, _pointer(found))
            position, phase = np.divmod(np.arange(len(found)) * step - before, stride)
            word, bank = np.divmod(position, banks)
            assert (found == np.stack([phase, bank, word], axis=1)).all()


def test_columns_of_the_output_buffer(functions: ctypes.CDLL) -> None:
    columns = np.arange(-3000, 70_000, dtype=np.int32)
    words, banks = np.empty(len(columns), np.int32), np.empty(len(columns), np.uint8)
    functions.place_columns(len(columns), *_pointers(columns, words, banks))
    expected = np.divmod(columns, 7)
    assert (words == expected[0]).all()
    assert (banks == expected[1]).all()
