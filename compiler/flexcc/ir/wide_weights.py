# SPDX-License-Identifier: Apache-2.0
"""Weights with a zero point: differences of 9 bits, which the accelerator's 8 bits do not hold.

A channel whose weights are too large is read twice, or three times, and its weights are shared out:

    x * 200 = x * 127 + x * 73

The sums stay the same to the bit, and only channels that need it cost more.
"""

import numpy as np
from numpy.typing import NDArray

__all__ = ["narrowed"]


def narrowed(weight: NDArray[np.int16], groups: int) -> tuple[NDArray[np.int8], tuple[int, ...]]:
    """Weights [Co, Ci/groups, kh, kw] as int8 of more channels, and the channels that they read."""
    rest, per_group = weight, weight.shape[1]
    wanted = np.arange(per_group)
    pieces, read = [], []
    while wanted.size:
        piece = np.clip(rest, -128, 127)
        pieces.append(piece[:, wanted].astype(np.int8))
        read.append(wanted)
        rest = rest - piece
        wanted = np.flatnonzero(rest.any(axis=(0, 2, 3)))
    once = np.concatenate(read)
    channels = np.concatenate([once + group * per_group for group in range(groups)])
    return np.concatenate(pieces, axis=1), tuple(channels.tolist())
