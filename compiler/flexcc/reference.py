# SPDX-License-Identifier: Apache-2.0
"""The golden model: runs a graph in numpy, bit-exact for integers, and knows no taps.

Integer convolutions are matrix products in floating point, of im2col or, transposed, of one kernel
element after the other: every partial sum is an integer below 2^24 (float32) or 2^53 (float64), so
each one is exact in any order.
"""

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from flexcc.ir.graph import Graph
from flexcc.ir.kernel import weight_sums
from flexcc.ir.layers import (
    ChannelAffine,
    Clamp,
    Clip,
    Conv2d,
    Convolution,
    ConvTranspose2d,
    Layer,
    MaxPool2d,
    Reshape,
)
from flexcc.ir.requantize import requantization, requantize, require_accumulators_fit
from flexcc.ir.shapes import output_shape
from flexcc.ir.types import TensorType

__all__ = ["accumulate", "run", "run_float", "run_layer"]

# im2col copies each pixel once per kernel element; what fits the cache runs three times as fast
# as chunks of 64 MB.
_CHUNK_BYTES = 4 << 20

Scalar = TypeVar("Scalar", bound=np.generic)
Float = NDArray[np.floating[Any]]


def run(graph: Graph, inputs: Mapping[str, NDArray[np.int8]]) -> dict[str, NDArray[np.int8]]:
    """All tensors [B,C,H,W] of an integer graph, given those of its inputs by tensor name.

    Raises:
        ValueError: an input is missing or unknown, or has another type or shape than the graph.
    """
    tensors = _checked(graph, inputs, np.dtype(np.int8))
    for layer in graph.layers:
        source = graph.tensors[layer.inputs[0]]
        tensors[layer.output] = run_layer(
            layer, source, graph.tensors[layer.output], tensors[layer.inputs[0]]
        )
    return tensors


def run_layer(
    layer: Layer, source: TensorType, target: TensorType, x: NDArray[np.int8]
) -> NDArray[np.int8]:
    """The output [B,C,H,W] of one integer layer for the input `x`."""
    shape = output_shape(layer, source, target)
    match layer:
        case Convolution():
            rq = requantization(layer, source, target)
            result = np.empty((x.shape[0], *shape), np.int8)
            for images, rows, acc in _accumulators(layer, source, shape, x):
                result[images, :, rows] = requantize(acc, rq).swapaxes(0, 1)
            return result
        case MaxPool2d():
            return _max_pool(layer, shape, x, np.int8(-128))
    raise TypeError(f"{layer.name}: the integer reference does not run {type(layer).__name__}")


def accumulate(conv: Convolution, source: TensorType, x: NDArray[np.int8]) -> NDArray[np.int64]:
    """The centred accumulators [B,Co,H,W] of an integer convolution, to which padding adds 0."""
    shape = output_shape(conv, source, source)
    result = np.empty((x.shape[0], *shape), np.int64)
    for images, rows, acc in _accumulators(conv, source, shape, x):
        result[images, :, rows] = acc.swapaxes(0, 1)
    return result


def run_float(
    graph: Graph, inputs: Mapping[str, NDArray[np.floating]]
) -> dict[str, NDArray[np.float64]]:
    """All tensors of a float graph, lowered or not, in float64.

    Raises:
        ValueError: an input is missing or unknown, or has another shape than the graph.
    """
    wide = {name: np.asarray(array, np.float64) for name, array in inputs.items()}
    tensors = _checked(graph, wide, np.dtype(np.float64))
    for layer in graph.layers:
        source, target = graph.tensors[layer.inputs[0]], graph.tensors[layer.output]
        shape = output_shape(layer, source, target)
        tensors[layer.output] = _run_float_layer(layer, shape, tensors[layer.inputs[0]])
    return tensors


def _run_float_layer(
    layer: Layer, shape: tuple[int, int, int], x: NDArray[np.float64]
) -> NDArray[np.float64]:
    match layer:
        case Convolution(weight=weight, bias=bias):
            result = np.empty((x.shape[0], *shape))
            chunks = _products(layer, shape, x, np.float64(0), weight.astype(np.float64))
            for images, rows, acc in chunks:
                result[images, :, rows] = (acc + bias[:, None, None, None]).swapaxes(0, 1)
            return _clamped(result, layer.clamp)
        case MaxPool2d():
            return _max_pool(layer, shape, x, np.float64(-np.inf))
        case Clip(clamp=clamp):
            return _clamped(x, clamp)
        case ChannelAffine(scale=scale, offset=offset):
            affine: NDArray[np.float64] = x * scale[:, None, None] + offset[:, None, None]
            return affine
        case Reshape():
            return x.reshape(x.shape[0], *shape)
    raise TypeError(f"{layer.name}: the float reference does not run {type(layer).__name__}")


