# SPDX-License-Identifier: Apache-2.0
"""Pixels that stand several times, one after the other."""

from collections.abc import Sequence

__all__ = ["times_repeated"]


def times_repeated(indices: Sequence[int], size: int) -> int:
    """How often each of `size` pixels stands in `indices`, in order; 0 if they do not stand so.

    >>> times_repeated((0, 0, 1, 1), 2)
    2
    """
    times, rest = divmod(len(indices), size)
    even = not rest and all(index == place // times for place, index in enumerate(indices))
    return times if even else 0
