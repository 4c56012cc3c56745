# SPDX-License-Identifier: Apache-2.0
"""Windows over padded images and over channels: maxima, and sums and numbers of pixels."""

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from flexcc.ir.layers import AveragePool2d, Conv2d, MaxPool2d, Pads

__all__ = ["channel_max", "channel_sums", "counts", "max_pool", "padded", "window_sums"]

Scalar = TypeVar("Scalar", bound=np.generic)
Pool = MaxPool2d | AveragePool2d


def padded(
    layer: Conv2d | MaxPool2d | AveragePool2d, x: NDArray[Scalar], value: Scalar
) -> NDArray[Scalar]:
    """The images [B,C,H,W] with the layer's padding around them."""
    return _surrounded(x, layer.pads, value)


def max_pool(
    pool: MaxPool2d, shape: tuple[int, int, int], x: NDArray[Scalar], lowest: Scalar
) -> NDArray[Scalar]:
    """The maxima [B,*shape] of the windows; `lowest` is what padding counts as."""
    return _reduced(pool, shape, padded(pool, x, lowest), np.maximum)


def channel_max(x: NDArray[Scalar]) -> NDArray[Scalar]:
    """The largest value of each pixel, [B,1,H,W]."""
    result: NDArray[Scalar] = x.max(axis=1, keepdims=True)
    return result


def channel_sums(x: NDArray[Scalar], size: int) -> NDArray[Scalar]:
    """Per element [B,C,H,W] the sum of the (size-1)/2 channels on either side, and itself."""
    channels = x.shape[1]
    result: NDArray[Any] = x.copy()
    for distance in range(1, min(size // 2, channels - 1) + 1):
        result[:, distance:] += x[:, :-distance]
        result[:, :-distance] += x[:, distance:]
    return result


def window_sums(
    pool: AveragePool2d, shape: tuple[int, int, int], x: NDArray[Scalar]
) -> NDArray[Scalar]:
    """The sums [B,*shape] of the windows, to which padding adds 0."""
    return _reduced(pool, shape, padded(pool, x, x.dtype.type(0)), np.add)


def counts(
    pool: AveragePool2d, size: tuple[int, int], shape: tuple[int, int, int]
) -> NDArray[np.int64]:
    """How many pixels [H,W] the mean of each window of an image of that size divides by."""
    pads, inner = pool.pads, pool.counted
    ones = _surrounded(np.ones((1, 1, *size), np.int64), inner, np.int64(1))
    outer = Pads(
        top=pads.top - inner.top,
        left=pads.left - inner.left,
        bottom=pads.bottom - inner.bottom,
        right=pads.right - inner.right,
    )
    sums = _reduced(pool, (1, *shape[1:]), _surrounded(ones, outer, np.int64(0)), np.add)
    result: NDArray[np.int64] = sums[0, 0]
    return result


def _reduced(
    pool: Pool, shape: tuple[int, int, int], x: NDArray[Scalar], join: Callable[..., Any]
) -> NDArray[Scalar]:
    """All windows of a padded image joined to one value each."""
    # Of a window's rows first, then of its columns: kh + kw steps instead of kh * kw.
    dilations = (1, 1) if isinstance(pool, AveragePool2d) else pool.dilations
    for axis in range(2):
        taps = [
            _tap(x, axis, k * dilations[axis], pool.strides[axis], shape[1 + axis])
            for k in range(pool.kernel[axis])
        ]
        x = taps[0].copy()
        for tap in taps[1:]:
            join(x, tap, out=x)
    return x


def _surrounded(x: NDArray[Scalar], pads: Pads, value: Scalar) -> NDArray[Scalar]:
    sides = ((0, 0), (0, 0), (pads.top, pads.bottom), (pads.left, pads.right))
    return np.pad(x, sides, constant_values=value)


def _tap(x: NDArray[Scalar], axis: int, first: int, stride: int, count: int) -> NDArray[Scalar]:
    """Every `stride`-th row (axis 0) or column (1) of the images from `first` on."""
    steps = slice(first, first + (count - 1) * stride + 1, stride)
    return x[:, :, steps] if axis == 0 else x[:, :, :, steps]
