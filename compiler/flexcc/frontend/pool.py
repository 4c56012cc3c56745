# SPDX-License-Identifier: Apache-2.0
"""Handler of MaxPool."""

from flexcc.frontend.builder import GraphBuilder
from flexcc.frontend.node import Node, NodeError
from flexcc.frontend.values import Activation
from flexcc.frontend.window import take_window
from flexcc.ir.layers import MaxPool2d
from flexcc.ir.shapes import window_misses_input

__all__ = ["import_max_pool"]


def import_max_pool(node: Node, build: GraphBuilder) -> Activation:
    """MaxPool over images: any strides, pads, auto_pad, dilations, ceil_mode; no indices.

    The maximum of dequantised integers is one of them, so the output is quantised as the input.
    """
    node.expect_inputs(1, 1)
    source = node.image()
    kernel = node.take_ints("kernel_shape")
    if kernel is None or len(kernel) != 2:
        raise NodeError("its kernel_shape must have two values")
    ceil_mode = node.take_int("ceil_mode", 0)
    # The order of the indices output, which `finish` refuses when somebody uses it.
    node.take_int("storage_order", 0)
    image = source.shape[2], source.shape[3]
    window = take_window(node, (kernel[0], kernel[1]), image, ceil_mode=ceil_mode != 0)
    pads = (window.pads.top, window.pads.bottom), (window.pads.left, window.pads.right)
    for axis in zip(image, window.kernel, window.strides, window.dilations, pads, strict=True):
        if window_misses_input(*axis):
            raise NodeError("one of its windows covers nothing but padding")
    pool = MaxPool2d(
        name=node.label,
        inputs=(source.tensor,),
        output=node.output,
        kernel=window.kernel,
        strides=window.strides,
        pads=window.pads,
        dilations=window.dilations,
    )
    node.finish()
    return build.add(pool, source, (1, source.shape[1], *window.size), source.quantization)
