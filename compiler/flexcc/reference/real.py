# SPDX-License-Identifier: Apache-2.0
"""One layer on real numbers, in float64."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from flexcc.ir.functions import evaluate
from flexcc.ir.layers import (
    Add,
    AveragePool2d,
    ChannelAffine,
    ChannelMax,
    Clamp,
    Clip,
    Concat,
    Convolution,
    DepthToSpace,
    Interpolate2d,
    Layer,
    LocalNorm,
    MaxPool2d,
    Mul,
    PRelu,
    Rearrange,
    Reshape,
    Select,
    SpaceToDepth,
    Table,
)
from flexcc.ir.normalization import norm_factors
from flexcc.reference.convolution import products
from flexcc.reference.movement import interpolated, moved
from flexcc.reference.window import channel_max, channel_sums, counts, max_pool, window_sums

__all__ = ["real_layer"]

Real = NDArray[np.float64]


def real_layer(layer: Layer, shape: tuple[int, int, int], inputs: Sequence[Real]) -> Real:
    """The output [B,*shape] of a layer of a float graph."""
    x, *more = inputs
    match layer:
        case Convolution():
            return _convolution(layer, shape, x)
        case MaxPool2d():
            return max_pool(layer, shape, x, np.float64(-np.inf))
        case Add(subtract=subtract, clamp=clamp):
            return _clamped(x - more[0] if subtract else x + more[0], clamp)
        case Mul(clamp=clamp):
            return _clamped(x * more[0], clamp)
        case AveragePool2d():
            divisors = counts(layer, (x.shape[2], x.shape[3]), shape)
            return _clamped(window_sums(layer, shape, x) / divisors, layer.clamp)
        case Interpolate2d():
            sums, divisor = interpolated(layer, x)
            return _clamped(sums / divisor, layer.clamp)
        case LocalNorm(clamp=clamp):
            factors = norm_factors(layer, channel_sums(x * x, layer.size))
            return _clamped(x * factors, clamp)
        case ChannelMax():
            return channel_max(x)
        case Concat(axis=axis):
            return np.concatenate(inputs, axis=1 + axis)
        case Select() | DepthToSpace() | SpaceToDepth() | Rearrange():
            fill = layer.fill if isinstance(layer, Select) else 0.0
            return moved(layer, shape, x, np.float64(fill))
        case Table(function=function):
            return evaluate(function, x)
        case Clip(clamp=clamp):
            return _clamped(x, clamp)
        case ChannelAffine(scale=scale, offset=offset):
            affine: Real = x * scale[:, None, None] + offset[:, None, None]
            return affine
        case PRelu(slope=slope):
            return _sloped(x, slope)
        case Reshape():
            return x.reshape(x.shape[0], *shape)
    raise TypeError(f"{layer.name}: the float reference does not run {type(layer).__name__}")


def _convolution(conv: Convolution, shape: tuple[int, int, int], x: Real) -> Real:
    result = np.empty((x.shape[0], *shape))
    for images, rows, sums in products(
        conv, shape, x, np.float64(0), conv.weight.astype(np.float64)
    ):
        result[images, :, rows] = (sums + conv.bias[:, None, None, None]).swapaxes(0, 1)
    if conv.slope is not None:
        result = _sloped(result, conv.slope)
    return _clamped(result, conv.clamp)


def _sloped(x: Real, slope: NDArray[np.float32]) -> Real:
    result: Real = np.where(x < 0, x * slope[:, None, None], x)
    return result


def _clamped(x: Real, clamp: Clamp) -> Real:
    low = -np.inf if clamp.low is None else clamp.low
    return np.clip(x, low, np.inf if clamp.high is None else clamp.high)
