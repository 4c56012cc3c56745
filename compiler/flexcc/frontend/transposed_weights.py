# SPDX-License-Identifier: Apache-2.0
"""Weights of transposed convolutions: from and to the layout of ONNX, [Ci, Co/groups, ...]."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["from_onnx", "to_onnx"]

Weight = NDArray[np.float32] | NDArray[np.int8] | NDArray[np.int16]


def from_onnx(weight: Weight, groups: int) -> Weight:
    """[Ci, Co/groups, ...] as [Co, Ci/groups, ...]."""
    return _swapped(weight, groups)


def to_onnx(weight: Weight, groups: int) -> Weight:
    """[Co, Ci/groups, ...] as [Ci, Co/groups, ...]."""
    return _swapped(weight, groups)


def _swapped(weight: Weight, groups: int) -> Weight:
    """Both ways are one: the groups stay outside, the two channel axes within change places."""
    first, second, *kernel = weight.shape
    apart = weight.reshape(groups, first // groups, second, *kernel)
    return apart.swapaxes(1, 2).reshape(groups * second, first // groups, *kernel)
