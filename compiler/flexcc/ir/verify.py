# SPDX-License-Identifier: Apache-2.0
"""The invariants of a graph, checked after import and after every pass."""

from collections.abc import Iterator
from math import prod

import numpy as np
from numpy.typing import NDArray

from flexcc.ir.graph import Graph, Port
from flexcc.ir.layers import (
    ChannelAffine,
    Clamp,
    Clip,
    Convolution,
    ConvTranspose2d,
    Layer,
    MaxPool2d,
    SourceLayer,
)
from flexcc.ir.shapes import output_shape, window_misses_input
from flexcc.ir.types import Quantization, TensorType

__all__ = ["VerifyError", "verify"]


class VerifyError(Exception):
    """A graph breaks its own rules: a fault of the compiler, never of its user."""


def verify(graph: Graph) -> None:
    """Checks every invariant of `graph`.

    Names are unique, tensors have one producer that stands before their users, shapes follow from
    the layers, numbers are finite, and quantisation is all or nothing: once one tensor is
    quantised, each one is, except where only source layers read it.

    Raises:
        VerifyError: names all violations, a line each.
    """
    problems = [
        *_names(graph),
        *_order(graph),
        *(f"{port.onnx_name}: {problem}" for port, problem in _ports(graph)),
        *(f"%{name}: {problem}" for name, problem in _tensors(graph)),
    ]
    # The rest reads types and weights through the names that were just checked.
    if not problems:
        problems = [f"{layer.name}: {problem}" for layer, problem in _layers(graph)]
        problems += _quantization_of(graph)
    if problems:
        raise VerifyError("\n".join([f"graph {graph.name} is not valid:", *problems]))


def _names(graph: Graph) -> Iterator[str]:
    names = [layer.name for layer in graph.layers]
    yield from (f"{name}: {names.count(name)} layers have this name" for name in _repeated(names))
    if not all(names):
        yield "a layer has no name"
    for kind, ports in (("input", graph.inputs), ("output", graph.outputs)):
        if not ports:
            yield f"there is no {kind}"
        repeated = _repeated([port.onnx_name for port in ports])
        yield from (f"{name}: two {kind}s have this name" for name in repeated)
    yield from (
        f"%{name}: it is the tensor of two inputs"
        for name in _repeated([port.tensor for port in graph.inputs])
    )


def _repeated(names: list[str]) -> list[str]:
    return sorted({name for name in names if names.count(name) > 1})


def _order(graph: Graph) -> Iterator[str]:
    written = {port.tensor for port in graph.inputs}
    for layer in graph.layers:
        if len(layer.inputs) != 1:
            yield f"{layer.name}: it has {len(layer.inputs)} inputs, not one"
        for name in layer.inputs:
            if name not in written:
                yield f"{layer.name}: it reads %{name} before anything writes it"
        if layer.output in written:
            yield f"{layer.name}: it writes %{layer.output}, which is written already"
        written.add(layer.output)
    for port in graph.outputs:
        if port.tensor not in written:
            yield f"{port.onnx_name}: nothing writes its tensor %{port.tensor}"
    yield from (f"%{name}: it has no type" for name in sorted(written - graph.tensors.keys()))
    yield from (f"%{name}: nothing writes it" for name in sorted(graph.tensors.keys() - written))


def _ports(graph: Graph) -> Iterator[tuple[Port, str]]:
    for port in (*graph.inputs, *graph.outputs):
        tensor = graph.tensors.get(port.tensor)
        if port.axes is not None:
            if port.axes[:1] != (0,) or sorted(port.axes) != [0, 1, 2, 3]:
                yield port, f"its axes {port.axes} are no order of [1,C,H,W]"
            elif tensor and port.onnx_shape != tuple(
                (1, tensor.channels, tensor.height, tensor.width)[axis] for axis in port.axes
            ):
                yield port, f"its shape {port.onnx_shape} is not %{port.tensor} in its order"
        elif tensor and prod(port.onnx_shape) != tensor.channels * tensor.height * tensor.width:
            yield port, f"its shape {port.onnx_shape} does not hold the values of %{port.tensor}"


def _tensors(graph: Graph) -> Iterator[tuple[str, str]]:
    for name, tensor in graph.tensors.items():
        if min(tensor.channels, tensor.height, tensor.width) < 1:
            yield name, "a dimension is not positive"
        if tensor.quantization is not None:
            yield from ((name, problem) for problem in _quantization(tensor.quantization))


def _quantization(value: Quantization) -> Iterator[str]:
    if not -128 <= value.zero_point <= 127:
        yield f"its zero point {value.zero_point} is no int8"
    with np.errstate(over="ignore"):
        rounded = float(np.float32(value.scale))
    if not (np.isfinite(value.scale) and value.scale > 0 and rounded == value.scale):
        yield f"its scale {value.scale} is no positive float32"


