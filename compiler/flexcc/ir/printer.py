# SPDX-License-Identifier: Apache-2.0
"""The canonical text of a graph: one line per layer, in order."""

import numpy as np
from numpy.typing import NDArray

from flexcc.ir.graph import Graph
from flexcc.ir.layers import (
    Add,
    ChannelAffine,
    Clamp,
    Clip,
    Conv2d,
    Convolution,
    ConvTranspose2d,
    Layer,
    MaxPool2d,
    Mul,
    Pads,
    PRelu,
    Reshape,
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
    return (
        f"lanes:{y.lanes}x{x.lanes},step:{y.step}x{x.step},distance:{y.distance}x{x.distance},"
        f"offset:{y.offset}x{x.offset},of:{whole.channels}x{whole.height}x{whole.width}"
    )


def _type(graph: Graph, tensor: str) -> str:
    return print_type(graph.tensors[tensor])


_KINDS: dict[type[Layer], str] = {
    Add: "add",
    ChannelAffine: "channel_affine",
    Clip: "clip",
    Conv2d: "conv2d",
    ConvTranspose2d: "conv_transpose2d",
    MaxPool2d: "max_pool2d",
    Mul: "mul",
    PRelu: "prelu",
    Reshape: "reshape",
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
        case Table(function=function):
            return [f"function={function}"]
        case PRelu(slope=slope):
            return _slope(slope)
        case Add(clamp=clamp) | Mul(clamp=clamp) | Clip(clamp=clamp):
            return _clamp(clamp)
    return []


def _window(kernel: tuple[int, int], layer: Convolution | MaxPool2d) -> list[str]:
    dilation = [f"dilation={_pair(layer.dilations)}"] if layer.dilations != (1, 1) else []
    return [
        f"kernel={_pair(kernel)}",
        f"stride={_pair(layer.strides)}",
        f"pad={_pads(layer.pads)}",
        *dilation,
    ]


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
