# SPDX-License-Identifier: Apache-2.0
"""The canonical text of a graph: one line per layer, in order."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from flexcc.ir.graph import Graph
from flexcc.ir.layers import (
    Add,
    AveragePool2d,
    ChannelAffine,
    ChannelMax,
    Clamp,
    Clip,
    Concat,
    Conv2d,
    Convolution,
    ConvTranspose2d,
    DepthToSpace,
    Interpolate2d,
    Layer,
    LocalNorm,
    MaxPool2d,
    Mul,
    Pads,
    PRelu,
    Rearrange,
    Reshape,
    Select,
    SpaceToDepth,
    Table,
)
from flexcc.ir.types import TensorType

__all__ = ["layer_kind", "print_graph", "print_layer", "print_packing", "print_type"]


def print_graph(graph: Graph) -> str:
    """The text of `graph`; weights are told by their shape only."""
    inputs = ", ".join(f"%{port.tensor} : {_type(graph, port.tensor)}" for port in graph.inputs)
    outputs = ", ".join(f"%{port.tensor}" for port in graph.outputs)
    lines = [f"  {print_layer(layer)} : {_type(graph, layer.output)}" for layer in graph.layers]
    return "\n".join([f"graph({inputs}) {{", *lines, f"  return {outputs}", "}"])


def print_layer(layer: Layer) -> str:
    """The text of a layer without the type of its output."""
    inputs = ", ".join(f"%{name}" for name in layer.inputs)
    head = f"%{layer.output} = {layer_kind(layer)}({inputs}) name={layer.name}"
    return " ".join([head, *_attributes(layer)])


def print_type(tensor: TensorType) -> str:
    """Element type, shape, quantisation and packing: `i8[1x8x4x4] scale=0.5 zero_point=-3`."""
    shape = f"1x{tensor.channels}x{tensor.height}x{tensor.width}"
    if tensor.quantization is None:
        return f"f32[{shape}]"
    quantization = tensor.quantization
    packing = "" if tensor.packing is None else f" packing={print_packing(tensor)}"
    return (
        f"i{quantization.bits}[{shape}] scale={quantization.scale:.9g} "
        f"zero_point={quantization.zero_point}{packing}"
    )


def print_packing(tensor: TensorType) -> str:
    """How a packed tensor holds the model's one: `block:2x2`, or lanes, step, distance, offset."""
    packing = tensor.packing
    if packing is None:
        return "none"
    y, x = packing.y, packing.x
    if packing.is_block:
        return f"block:{y.lanes}x{x.lanes}"
    whole = tensor.unpacked
    padding = "" if packing.padding is None else f",padding:{packing.padding}"
    return (
        f"lanes:{y.lanes}x{x.lanes},step:{y.step}x{x.step},distance:{y.distance}x{x.distance},"
        f"offset:{y.offset}x{x.offset},of:{whole.channels}x{whole.height}x{whole.width}"
        f"{padding}"
    )


def _type(graph: Graph, tensor: str) -> str:
    return print_type(graph.tensors[tensor])


_KINDS: dict[type[Layer], str] = {
    Add: "add",
    AveragePool2d: "average_pool2d",
    ChannelAffine: "channel_affine",
    ChannelMax: "channel_max",
    Clip: "clip",
    Concat: "concat",
    Conv2d: "conv2d",
    ConvTranspose2d: "conv_transpose2d",
    DepthToSpace: "depth_to_space",
    Interpolate2d: "interpolate2d",
    LocalNorm: "local_norm",
    MaxPool2d: "max_pool2d",
    Mul: "mul",
    PRelu: "prelu",
    Rearrange: "rearrange",
    Reshape: "reshape",
    Select: "select",
    SpaceToDepth: "space_to_depth",
    Table: "table",
}


def layer_kind(layer: Layer) -> str:
    """The name of the kind of layer: `conv2d`."""
    if isinstance(layer, Add) and layer.subtract:
        return "subtract"
    if type(layer) not in _KINDS:
        raise TypeError(f"no text for {type(layer).__name__}")
    return _KINDS[type(layer)]


