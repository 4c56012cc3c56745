# SPDX-License-Identifier: Apache-2.0
"""Sums of products of convolutions, transposed or not, in pieces that fit the cache.

Integer convolutions are matrix products in floating point, of im2col or, transposed, of one kernel
element after the other: every partial sum is an integer below 2^24 (float32) or 2^53 (float64), so
each one is exact in any order.
"""

from collections.abc import Iterator
from itertools import product
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from flexcc.ir.accumulator import require_accumulators_fit
from flexcc.ir.kernel import weight_sums
from flexcc.ir.layers import Conv2d, Convolution, ConvTranspose2d
from flexcc.ir.shapes import output_shape
from flexcc.ir.types import Integers, TensorType
from flexcc.reference.window import padded

__all__ = ["CHUNK_BYTES", "accumulate", "accumulators", "products"]

# im2col copies each pixel once per kernel element; what fits the cache runs three times as fast
# as chunks of 64 MB.
CHUNK_BYTES = 4 << 20

Scalar = TypeVar("Scalar", bound=np.generic)
Float = NDArray[np.floating[Any]]


def accumulate(conv: Convolution, source: TensorType, x: Integers) -> NDArray[np.int64]:
    """The centred accumulators [B,Co,H,W] of an integer convolution, to which padding adds 0."""
    shape = output_shape(conv, [source], source)
    result = np.empty((x.shape[0], *shape), np.int64)
    for images, rows, acc in accumulators(conv, source, shape, x):
        result[images, :, rows] = acc.swapaxes(0, 1)
    return result


def accumulators(
    conv: Convolution, source: TensorType, shape: tuple[int, int, int], x: Integers
) -> Iterator[tuple[slice, slice, NDArray[np.int64]]]:
    """Exact centred accumulators [Co, images, rows, width], chunk by chunk."""
    if source.quantization is None:
        raise ValueError(f"{conv.name}: its input is not quantised")
    # At most 38 bits, far below the 2^53 that float64 counts to.
    require_accumulators_fit(conv, source.quantization)
    low, high, zero_point = (
        source.quantization.low,
        source.quantization.high,
        source.quantization.zero_point,
    )
    values: NDArray[Any] = x
    if isinstance(conv, ConvTranspose2d):
        # Each output sums over pixels of its own; nothing but the centred ones suits them all.
        values, reach = x.astype(np.int32) - np.int32(zero_point), high - low
        offset = np.zeros(shape[0], np.int64)
    else:
        reach = -low
        offset = zero_point * weight_sums(conv)
    largest = reach * int(np.abs(conv.weight.astype(np.int16)).sum(axis=(1, 2, 3)).max())
    weight: Float = conv.weight.astype(np.float32 if largest < 1 << 24 else np.float64)
    pad = source.quantization.dtype(zero_point)
    for images, rows, sums in products(conv, shape, values, pad, weight):
        acc = sums.astype(np.int64)
        acc -= offset[:, None, None, None]
        yield images, rows, acc


def products(
    conv: Convolution, shape: tuple[int, int, int], x: NDArray[Scalar], pad: Scalar, weight: Float
) -> Iterator[tuple[slice, slice, Float]]:
    """Sums of products [Co, images, rows, width] in the weight's type, chunk by chunk."""
    match conv:
        case Conv2d():
            return _gathered(conv, shape, x, pad, weight)
        case ConvTranspose2d():
            return _scattered(conv, shape, x, weight)
    raise TypeError(f"{conv.name}: the reference does not run {type(conv).__name__}")


