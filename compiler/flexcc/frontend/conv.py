# SPDX-License-Identifier: Apache-2.0
"""Handlers of Conv and ConvTranspose."""

import numpy as np

from flexcc.frontend.builder import GraphBuilder
from flexcc.frontend.node import Node, NodeError
from flexcc.frontend.parameters import Weights, read_bias, read_weights, value_rank
from flexcc.frontend.transposed_weights import from_onnx
from flexcc.frontend.transposed_window import take_transposed_window
from flexcc.frontend.values import Activation, Constant, QuantizedConstant, Shape
from flexcc.frontend.volume import plane_weights
from flexcc.frontend.wide_weights import with_narrow_weights
from flexcc.frontend.window import (
    Values,
    Window,
    lifted,
    output_shape,
    take_kernel,
    take_window,
)
from flexcc.ir.layers import Conv2d, ConvTranspose2d

__all__ = ["import_conv", "import_conv_transpose"]

_RANK_MAX = 5


def import_conv(node: Node, build: GraphBuilder) -> Activation:
    """Conv over [1,C,D,H,W], [1,C,H,W] or [1,C,L] with constant weights: every attribute of ONNX.

    From D planes to Do, Co*Do * C*D/group * kh*kw, the weights by plane, must not exceed 2^26.
    """
    source = _source(node)
    weights = read_weights(node, 1, source)
    channels, per_group = weights.values.shape[:2]
    groups = node.take_int("group", 1)
    if groups < 1 or channels % groups or per_group * groups != source.shape[1]:
        raise _misfit(weights, groups, source)
    window = take_window(node, _kernel(node, weights), source)
    planes = plane_weights(weights, read_bias(node, 2, source, weights), window, source)
    node.finish()
    operand, weight = with_narrow_weights(build, node.label, source, planes.weight, groups)
    conv = Conv2d(
        name=node.label,
        inputs=(operand.tensor,),
        output=node.output,
        weight=weight,
        weight_scale=planes.weight_scale,
        bias=planes.bias,
        strides=window.strides,
        pads=window.pads,
        dilations=window.dilations,
        groups=groups,
        cost=planes.cost,
    )
    return build.add(conv, operand, _output_shape(source, channels, window), None)


def import_conv_transpose(node: Node, build: GraphBuilder) -> Activation:
    """ConvTranspose over [1,C,D,H,W], [1,C,H,W] or [1,C,L] with constant weights [Ci,Co/group,...].

    Quantised weights have one scale, or one per output channel of a group: axis 1.
    """
    source = _source(node)
    weights = read_weights(node, 1, source, channel_axis=1, move_channels=False)
    inputs, per_group = weights.values.shape[:2]
    groups = node.take_int("group", 1)
    if groups < 1 or inputs != source.shape[1] or inputs % groups:
        raise _misfit(weights, groups, source)
    channels, kernel = per_group * groups, _kernel(node, weights)
    weights = Weights(
        values=from_onnx(weights.values, groups),
        scale=None if weights.scale is None else np.tile(weights.scale, groups),
    )
    window, output_padding = take_transposed_window(node, kernel, source)
    bias = read_bias(node, 2, source, weights)
    planes = plane_weights(weights, bias, window, source, transposed=True)
    node.finish()
    operand, weight = with_narrow_weights(build, node.label, source, planes.weight, groups)
    conv = ConvTranspose2d(
        name=node.label,
        inputs=(operand.tensor,),
        output=node.output,
        weight=weight,
        weight_scale=planes.weight_scale,
        bias=planes.bias,
        strides=window.strides,
        pads=window.pads,
        dilations=window.dilations,
        groups=groups,
        output_padding=output_padding,
        cost=planes.cost,
    )
    return build.add(conv, operand, _output_shape(source, channels, window), None)


def _source(node: Node) -> Activation:
    """The input, whose rank the weights share."""
    node.expect_inputs(2, 3)
    weights = node.inputs[1]
    if isinstance(weights, Constant | QuantizedConstant) and value_rank(weights) > _RANK_MAX:
        raise NodeError(
            f"a convolution over {value_rank(weights) - 2} dimensions is not supported, only over "
            "one ([1,C,L]), two ([1,C,H,W]) or three ([1,C,D,H,W])"
        )
    source = node.signal(volumes=True)
    rank = value_rank(node.parameter(1))
    if rank != len(source.shape):
        raise NodeError(
            f"its input has shape {list(source.shape)}, but its weights have rank {rank}"
        )
    return source


def _kernel(node: Node, weights: Weights) -> Values:
    size = weights.values.shape[2:]
    given = take_kernel(node, len(size))
    kernel = lifted(size, 1)
    if given is not None and given != kernel:
        shown = list(given[-len(size) :])
        raise NodeError(f"its kernel_shape {shown} contradicts its weights of {_times(size)}")
    return kernel


def _output_shape(source: Activation, channels: int, window: Window) -> Shape:
    if window.depth is None:
        return output_shape(source, channels, window.size)
    return 1, channels, window.depth.size, *window.size


def _misfit(weights: Weights, groups: int, source: Activation) -> NodeError:
    return NodeError(
        f"its weights {list(weights.values.shape)} in {groups} groups do not fit an input of "
        f"{source.shape[1]} channels"
    )


def _times(size: tuple[int, ...]) -> str:
    return "x".join(map(str, size))
