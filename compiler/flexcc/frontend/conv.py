# SPDX-License-Identifier: Apache-2.0
"""Handler of Conv."""

from flexcc.frontend.builder import GraphBuilder
from flexcc.frontend.node import Node, NodeError
from flexcc.frontend.parameters import read_bias, read_weights
from flexcc.frontend.values import Activation
from flexcc.frontend.window import take_window
from flexcc.ir.layers import Conv2d

__all__ = ["import_conv"]


def import_conv(node: Node, build: GraphBuilder) -> Activation:
    """Conv over images with constant weights: any strides, pads, auto_pad, dilations, groups."""
    node.expect_inputs(2, 3)
    source = node.image()
    weights = read_weights(node, 1, source)
    if weights.values.ndim != 4:
        raise NodeError(f"its weights have shape {list(weights.values.shape)}, not 4 dimensions")
    channels, per_group, kh, kw = weights.values.shape
    groups = node.take_int("group", 1)
    if groups < 1 or channels % groups or per_group * groups != source.shape[1]:
        raise NodeError(
            f"its weights {list(weights.values.shape)} in {groups} groups do not fit an input of "
            f"{source.shape[1]} channels"
        )
    kernel = node.take_ints("kernel_shape")
    if kernel is not None and kernel != [kh, kw]:
        raise NodeError(f"its kernel_shape {kernel} contradicts its weights of {kh}x{kw}")
    window = take_window(node, (kh, kw), (source.shape[2], source.shape[3]))
    conv = Conv2d(
        name=node.label,
        inputs=(source.tensor,),
        output=node.output,
        weight=weights.values,
        weight_scale=weights.scale,
        bias=read_bias(node, 2, source, weights),
        strides=window.strides,
        pads=window.pads,
        dilations=window.dilations,
        groups=groups,
    )
    node.finish()
    return build.add(conv, source, (1, channels, *window.size), None)