def _scattered(
    conv: ConvTranspose2d, shape: tuple[int, int, int], x: NDArray[Any], weight: Float
) -> Iterator[tuple[slice, slice, Float]]:
    """The products of a transposed convolution: kernel elements one by one add to their outputs."""
    channels, height, width = shape
    per_group, (kh, kw) = weight.shape[1], weight.shape[2:]
    matrices = np.ascontiguousarray(weight.transpose(2, 3, 0, 1)).reshape(
        kh, kw, conv.groups, channels // conv.groups, per_group
    )
    row_bytes = (channels + x.shape[1]) * width * weight.itemsize
    rows_at_once = min(height, max(1, CHUNK_BYTES // row_bytes))
    images_at_once = max(1, CHUNK_BYTES // (row_bytes * rows_at_once))
    for image, row in product(range(0, x.shape[0], images_at_once), range(0, height, rows_at_once)):
        images = slice(image, min(image + images_at_once, x.shape[0]))
        rows = slice(row, min(row + rows_at_once, height))
        sums = np.zeros((channels, images.stop - image, rows.stop - row, width), weight.dtype)
        for ky, kx in product(range(kh), range(kw)):
            (iy, oy), (ix, ox) = (
                _hits(conv, 0, ky, x.shape[2], rows),
                _hits(conv, 1, kx, x.shape[3], slice(0, width)),
            )
            pixels = x[images, :, iy, ix].swapaxes(0, 1).astype(weight.dtype, order="C")
            columns = pixels.reshape(conv.groups, per_group, -1)
            target = sums[:, :, oy, ox]
            target += (matrices[ky, kx] @ columns).reshape(target.shape)
        yield images, rows, sums


def _hits(
    conv: ConvTranspose2d, axis: int, k: int, size: int, outputs: slice
) -> tuple[slice, slice]:
    """The inputs that kernel element `k` adds to `outputs`, and those counted from its start."""
    stride, pad = conv.strides[axis], (conv.pads.top, conv.pads.left)[axis]
    origin = k * conv.dilations[axis] - pad - outputs.start
    first = max(0, -(origin // stride))
    end = max(first, min(size, -((origin - (outputs.stop - outputs.start)) // stride)))
    return slice(first, end), slice(first * stride + origin, end * stride + origin, stride)


def _gathered(
    conv: Conv2d, shape: tuple[int, int, int], x: NDArray[Scalar], pad: Scalar, weight: Float
) -> Iterator[tuple[slice, slice, Float]]:
    """The products of a convolution, its windows laid out as columns."""
    channels, height, width = shape
    per_group, (kh, kw) = weight.shape[1], weight.shape[2:]
    matrix = weight.reshape(conv.groups, channels // conv.groups, per_group * kh * kw)
    row_bytes = x.shape[1] * kh * kw * width * weight.itemsize
    rows_at_once = min(height, max(1, CHUNK_BYTES // row_bytes))
    images_at_once = max(1, CHUNK_BYTES // (row_bytes * rows_at_once))
    for image in range(0, x.shape[0], images_at_once):
        images = slice(image, min(image + images_at_once, x.shape[0]))
        windows = _windows(conv, (kh, kw), shape, padded(conv, x[images], pad))
        for row in range(0, height, rows_at_once):
            rows = slice(row, min(row + rows_at_once, height))
            columns: Float = windows[:, :, :, :, rows].astype(weight.dtype)
            size = (channels, *columns.shape[3:])
            sums: Float = matrix @ columns.reshape(conv.groups, matrix.shape[2], -1)
            yield images, rows, sums.reshape(size)


def _windows(
    layer: Conv2d, kernel: tuple[int, int], shape: tuple[int, int, int], x: NDArray[Scalar]
) -> NDArray[Scalar]:
    """A view [channel, kernel row, kernel column, image, output row, output column] of `x`."""
    images, channels, *_ = x.shape
    per_image, per_channel, per_row, per_column = x.strides
    return np.lib.stride_tricks.as_strided(
        x,
        (channels, *kernel, images, *shape[1:]),
        (
            per_channel,
            per_row * layer.dilations[0],
            per_column * layer.dilations[1],
            per_image,
            per_row * layer.strides[0],
            per_column * layer.strides[1],
        ),
        writeable=False,
    )
