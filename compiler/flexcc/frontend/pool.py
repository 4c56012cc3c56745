# SPDX-License-Identifier: Apache-2.0
"""Handler of MaxPool."""

from flexcc.frontend.builder import GraphBuilder
from flexcc.frontend.node import Node, NodeError
from flexcc.frontend.values import Activation
from flexcc.frontend.window import image_size, output_shape, take_kernel, take_window
from flexcc.ir.layers import MaxPool2d
from flexcc.ir.shapes import window_misses_input

__all__ = ["import_max_pool"]


def import_max_pool(node: Node, build: GraphBuilder) -> Activation:
    """MaxPool over [1,C,H,W] or [1,C,L]: every attribute that ONNX defines; no indices.

    The maximum of dequantised integers is one of them, so the output is quantised as the input.
    """
    node.expect_inputs(1, 1)
    source = node.signal()
    kernel = take_kernel(node, len(source.shape) - 2)
    if kernel is None:
        raise NodeError("its kernel_shape is missing")
    ceil_mode = node.take_int("ceil_mode", 0)
    # The order of the indices output, which `finish` refuses when somebody uses it.
    node.take_int("storage_order", 0)
    image = image_size(source)
    window = take_window(node, kernel, source, ceil_mode=ceil_mode != 0)
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
    return build.add(
        pool, source, output_shape(source, source.shape[1], window.size), source.quantization
    )
