# SPDX-License-Identifier: Apache-2.0
"""The one rounding at the end of every engine that computes, in unbounded integers."""

from dataclasses import dataclass

__all__ = ["Rounding"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rounding:
    """clamp(round_half_even(total / 2^shift) + zero_point, low, high)."""

    shift: int
    zero_point: int
    low: int
    high: int

    def __call__(self, total: int) -> int:
        """The byte of a total."""
        unit = 1 << self.shift
        quotient, remainder = divmod(total, unit)
        if 2 * remainder > unit or (2 * remainder == unit and quotient % 2 == 1):
            quotient += 1
        return min(max(quotient + self.zero_point, self.low), self.high)
