# SPDX-License-Identifier: Apache-2.0
"""The baseline of measurements: what an array without tap lists computes, inserted zeros and all.

A dilated kernel becomes a larger one filled with zeros. A transposed convolution becomes one of
stride 1 over its input stuffed with zero points, as

    out[o] = sum over i, k with i*stride + k*dilation - pad = o of in[i] * w[k]
           = sum over k of stuffed[o + pad - k*dilation] * w[k]    where stuffed[i*stride] = in[i]

Sums, scales and biases are the same, and so is every byte; the cycles are those of all the zeros.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from flexcc.errors import InputError
from flexcc.ir.graph import Graph
from flexcc.ir.layers import Conv2d, ConvTranspose2d, Layer, Pads
from flexcc.ir.types import TensorType

__all__ = ["insert_zeros", "stuff", "stuff_inputs"]

_Weight = NDArray[np.float32] | NDArray[np.int8]


def insert_zeros(graph: Graph) -> Graph:
    """An integer graph of the same outputs without dilated or, but for stuffing, transposed layers.

    A tensor is stuffed by a transposed convolution, depthwise and 1x1 of weight 1 and scale 1: its
    outputs that nothing is added to are the zero point. There is one stuffed copy for each pair of
    strides. Other layers, and the names of all, stay.

    Raises:
        InputError: names every transposed convolution whose pads exceed the reach of its kernel,
            because no convolution has negative pads.
    """
    transposed = [layer for layer in graph.layers if isinstance(layer, ConvTranspose2d)]
    problems = [problem for layer in transposed if (problem := _problem(layer))]
    if problems:
        raise InputError("\n".join(problems))
    tensors = dict(graph.tensors)
    taken = {*tensors, *(layer.name for layer in graph.layers)}
    copies: dict[tuple[str, tuple[int, int]], str] = {}
    layers: list[Layer] = []
    for layer in graph.layers:
        match layer:
            case ConvTranspose2d(inputs=(source,), strides=strides):
                copy = source if strides == (1, 1) else copies.get((source, strides))
                if copy is None:
                    copy = _unused(f"{source}_stuffed_{strides[0]}x{strides[1]}", taken)
                    name = _unused(f"{copy}_zeros", taken)
                    layers.append(_stuffing(name, source, copy, tensors[source], strides))
                    tensors[copy] = _stuffed(tensors[source], strides)
                    copies[source, strides] = copy
                layers.append(_gathered(layer, copy))
            case Conv2d() if layer.dilations != (1, 1):
                layers.append(_filled(layer))
            case _:
                layers.append(layer)
    return replace(graph, layers=tuple(layers), tensors=tensors)


def stuff_inputs(graph: Graph) -> Graph:
    """A graph of `insert_zeros` in which inputs come stuffed, as `stuff` does it.

    An input that only one stuffing layer reads gives way to that layer's output, so that inserting
    zeros costs the accelerator nothing.
    """
    stuffed = {}
    for port in graph.inputs:
        match graph.users(port.tensor):
            case (ConvTranspose2d(output=output),) if not graph.is_output(port.tensor):
                stuffed[port.tensor] = output
    ports = []
    for port in graph.inputs:
        name = stuffed.get(port.tensor, port.tensor)
        type_ = graph.tensors[name]
        shape = (*port.onnx_shape[:-2], type_.height, type_.width)
        ports.append(port if name == port.tensor else replace(port, tensor=name, onnx_shape=shape))
    return replace(
        graph,
        inputs=tuple(ports),
        tensors={name: type_ for name, type_ in graph.tensors.items() if name not in stuffed},
        layers=tuple(layer for layer in graph.layers if layer.inputs[0] not in stuffed),
    )


def stuff(values: NDArray[np.int8], strides: tuple[int, int], zero_point: int) -> NDArray[np.int8]:
    """Pixels [..., H, W] `strides` apart with zero points between.

    The result is [..., (H-1)*sy + 1, (W-1)*sx + 1].
    """
    *leading, height, width = values.shape
    shape = (*leading, (height - 1) * strides[0] + 1, (width - 1) * strides[1] + 1)
    result = np.full(shape, zero_point, np.int8)
    result[..., :: strides[0], :: strides[1]] = values
    return result


def _problem(layer: ConvTranspose2d) -> str | None:
    reach = tuple((k - 1) * d for k, d in zip(layer.weight.shape[2:], layer.dilations, strict=True))
    (top, bottom), (left, right) = _gathering_pads(layer)
    if min(top, bottom, left, right) >= 0:
        return None
    pads = layer.pads
    return (
        f"{layer.name}: pads {(pads.top, pads.left, pads.bottom, pads.right)} exceed the reach "
        f"{reach} of its kernel, so that no convolution of stride 1 equals it; compile it without "
        "inserting zeros"
    )


def _gathering_pads(layer: ConvTranspose2d) -> Iterator[tuple[int, int]]:
    """Pads before and after, by axis, of the convolution over the stuffed input.

    Output padding adds outputs at the end, which read what lies behind the image.
    """
    pads = layer.pads
    for axis, (before, after) in enumerate(((pads.top, pads.bottom), (pads.left, pads.right))):
        reach = (layer.weight.shape[2 + axis] - 1) * layer.dilations[axis]
        yield reach - before, reach - after + layer.output_padding[axis]


def _gathered(layer: ConvTranspose2d, source: str) -> Conv2d:
    """The convolution of stride 1 over the stuffed input: its kernel is turned by 180 degrees."""
    (top, bottom), (left, right) = _gathering_pads(layer)
    return Conv2d(
        name=layer.name,
        inputs=(source,),
        output=layer.output,
        weight=_zero_filled(layer.weight[:, :, ::-1, ::-1], layer.dilations),
        weight_scale=layer.weight_scale,
        bias=layer.bias,
        pads=Pads(top=top, left=left, bottom=bottom, right=right),
        groups=layer.groups,
        clamp=layer.clamp,
        slope=layer.slope,
    )


def _filled(layer: Conv2d) -> Conv2d:
    return replace(layer, weight=_zero_filled(layer.weight, layer.dilations), dilations=(1, 1))


def _zero_filled(weight: _Weight, dilations: tuple[int, int]) -> _Weight:
    height, width = ((k - 1) * d + 1 for k, d in zip(weight.shape[2:], dilations, strict=True))
    result = np.zeros((*weight.shape[:2], height, width), weight.dtype)
    result[:, :, :: dilations[0], :: dilations[1]] = weight
    return result


def _stuffed(source: TensorType, strides: tuple[int, int]) -> TensorType:
    return replace(
        source,
        height=(source.height - 1) * strides[0] + 1,
        width=(source.width - 1) * strides[1] + 1,
    )


def _stuffing(
    name: str, source: str, output: str, type_: TensorType, strides: tuple[int, int]
) -> ConvTranspose2d:
    return ConvTranspose2d(
        name=name,
        inputs=(source,),
        output=output,
        weight=np.ones((type_.channels, 1, 1, 1), np.int8),
        weight_scale=np.ones(type_.channels, np.float32),
        bias=np.zeros(type_.channels, np.int32),
        strides=strides,
        groups=type_.channels,
    )


def _unused(wanted: str, taken: set[str]) -> str:
    """`wanted`, with a number when it is taken; taken from now on."""
    name, number = wanted, 1
    while name in taken:
        number += 1
        name = f"{wanted}_{number}"
    taken.add(name)
    return name
