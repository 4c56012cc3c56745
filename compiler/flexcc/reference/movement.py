# SPDX-License-Identifier: Apache-2.0
"""Layers that move numbers, and interpolation between them."""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from flexcc.ir.interpolation import LinearAxis, linear_axis
from flexcc.ir.layers import DepthToSpace, Interpolate2d, Rearrange, Select, SpaceToDepth

__all__ = ["interpolated", "moved"]

Scalar = TypeVar("Scalar", bound=np.generic)
Number = TypeVar("Number", np.int64, np.float64)


def moved(
    layer: Select | DepthToSpace | SpaceToDepth | Rearrange,
    shape: tuple[int, int, int],
    x: NDArray[Scalar],
    fill: Scalar,
) -> NDArray[Scalar]:
    """The output [B,*shape] of a layer that makes no new numbers but `fill`."""
    images, channels, height, width = x.shape
    match layer:
        case Select():
            result = x
            for axis, indices in enumerate((layer.channels, layer.rows, layer.columns), start=1):
                result = np.take(result, indices, axis)
                holes: list[slice | NDArray[np.bool_]] = [slice(None)] * 4
                holes[axis] = np.array(indices) == -1
                result[tuple(holes)] = fill
            return result
        case DepthToSpace(block=block):
            parts = x.reshape(images, block, block, shape[0], height, width)
            return parts.transpose(0, 3, 4, 1, 5, 2).reshape(images, *shape)
        case SpaceToDepth(block=block):
            parts = x.reshape(images, channels, height // block, block, width // block, block)
            return parts.transpose(0, 3, 5, 1, 2, 4).reshape(images, *shape)
        case Rearrange(index=index):
            return x.reshape(images, -1)[:, index].reshape(images, *shape)


def interpolated(layer: Interpolate2d, x: NDArray[Number]) -> tuple[NDArray[Number], int]:
    """The weighted sums [B,C,H,W] of the output pixels, and what they are to be divided by."""
    rows = linear_axis(x.shape[2], layer.height, layer.coordinates)
    columns = linear_axis(x.shape[3], layer.width, layer.coordinates)
    sums = _along(rows, x, 2)
    return _along(columns, sums, 3), rows.denominator * columns.denominator


def _along(axis: LinearAxis, x: NDArray[Number], number: int) -> NDArray[Number]:
    view = [1] * 4
    view[number] = -1
    weight = np.array(axis.weight, x.dtype).reshape(view)
    first, second = (np.take(x, places, number) for places in (axis.first, axis.second))
    result: NDArray[Number] = first * (x.dtype.type(axis.denominator) - weight) + second * weight
    return result