def _clamped(x: NDArray[np.float64], clamp: Clamp) -> NDArray[np.float64]:
    low = -np.inf if clamp.low is None else clamp.low
    return np.clip(x, low, np.inf if clamp.high is None else clamp.high)


def _accumulators(
    conv: Convolution, source: TensorType, shape: tuple[int, int, int], x: NDArray[np.int8]
) -> Iterator[tuple[slice, slice, NDArray[np.int64]]]:
    """Exact centred accumulators [Co, images, rows, width], chunk by chunk."""
    if source.quantization is None:
        raise ValueError(f"{conv.name}: its input is not quantised")
    require_accumulators_fit(conv)  # 32 bits, far below the 2^53 that float64 counts to
    zero_point = source.quantization.zero_point
    values: NDArray[Any] = x
    if isinstance(conv, ConvTranspose2d):
        # Each output sums over pixels of its own; nothing but the centred ones suits them all.
        values, reach = x.astype(np.int16) - np.int16(zero_point), 255
        offset = np.zeros(shape[0], np.int64)
    else:
        reach = 128
        offset = zero_point * weight_sums(conv)
    largest = reach * int(np.abs(conv.weight.astype(np.int16)).sum(axis=(1, 2, 3)).max())
    weight: Float = conv.weight.astype(np.float32 if largest < 1 << 24 else np.float64)
    for images, rows, products in _products(conv, shape, values, np.int8(zero_point), weight):
        acc = products.astype(np.int64)
        acc -= offset[:, None, None, None]
        yield images, rows, acc


def _products(
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
    rows_at_once = min(height, max(1, _CHUNK_BYTES // row_bytes))
    images_at_once = max(1, _CHUNK_BYTES // (row_bytes * rows_at_once))
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
    rows_at_once = min(height, max(1, _CHUNK_BYTES // row_bytes))
    images_at_once = max(1, _CHUNK_BYTES // (row_bytes * rows_at_once))
    for image in range(0, x.shape[0], images_at_once):
        images = slice(image, min(image + images_at_once, x.shape[0]))
        windows = _windows(conv, (kh, kw), shape, _padded(conv, x[images], pad))
        for row in range(0, height, rows_at_once):
            rows = slice(row, min(row + rows_at_once, height))
            columns: Float = windows[:, :, :, :, rows].astype(weight.dtype)
            size = (channels, *columns.shape[3:])
            products: Float = matrix @ columns.reshape(conv.groups, matrix.shape[2], -1)
            yield images, rows, products.reshape(size)


def _padded(layer: Conv2d | MaxPool2d, x: NDArray[Scalar], value: Scalar) -> NDArray[Scalar]:
    pads = layer.pads
    return np.pad(
        x,
        ((0, 0), (0, 0), (pads.top, pads.bottom), (pads.left, pads.right)),
        constant_values=value,
    )


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


def _max_pool(
    pool: MaxPool2d, shape: tuple[int, int, int], x: NDArray[Scalar], lowest: Scalar
) -> NDArray[Scalar]:
    padded = _padded(pool, x, lowest)
    (_, height, width), (sy, sx), (ey, ex) = shape, pool.strides, pool.dilations
    result = np.full((x.shape[0], *shape), lowest)
    for dy in range(0, pool.kernel[0] * ey, ey):
        for dx in range(0, pool.kernel[1] * ex, ex):
            tap = padded[
                :, :, dy : dy + (height - 1) * sy + 1 : sy, dx : dx + (width - 1) * sx + 1 : sx
            ]
            np.maximum(result, tap, out=result)
    return result


def _checked(
    graph: Graph, inputs: Mapping[str, NDArray[Scalar]], dtype: np.dtype[Scalar]
) -> dict[str, NDArray[Scalar]]:
    wanted = {port.tensor for port in graph.inputs}
    if inputs.keys() != wanted:
        raise ValueError(f"the inputs are {sorted(wanted)}, not {sorted(inputs)}")
    batches = set()
    for name, array in inputs.items():
        tensor = graph.tensors[name]
        shape = (tensor.channels, tensor.height, tensor.width)
        if array.dtype != dtype or array.ndim != 4 or array.shape[1:] != shape:
            raise ValueError(
                f"%{name} is {array.dtype}{list(array.shape)}, not {dtype}{['B', *shape]}"
            )
        batches.add(array.shape[0])
    if len(batches) != 1:
        raise ValueError(f"the inputs hold different numbers of images: {sorted(batches)}")
    return dict(inputs)
