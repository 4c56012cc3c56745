# SPDX-License-Identifier: Apache-2.0
"""Seeded random networks for tests."""

from collections.abc import Sequence
from dataclasses import fields, replace
from math import prod

import numpy as np
from numpy.typing import NDArray

from flexcc.ir.graph import Graph, Port
from flexcc.ir.layers import (
    Clamp,
    Conv2d,
    Convolution,
    ConvTranspose2d,
    Layer,
    MaxPool2d,
    Pads,
)
from flexcc.ir.shapes import extent, output_shape, window_misses_input
from flexcc.ir.types import Quantization, TensorType

__all__ = [
    "any_conv",
    "chain",
    "random_conv",
    "random_float_graph",
    "random_integer_graph",
    "random_pool",
    "tensor",
    "transposed",
]


def tensor(
    channels: int, height: int, width: int, scale: float | None = None, zero_point: int = 0
) -> TensorType:
    """A tensor type; quantised when a scale is given."""
    quantization = None
    if scale is not None:
        quantization = Quantization(scale=float(np.float32(scale)), zero_point=zero_point)
    return TensorType(channels=channels, height=height, width=width, quantization=quantization)


def random_conv(
    rng: np.random.Generator,
    name: str,
    source: tuple[str, TensorType],
    *,
    channels: int,
    kernel: tuple[int, int],
    **others: object,
) -> Conv2d:
    """A float convolution with normal weights; `others` are fields of Conv2d."""
    groups = others.get("groups", 1)
    assert isinstance(groups, int)
    shape = (channels, source[1].channels // groups, *kernel)
    gain = 1.0 / np.sqrt(np.prod(shape[1:]))
    conv = Conv2d(
        name=name,
        inputs=(source[0],),
        output=f"{name}_out",
        weight=rng.normal(scale=gain, size=shape).astype(np.float32),
        bias=rng.normal(scale=0.3, size=channels).astype(np.float32),
    )
    return replace(conv, **others)  # type: ignore[arg-type]


def transposed(conv: Conv2d, output_padding: tuple[int, int] = (0, 0)) -> ConvTranspose2d:
    """The transposed convolution of the same fields."""
    own = {field.name: getattr(conv, field.name) for field in fields(conv)}
    return ConvTranspose2d(**own, output_padding=output_padding)


def random_pool(rng: np.random.Generator, name: str, source: tuple[str, TensorType]) -> MaxPool2d:
    """A max pooling whose every window sees a pixel."""
    sizes = (source[1].height, source[1].width)
    while True:
        kernel, strides, dilations = (_pair(rng, 1, high) for high in (4, 4, 3))
        # ONNX Runtime wants less padding than kernel.
        sides = tuple((int(rng.integers(k)), int(rng.integers(k))) for k in kernel)
        (top, bottom), (left, right) = sides
        axes = list(zip(sizes, kernel, strides, dilations, sides, strict=True))
        if all(extent(*axis) > 0 and not window_misses_input(*axis) for axis in axes):
            return MaxPool2d(
                name=name,
                inputs=(source[0],),
                output=f"{name}_out",
                kernel=kernel,
                strides=strides,
                pads=Pads(top=top, left=left, bottom=bottom, right=right),
                dilations=dilations,
            )


def chain(source: TensorType, layers: Sequence[Layer], name: str = "net") -> Graph:
    """A float graph of `layers` in order, `x` in and the last output out; types follow."""
    types = {"x": source}
    for layer in layers:
        types[layer.output] = tensor(
            *output_shape(layer, [types[name] for name in layer.inputs], source)
        )
    last = layers[-1].output
    return Graph(
        name=name,
        inputs=(_port("x", source),),
        outputs=(_port(last, types[last]),),
        tensors=types,
        layers=tuple(layers),
    )


def random_float_graph(
    rng: np.random.Generator, depth: int = 4, *, transpose: bool = False
) -> Graph:
    """Convolutions of all kinds with all kinds of clamps, and poolings, in a chain.

    About half of the convolutions are transposed when asked for.
    """
    channels, height, width = (int(value) for value in rng.integers((1, 9, 9), (9, 20, 20)))
    source = ("x", tensor(channels, height, width))
    first, layers = source[1], list[Layer]()
    for index in range(depth):
        layer: Layer
        if index % 3 == 2 and min(source[1].height, source[1].width) > 1:
            layer = random_pool(rng, f"pool{index}", source)
        else:
            layer = any_conv(rng, f"conv{index}", source, transpose and rng.random() < 0.5)
        layers.append(layer)
        source = (layer.output, tensor(*output_shape(layer, [source[1]], source[1])))
    return chain(first, layers)


def random_integer_graph(
    rng: np.random.Generator, depth: int = 4, *, transpose: bool = False
) -> Graph:
    """The same with integers of int8's full range and scales that fill the outputs."""
    graph = random_float_graph(rng, depth, transpose=transpose)
    tensors = {"x": replace(graph.tensors["x"], quantization=_quantization(rng, 0.02))}
    layers = list[Layer]()
    for layer in graph.layers:
        quantization = tensors[layer.inputs[0]].quantization
        if isinstance(layer, Convolution):
            shape = layer.weight.shape
            quantization = _quantization(rng, 0.02 * 0.0015 * 94 * float(np.sqrt(prod(shape[1:]))))
            layers.append(
                replace(
                    layer,
                    weight=rng.integers(-128, 128, shape).astype(np.int8),
                    weight_scale=_weight_scale(rng, layer),
                    bias=rng.integers(-20000, 20000, shape[:1]).astype(np.int32),
                )
            )
        else:
            layers.append(layer)
        tensors[layer.output] = replace(graph.tensors[layer.output], quantization=quantization)
    return replace(graph, tensors=tensors, layers=tuple(layers))


def _weight_scale(rng: np.random.Generator, conv: Convolution) -> NDArray[np.float32]:
    """Random scales, which ONNX has the groups of a transposed convolution share."""
    sharing = conv.groups if isinstance(conv, ConvTranspose2d) else 1
    of_group = rng.uniform(0.001, 0.002, conv.weight.shape[0] // sharing)
    return np.tile(of_group, sharing).astype(np.float32)


def _quantization(rng: np.random.Generator, scale: float) -> Quantization:
    return Quantization(scale=float(np.float32(scale)), zero_point=int(rng.integers(-128, 128)))


def any_conv(
    rng: np.random.Generator, name: str, source: tuple[str, TensorType], transpose: bool
) -> Convolution:
    """A convolution, transposed or not, with everything random."""
    clamps = [Clamp(), Clamp(low=0.0), Clamp(low=0.0, high=1.0), Clamp(low=0.125, high=0.625)]
    divisors = [n for n in range(1, source[1].channels + 1) if source[1].channels % n == 0]
    groups = int(rng.choice(divisors))
    while True:
        kernel, strides, dilations = (_pair(rng, 1, high) for high in (5, 3, 3))
        conv = random_conv(
            rng,
            name,
            source,
            channels=groups * int(rng.integers(1, 5)),
            kernel=kernel,
            groups=groups,
            strides=strides,
            dilations=dilations,
            pads=Pads(**dict(zip(("top", "left", "bottom", "right"), _quad(rng, 3), strict=True))),
            clamp=clamps[int(rng.integers(len(clamps)))],
        )
        result: Convolution = conv
        if transpose:
            extra = int(rng.integers(strides[0])), int(rng.integers(strides[1]))
            result = transposed(conv, extra)
        try:
            output_shape(result, [source[1]], source[1])
        except ValueError:
            continue
        return result


def _port(name: str, shape: TensorType) -> Port:
    return Port(
        tensor=name, onnx_name=name, onnx_shape=(1, shape.channels, shape.height, shape.width)
    )


def _pair(rng: np.random.Generator, low: int, high: int) -> tuple[int, int]:
    return int(rng.integers(low, high)), int(rng.integers(low, high))


def _quad(rng: np.random.Generator, high: int) -> list[int]:
    return [int(value) for value in rng.integers(0, high, size=4)]
