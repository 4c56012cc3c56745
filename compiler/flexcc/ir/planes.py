# SPDX-License-Identifier: Apache-2.0
"""int16 values as the hardware holds them: two planes of int8, x = 256*upper + (lower + 128).

A sum of products is then 256 times that of the upper planes, plus that of the lower planes, plus
128 times the weights; padding is the zero point in both planes.
"""

import numpy as np
from numpy.typing import NDArray

__all__ = ["LOWER", "UPPER", "join_planes", "plane_names", "split_planes"]

UPPER, LOWER = "upper", "lower"


def plane_names(tensor: str) -> tuple[str, str]:
    """What the upper and the lower plane of a tensor are called in memory."""
    return f"{tensor}:{UPPER}", f"{tensor}:{LOWER}"


def split_planes(values: NDArray[np.int16]) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
    """The upper and the lower plane."""
    upper = (values >> 8).astype(np.int8)
    lower = ((values & 255) - 128).astype(np.int8)
    return upper, lower


def join_planes(upper: NDArray[np.int8], lower: NDArray[np.int8]) -> NDArray[np.int16]:
    """The values of two planes."""
    joined: NDArray[np.int16] = upper.astype(np.int16) * np.int16(256) + (
        lower.astype(np.int16) + np.int16(128)
    )
    return joined
