# SPDX-License-Identifier: Apache-2.0
"""Chains of square convolutions as integer graphs with seeded random weights."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod, sqrt

import numpy as np
from numpy.typing import NDArray

from flexcc.ir import Conv2d, ConvTranspose2d, Graph, Pads, Port, Quantization, TensorType
from flexcc.ir.layers import Convolution

__all__ = ["Square", "chain", "pixels"]

_QUANTIZATION = Quantization(scale=0.0625, zero_point=-5)
# The spread of a uniform int8, and the one that outputs are to have.
_INT8_SPREAD, _OUTPUT_SPREAD = 74, 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Square:
    """A convolution padded so that the stride alone changes the size of the image.

    It divides by the stride, rounding up; transposed, with a kernel of at least the stride and no
    dilation, it multiplies.
    """

    name: str
    kernel: int
    outputs: int
    stride: int = 1
    dilation: int = 1
    transposed: bool = False


def chain(name: str, source: tuple[int, int, int], squares: Sequence[Square], seed: int) -> Graph:
    """The layers in order, from the input `x` of `source` [C, H, W] on; the last one's is `y`."""
    rng = np.random.default_rng(seed)
    channels, height, width = source
    types = {
        "x": TensorType(channels=channels, height=height, width=width, quantization=_QUANTIZATION)
    }
    tensor, layers = "x", []
    for square in squares:
        output = "y" if square is squares[-1] else f"{square.name}_out"
        here = types[tensor]
        conv = _conv(rng, square, tensor, here.channels, output)
        layers.append(_place(conv, square, (here.height, here.width)))
        types[output] = _grown(here, square)
        tensor = output
    return Graph(
        name=name,
        inputs=(_port("x", types["x"]),),
        outputs=(_port("y", types["y"]),),
        tensors=types,
        layers=tuple(layers),
    )


def pixels(graph: Graph, seed: int) -> NDArray[np.int8]:
    """A random image [C, H, W] for a chain."""
    x = graph.tensors["x"]
    shape = (x.channels, x.height, x.width)
    return np.random.default_rng(seed).integers(-128, 128, shape, np.int8)


def _conv(
    rng: np.random.Generator, square: Square, source: str, inputs: int, output: str
) -> Conv2d:
    shape = (square.outputs, inputs, square.kernel, square.kernel)
    # An output of a transposed layer sums over a share of the kernel.
    share = square.stride**2 if square.transposed else 1
    scale = _OUTPUT_SPREAD / (_INT8_SPREAD**2 * sqrt(prod(shape[1:]) / share))
    return Conv2d(
        name=square.name,
        inputs=(source,),
        output=output,
        weight=rng.integers(-128, 128, shape, np.int8),
        weight_scale=(rng.uniform(0.5, 1.5, square.outputs) * scale).astype(np.float32),
        bias=rng.integers(-3000, 3000, square.outputs, np.int32),
    )


def _place(conv: Conv2d, square: Square, size: tuple[int, int]) -> Convolution:
    """The convolution with its geometry on an input of `size`."""
    if square.transposed:
        both = square.kernel - square.stride
        return ConvTranspose2d(
            name=conv.name,
            inputs=conv.inputs,
            output=conv.output,
            weight=conv.weight,
            weight_scale=conv.weight_scale,
            bias=conv.bias,
            strides=(square.stride, square.stride),
            pads=_pads(both, both),
        )
    reach = (square.kernel - 1) * square.dilation + 1
    height, width = (
        max((-(-side // square.stride) - 1) * square.stride + reach - side, 0) for side in size
    )
    return replace(
        conv,
        strides=(square.stride, square.stride),
        dilations=(square.dilation, square.dilation),
        pads=_pads(height, width),
    )


def _pads(height: int, width: int) -> Pads:
    """So many pixels of padding along each axis, an odd one after the image."""
    return Pads(
        top=height // 2, left=width // 2, bottom=height - height // 2, right=width - width // 2
    )


def _grown(source: TensorType, square: Square) -> TensorType:
    height, width = (
        side * square.stride if square.transposed else -(-side // square.stride)
        for side in (source.height, source.width)
    )
    return replace(source, channels=square.outputs, height=height, width=width)


def _port(tensor: str, type_: TensorType) -> Port:
    shape = (1, type_.channels, type_.height, type_.width)
    return Port(tensor=tensor, onnx_name=tensor, onnx_shape=shape)
