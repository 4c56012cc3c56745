# SPDX-License-Identifier: Apache-2.0
"""Writes single layers as ONNX nodes on real numbers; rounding and clamps are not their business.

The last node of a layer has the layer's name.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from flexcc.frontend.export_select import write_select
from flexcc.frontend.nodes import NodeWriter
from flexcc.frontend.transposed_weights import to_onnx
from flexcc.ir.functions import Apply, Expression, Number, Variable
from flexcc.ir.layers import (
    Add,
    AveragePool2d,
    ChannelMax,
    Concat,
    Convolution,
    ConvTranspose2d,
    DepthToSpace,
    Interpolate2d,
    Layer,
    LocalNorm,
    MaxPool2d,
    Mul,
    Pads,
    Select,
    SpaceToDepth,
    Table,
)
from flexcc.ir.types import Quantization, TensorType

__all__ = ["write_layer"]

# Of reductions, since this operator set.
_AXES_ARE_INPUTS = 18


def write_layer(
    writer: NodeWriter,
    layer: Layer,
    kinds: Sequence[TensorType],
    sources: Sequence[str],
    target: str,
) -> None:
    """Appends the nodes of `layer`, which read `sources`, of these kinds, and write `target`.

    Raises:
        TypeError: a source layer, which the passes should have lowered.
    """
    match layer:
        case Convolution():
            _convolution(writer, layer, kinds[0].quantization, sources[0], target)
        case MaxPool2d():
            writer.node(
                "MaxPool",
                sources,
                target,
                layer.name,
                kernel_shape=list(layer.kernel),
                strides=list(layer.strides),
                dilations=list(layer.dilations),
                pads=_pads(layer.pads),
            )
        case AveragePool2d():
            _average_pool(writer, layer, kinds[0], sources[0], target)
        case ChannelMax():
            _channel_max(writer, layer, sources[0], target)
        case Interpolate2d():
            _interpolate(writer, layer, kinds[0], sources[0], target)
        case LocalNorm(size=size, alpha=alpha, beta=beta, bias=bias):
            numbers = {"alpha": alpha, "beta": beta, "bias": bias}
            writer.node("LRN", sources, target, layer.name, size=size, **numbers)
        case Concat(axis=axis):
            writer.node("Concat", sources, target, layer.name, axis=1 + axis)
        case Select():
            write_select(writer, layer, kinds[0], sources[0], target)
        case DepthToSpace(block=block):
            writer.node("DepthToSpace", sources, target, layer.name, blocksize=block)
        case SpaceToDepth(block=block):
            writer.node("SpaceToDepth", sources, target, layer.name, blocksize=block)
        case Add(subtract=subtract):
            writer.node("Sub" if subtract else "Add", sources, target, layer.name)
        case Mul():
            writer.node("Mul", sources, target, layer.name)
        case Table():
            _function(writer, layer, sources[0], target)
        case _:
            raise TypeError(f"{layer.name}: {type(layer).__name__} has no canonical form")


def _convolution(
    writer: NodeWriter,
    conv: Convolution,
    quantization: Quantization | None,
    source: str,
    target: str,
) -> None:
    straight = target if conv.slope is None else writer.fresh(f"{target}.straight")
    extra = {}
    if isinstance(conv, ConvTranspose2d):
        extra["output_padding"] = list(conv.output_padding)
    writer.node(
        "ConvTranspose" if isinstance(conv, ConvTranspose2d) else "Conv",
        [source, *_parameters(writer, conv, quantization)],
        straight,
        conv.name,
        kernel_shape=list(conv.weight.shape[2:]),
        strides=list(conv.strides),
        dilations=list(conv.dilations),
        group=conv.groups,
        pads=_pads(conv.pads),
        **extra,
    )
    if conv.slope is None:
        return
    if (conv.slope == conv.slope[0]).all():
        alpha = float(conv.slope[0])
        writer.node("LeakyRelu", [straight], target, f"{conv.name}.slope", alpha=alpha)
    else:
        slope = writer.constant(f"{conv.name}.slope", conv.slope.reshape(-1, 1, 1))
        writer.node("PRelu", [straight, slope], target, f"{conv.name}.slope")


def _parameters(writer: NodeWriter, conv: Convolution, source: Quantization | None) -> list[str]:
    """Names of weights and bias, dequantised if they are integer."""
    transposed = isinstance(conv, ConvTranspose2d)
    values = to_onnx(conv.weight, conv.groups) if transposed else conv.weight
    weight = writer.constant(f"{conv.name}.weight", values)
    scale = conv.weight_scale
    if scale is None or source is None:
        return [weight, writer.constant(f"{conv.name}.bias", conv.bias)]
    own = _of_one_group(conv, scale) if transposed else scale
    result = [_dequantized(writer, weight, own, np.int8, axis=1 if transposed else 0)]
    if conv.bias.dtype == np.int32:
        bias = writer.constant(f"{conv.name}.bias", conv.bias)
        step = np.float32(source.scale) * scale
        return [*result, _dequantized(writer, bias, step, np.int32, axis=0)]
    real = (conv.bias * (np.float64(source.scale) * scale)).astype(np.float32)
    return [*result, writer.constant(f"{conv.name}.bias", real)]


def _dequantized(
    writer: NodeWriter,
    name: str,
    scale: NDArray[np.float32],
    kind: type[np.int8] | type[np.int32],
    *,
    axis: int,
) -> str:
    parameters = [
        writer.constant(f"{name}.scale", scale),
        writer.constant(f"{name}.zero_point", np.zeros(scale.shape, kind)),
    ]
    target = writer.fresh(f"{name}.dq")
    writer.node("DequantizeLinear", [name, *parameters], target, f"{name}.dequantize", axis=axis)
    return target


def _of_one_group(conv: Convolution, scale: NDArray[np.float32]) -> NDArray[np.float32]:
    """The weight scales of a transposed convolution, one per output channel of a group."""
    groups = np.reshape(scale, (conv.groups, -1))
    if (groups != groups[:1]).any():
        raise ValueError(f"{conv.name}: its groups do not share their weight scales, as in ONNX")
    first: NDArray[np.float32] = groups[0]
    return first


def _channel_max(writer: NodeWriter, layer: ChannelMax, source: str, target: str) -> None:
    if writer.opset < _AXES_ARE_INPUTS:
        writer.node("ReduceMax", [source], target, layer.name, axes=[1])
        return
    axes = writer.constant(f"{layer.name}.axes", np.array([1]))
    writer.node("ReduceMax", [source, axes], target, layer.name)


def _average_pool(
    writer: NodeWriter, pool: AveragePool2d, kind: TensorType, source: str, target: str
) -> None:
    pads, counted = pool.pads, pool.counted
    if pads == Pads() and pool.kernel == (kind.height, kind.width):
        writer.node("GlobalAveragePool", [source], target, pool.name)
        return
    if counted not in (Pads(), pads):
        # Some padding counts: it becomes pixels. The rest comes from ceil_mode.
        sides = np.array([0, 0, counted.top, counted.left, 0, 0, counted.bottom, counted.right])
        amounts = writer.constant(f"{pool.name}.counted", sides)
        wider = writer.fresh(f"{target}.padded")
        writer.node("Pad", [source, amounts], wider, f"{pool.name}.pad")
        source = wider
        pads = Pads(
            top=pads.top - counted.top,
            left=pads.left - counted.left,
            bottom=pads.bottom - counted.bottom,
            right=pads.right - counted.right,
        )
    writer.node(
        "AveragePool",
        [source],
        target,
        pool.name,
        kernel_shape=list(pool.kernel),
        strides=list(pool.strides),
        pads=_pads(pads),
        count_include_pad=int(counted == pads != Pads()),
    )


def _interpolate(
    writer: NodeWriter, layer: Interpolate2d, kind: TensorType, source: str, target: str
) -> None:
    sizes = writer.constant(
        f"{layer.name}.sizes", np.array([1, kind.channels, layer.height, layer.width])
    )
    writer.node(
        "Resize",
        [source, "", "", sizes],
        target,
        layer.name,
        mode="linear",
        coordinate_transformation_mode=layer.coordinates.value,
    )


def _function(writer: NodeWriter, table: Table, source: str, target: str) -> None:
    """A node per operator of the table's function, the arguments before their operator."""
    number = 0

    def write(expression: Expression, into: str | None) -> str:
        nonlocal number
        match expression:
            case Variable():
                return source
            case Number(value=value):
                return writer.constant(f"{table.name}.number", np.array(value, np.float32))
            case Apply(operator=operator, operands=operands, attributes=attributes):
                sources = [write(operand, None) for operand in operands]
                number += 1
                name = table.name if into else f"{table.name}.{number}"
                value_name = into or writer.fresh(f"{target}.{number}")
                writer.node(operator, sources, value_name, name, **dict(attributes))
                return value_name

    if not isinstance(table.function, Apply):
        raise TypeError(f"{table.name}: {table.function} is no function to be computed")
    write(table.function, target)


def _pads(pads: Pads) -> list[int]:
    return [pads.top, pads.left, pads.bottom, pads.right]