def _layers(graph: Graph) -> Iterator[tuple[Layer, str]]:
    for layer in graph.layers:
        source, target = graph.tensors[layer.inputs[0]], graph.tensors[layer.output]
        problems = list(_layer(layer, source, target))
        if not problems:
            try:
                shape = output_shape(layer, source, target)
            except ValueError as error:
                problems = [str(error)]
            else:
                if shape != (target.channels, target.height, target.width):
                    problems = [f"it computes the shape {shape}, but %{layer.output} has another"]
        if not problems and isinstance(layer, MaxPool2d):
            problems = list(_pool_windows(layer, source))
        yield from ((layer, problem) for problem in problems)


def _layer(layer: Layer, source: TensorType, target: TensorType) -> Iterator[str]:
    match layer:
        case Convolution():
            yield from _window(layer)
            yield from _conv(layer)
            if isinstance(layer, ConvTranspose2d) and min(layer.output_padding) < 0:
                yield f"its output padding {layer.output_padding} holds a negative value"
            yield from _clamp(layer.clamp)
            if (source.quantization is None) != (layer.weight_scale is None):
                yield "its input and its weights are not both quantised or both float"
        case MaxPool2d():
            yield from _window(layer)
            if min(layer.kernel) < 1:
                yield f"its kernel {layer.kernel} is not positive"
            if source.quantization != target.quantization:
                yield "its input and output do not share one quantisation"
        case Clip():
            yield from _clamp(layer.clamp)
        case ChannelAffine():
            yield from _vector("scale", layer.scale, np.float64)
            yield from _vector("offset", layer.offset, np.float64, layer.scale.size)


def _window(layer: Convolution | MaxPool2d) -> Iterator[str]:
    if min(*layer.strides, *layer.dilations) < 1:
        yield f"strides {layer.strides} and dilations {layer.dilations} must be positive"
    pads = layer.pads
    if min(pads.top, pads.left, pads.bottom, pads.right) < 0:
        yield f"{pads} holds a negative value"


def _pool_windows(layer: MaxPool2d, source: TensorType) -> Iterator[str]:
    pads = ((layer.pads.top, layer.pads.bottom), (layer.pads.left, layer.pads.right))
    for axis, size in enumerate((source.height, source.width)):
        kernel, stride, dilation = layer.kernel[axis], layer.strides[axis], layer.dilations[axis]
        if window_misses_input(size, kernel, stride, dilation, pads[axis]):
            yield "one of its windows covers nothing but padding"


def _conv(layer: Convolution) -> Iterator[str]:
    weight, scale = layer.weight, layer.weight_scale
    if weight.ndim != 4 or 0 in weight.shape:
        yield f"its weights have shape {weight.shape}, not [Co, Ci/groups, kh, kw]"
        return
    channels = weight.shape[0]
    if layer.groups < 1 or channels % layer.groups:
        yield f"{channels} output channels do not divide into {layer.groups} groups"
    dtype = np.float32 if scale is None else np.int8
    if weight.dtype != dtype:
        yield f"its weights are {weight.dtype}, not {np.dtype(dtype)}"
    elif not np.isfinite(weight).all():
        yield "a weight is not finite"
    if scale is None:
        yield from _vector("bias", layer.bias, np.float32, channels)
        return
    yield from _vector("weight scale", scale, np.float32, channels)
    if not (scale > 0).all():
        yield "a weight scale is not positive"
    exact = layer.bias.dtype == np.float64
    yield from _vector("bias", layer.bias, np.float64 if exact else np.int32, channels)


def _vector(
    what: str, values: NDArray[np.generic], dtype: type[np.generic], size: int | None = None
) -> Iterator[str]:
    if values.dtype != dtype:
        yield f"its {what} is {values.dtype}, not {np.dtype(dtype)}"
    elif values.ndim != 1 or values.size != (values.size if size is None else size):
        yield f"its {what} has shape {values.shape}, not one value per channel"
    elif not np.isfinite(values).all():
        yield f"its {what} is not finite"


def _clamp(clamp: Clamp) -> Iterator[str]:
    bounds = [bound for bound in (clamp.low, clamp.high) if bound is not None]
    if not all(np.isfinite(bound) for bound in bounds) or bounds != sorted(bounds):
        yield f"{clamp} is no interval"


def _quantization_of(graph: Graph) -> Iterator[str]:
    if all(tensor.quantization is None for tensor in graph.tensors.values()):
        return
    for name, tensor in graph.tensors.items():
        read_by_source_layers_only = (
            not graph.is_output(name)
            and graph.users(name)
            and all(isinstance(user, SourceLayer) for user in graph.users(name))
        )
        if tensor.quantization is None and not read_by_source_layers_only:
            yield f"%{name}: it is not quantised, but other tensors are"
