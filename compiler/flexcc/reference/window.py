# SPDX-License-Identifier: Apache-2.0
"""Windows over padded images: maxima."""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from flexcc.ir.layers import Conv2d, MaxPool2d

__all__ = ["max_pool", "padded"]

Scalar = TypeVar("Scalar", bound=np.generic)


def padded(layer: Conv2d | MaxPool2d, x: NDArray[Scalar], value: Scalar) -> NDArray[Scalar]:
    """The images [B,C,H,W] with the layer's padding around them."""
    pads = layer.pads
    return np.pad(
        x,
        ((0, 0), (0, 0), (pads.top, pads.bottom), (pads.left, pads.right)),
        constant_values=value,
    )


def max_pool(
    pool: MaxPool2d, shape: tuple[int, int, int], x: NDArray[Scalar], lowest: Scalar
) -> NDArray[Scalar]:
    """The maxima [B,*shape] of the windows; `lowest` is what padding counts as."""
    result = padded(pool, x, lowest)
    # A window's maximum is that of its rows' maxima: kh + kw steps instead of kh * kw.
    for axis in range(2):
        taps = [
            _tap(result, axis, k * pool.dilations[axis], pool.strides[axis], shape[1 + axis])
            for k in range(pool.kernel[axis])
        ]
        result = taps[0].copy()
        for tap in taps[1:]:
            np.maximum(result, tap, out=result)
    return result


def _tap(x: NDArray[Scalar], axis: int, first: int, stride: int, count: int) -> NDArray[Scalar]:
    """Every `stride`-th row (axis 0) or column (1) of the images from `first` on."""
    steps = slice(first, first + (count - 1) * stride + 1, stride)
    return x[:, :, steps] if axis == 0 else x[:, :, :, steps]