def _attributes(layer: Layer) -> list[str]:
    match layer:
        case Convolution(weight=weight):
            window = _window((weight.shape[2], weight.shape[3]), layer)
            if isinstance(layer, ConvTranspose2d) and layer.output_padding != (0, 0):
                window.append(f"output_padding={_pair(layer.output_padding)}")
            groups = [f"groups={layer.groups}"] if layer.groups != 1 else []
            return [*window, *groups, *_slope(layer.slope), *_clamp(layer.clamp)]
        case MaxPool2d(kernel=kernel):
            return _window(kernel, layer)
        case AveragePool2d(kernel=kernel, counted=counted):
            count = [f"counted={_pads(counted)}"] if counted != Pads() else []
            return [*_window(kernel, layer), *count, *_clamp(layer.clamp)]
        case Interpolate2d(height=height, width=width, coordinates=coordinates):
            size = f"size={_pair((height, width))}"
            return [size, f"coordinates={coordinates.value}", *_clamp(layer.clamp)]
        case LocalNorm(size=size):
            numbers = {"alpha": layer.alpha, "beta": layer.beta, "bias": layer.bias}
            written = [f"{name}={number:.9g}" for name, number in numbers.items()]
            return [f"size={size}", *written, *_clamp(layer.clamp)]
        case Concat(axis=axis):
            return [f"axis={axis}"]
        case Select(channels=channels, rows=rows, columns=columns, fill=fill):
            axes = (("channels", channels), ("rows", rows), ("columns", columns))
            filled = [f"fill={fill:.9g}"] if -1 in (*channels, *rows, *columns) else []
            return [*(f"{name}={_indices(indices)}" for name, indices in axes), *filled]
        case DepthToSpace(block=block) | SpaceToDepth(block=block):
            return [f"block={block}"]
        case Table(function=function):
            return [f"function={function}"]
        case PRelu(slope=slope):
            return _slope(slope)
        case Add(clamp=clamp) | Mul(clamp=clamp) | Clip(clamp=clamp):
            return _clamp(clamp)
    return []


def _window(kernel: tuple[int, int], layer: Convolution | MaxPool2d | AveragePool2d) -> list[str]:
    dilations = (1, 1) if isinstance(layer, AveragePool2d) else layer.dilations
    dilation = [f"dilation={_pair(dilations)}"] if dilations != (1, 1) else []
    return [
        f"kernel={_pair(kernel)}",
        f"stride={_pair(layer.strides)}",
        f"pad={_pads(layer.pads)}",
        *dilation,
    ]


def _indices(indices: Sequence[int]) -> str:
    """Runs of equal steps: `0..3` or `8..0:-2`, a number alone, `2*3` for a repeated one."""
    runs: list[str] = []
    start = 0
    while start < len(indices):
        end = start + 1
        step = indices[end] - indices[start] if end < len(indices) else 0
        while end < len(indices) and indices[end] - indices[end - 1] == step:
            end += 1
        if end == start + 2 and step not in (0, 1):
            end = start + 1
        first, last = indices[start], indices[end - 1]
        if end == start + 1:
            runs.append(f"{first}")
        elif step == 0:
            runs.append(f"{first}*{end - start}")
        else:
            runs.append(f"{first}..{last}" + (f":{step}" if step != 1 else ""))
        start = end
    return ",".join(runs)


def _pair(values: tuple[int, int]) -> str:
    return f"{values[0]}" if values[0] == values[1] else f"{values[0]}x{values[1]}"


def _pads(pads: Pads) -> str:
    sides = (pads.top, pads.left, pads.bottom, pads.right)
    return f"{pads.top}" if len(set(sides)) == 1 else ",".join(map(str, sides))


def _slope(slope: NDArray[np.float32] | None) -> list[str]:
    """One number for all channels, or the range of theirs."""
    if slope is None:
        return []
    low, high = slope.min(), slope.max()
    return [f"slope={low:.9g}" if low == high else f"slope={low:.9g}..{high:.9g}"]


def _clamp(clamp: Clamp) -> list[str]:
    if clamp == Clamp():
        return []
    low = "-inf" if clamp.low is None else f"{clamp.low:.9g}"
    high = "inf" if clamp.high is None else f"{clamp.high:.9g}"
    return [f"clamp={low}..{high}"]
