# SPDX-License-Identifier: Apache-2.0
"""The requantiser's lanes as `interpret` runs them: from records, knowing nothing of layers."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flexcc.accelerator import Accelerator
from flexcc.program.decode import Fields, decode_format
from flexcc.program.formats import PARAMETER, SLOPE

__all__ = ["Channel", "bent", "decode_channels", "put_out", "requantized", "summed"]

_ACC_CLAMP = 1 << 26
_WIDE_LIMIT = 1 << 37

IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """The records of an output channel; `slope` is there in accelerators with slopes."""

    parameter: Fields
    slope: Fields | None = None


def decode_channels(words: Sequence[int], accelerator: Accelerator) -> list[Channel]:
    """The channels of a pass image's parameters, given as 64-bit words."""
    count = accelerator.record_bytes // 8
    records = [words[start : start + count] for start in range(0, len(words), count)]
    return [
        Channel(
            parameter=decode_format(PARAMETER, record[:2]),
            slope=decode_format(SLOPE, record[2:4]) if accelerator.slopes else None,
        )
        for record in records
    ]


def requantized(
    acc: IntArray, channel: Channel, zero_point: int, low: int, high: int, *, wide: bool = False
) -> IntArray:
    """The outputs of a channel's accumulators of any size; `wide` ones have at most 38 bits."""
    if wide and not -_WIDE_LIMIT <= acc.min(initial=0) <= acc.max(initial=0) < _WIDE_LIMIT:
        raise ValueError("an accumulator leaves 38 bits")
    clamped = acc if wide else np.clip(acc, -_ACC_CLAMP, _ACC_CLAMP - 1)
    result = _scaled(clamped, channel.parameter)
    if channel.slope is not None and not wide:
        below = clamped <= _int(channel.slope, "last")
        result = np.where(below, _scaled(clamped, channel.slope), result)
    limited: IntArray = np.clip(result + zero_point, low, high)
    return limited


def put_out(values: IntArray, plane: int) -> IntArray:
    """The bytes of outputs that a pass of `plane` puts out."""
    match plane:
        case 0:
            return values
        case 1:
            return values >> 8
        case 2:
            return (values & 255) - 128
    raise ValueError(f"there is no plane {plane}")


def _int(fields: Fields, name: str) -> int:
    value = fields[name]
    assert isinstance(value, int)
    return value


def _scaled(acc: IntArray, record: Fields) -> IntArray:
    """(acc*mult + bias) / 2^shift, ties to even."""
    return _rounded(acc * _int(record, "mult") + _int(record, "bias"), _int(record, "shift"))


def summed(own: IntArray, second: IntArray, record: Fields) -> IntArray:
    """The sums of outputs and of a second tensor, as an `array_sum` record says."""
    total = own * _int(record, "mult") + second * _int(record, "skip_mult") + _int(record, "bias")
    result = _rounded(total, _int(record, "shift")) + _int(record, "zero_point")
    limited: IntArray = np.clip(result, _int(record, "low"), _int(record, "high"))
    return limited


def bent(sums: IntArray, slope: Fields, record: Fields) -> IntArray:
    """What becomes of a channel's sums, as an `array_bend` record and its second one say."""
    below = sums <= _int(slope, "last")
    result = np.where(below, _scaled(sums, slope), _scaled(sums, record))
    limits = _int(record, "low"), _int(record, "high")
    limited: IntArray = np.clip(result + _int(record, "zero_point"), *limits)
    return limited


def _rounded(total: IntArray, shift: int) -> IntArray:
    """The quotient of `total` and 2^shift, ties to even."""
    quotient = total >> shift
    if not shift:
        return quotient
    rest, half = total - (quotient << shift), 1 << (shift - 1)
    up: NDArray[np.bool_] = (rest > half) | ((rest == half) & (quotient & 1 == 1))
    result: IntArray = quotient + up
    return result
