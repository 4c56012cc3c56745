# SPDX-License-Identifier: Apache-2.0
"""Handlers of MaxPool, AveragePool and their global forms."""

from math import prod

import numpy as np

from flexcc.frontend.builder import GraphBuilder
from flexcc.frontend.node import Node, NodeError
from flexcc.frontend.values import Activation
from flexcc.frontend.window import Window, image_size, output_shape, take_kernel, take_window
from flexcc.ir.layers import AveragePool2d, Conv2d, MaxPool2d, Pads
from flexcc.ir.shapes import window_misses_input

__all__ = [
    "import_average_pool",
    "import_global_average_pool",
    "import_global_max_pool",
    "import_max_pool",
]


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
    window = take_window(node, kernel, source, ceil_mode=ceil_mode != 0)
    _require_pixels(window, source, Pads())
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


def import_average_pool(node: Node, build: GraphBuilder) -> Activation:
    """AveragePool over [1,C,H,W] or [1,C,L], with or without its padding in the divisor.

    With dilations it is a convolution, and all of its padding must count.
    """
    node.expect_inputs(1, 1)
    source = node.signal()
    kernel = take_kernel(node, len(source.shape) - 2)
    if kernel is None:
        raise NodeError("its kernel_shape is missing")
    ceil_mode = node.take_int("ceil_mode", 0)
    include = node.take_int("count_include_pad", 0)
    window = take_window(node, kernel, source, ceil_mode=ceil_mode != 0)
    _require_pixels(window, source, window.given if include else Pads())
    if any(k > 1 and d > 1 for k, d in zip(window.kernel, window.dilations, strict=True)):
        return _dilated_mean(node, build, source, window, window.given if include else Pads())
    pool = AveragePool2d(
        name=node.label,
        inputs=(source.tensor,),
        output=node.output,
        kernel=window.kernel,
        strides=window.strides,
        pads=window.pads,
        counted=window.given if include else Pads(),
    )
    node.finish()
    return build.add(pool, source, output_shape(source, source.shape[1], window.size), None)


def _dilated_mean(
    node: Node, build: GraphBuilder, source: Activation, window: Window, counted: Pads
) -> Activation:
    """A depthwise convolution whose weights are all one over their number."""
    if window.pads != counted:
        raise NodeError(
            f"its dilations {list(window.dilations)} are not supported with padding that does not "
            "count as pixels; set count_include_pad, or pad by a layer of its own"
        )
    channels = source.shape[1]
    ones, part = np.ones((channels, 1, *window.kernel)), 1 / prod(window.kernel)
    integer = source.quantization is not None
    conv = Conv2d(
        name=node.label,
        inputs=(source.tensor,),
        output=node.output,
        weight=ones.astype(np.int8) if integer else (ones * part).astype(np.float32),
        weight_scale=np.full(channels, part, np.float32) if integer else None,
        bias=np.zeros(channels, np.int32) if integer else np.zeros(channels, np.float32),
        strides=window.strides,
        pads=window.pads,
        dilations=window.dilations,
        groups=channels,
    )
    node.finish()
    return build.add(conv, source, output_shape(source, channels, window.size), None)


def import_global_average_pool(node: Node, build: GraphBuilder) -> Activation:
    """GlobalAveragePool over [1,C,H,W] or [1,C,L]."""
    node.expect_inputs(1, 1)
    source = node.signal()
    pool = AveragePool2d(
        name=node.label,
        inputs=(source.tensor,),
        output=node.output,
        kernel=image_size(source),
        strides=(1, 1),
    )
    node.finish()
    return build.add(pool, source, output_shape(source, source.shape[1], (1, 1)), None)


def import_global_max_pool(node: Node, build: GraphBuilder) -> Activation:
    """GlobalMaxPool over [1,C,H,W] or [1,C,L]."""
    node.expect_inputs(1, 1)
    source = node.signal()
    pool = MaxPool2d(
        name=node.label,
        inputs=(source.tensor,),
        output=node.output,
        kernel=image_size(source),
        strides=(1, 1),
    )
    node.finish()
    shape = output_shape(source, source.shape[1], (1, 1))
    return build.add(pool, source, shape, source.quantization)


def _require_pixels(window: Window, source: Activation, counted: Pads) -> None:
    """Refuses windows over nothing but padding, except that which counts as pixels."""
    pads = window.pads
    height, width = image_size(source)
    sizes = height + counted.top + counted.bottom, width + counted.left + counted.right
    outer = (
        (pads.top - counted.top, pads.bottom - counted.bottom),
        (pads.left - counted.left, pads.right - counted.right),
    )
    for axis in zip(sizes, window.kernel, window.strides, window.dilations, outer, strict=True):
        if window_misses_input(*axis):
            raise NodeError("one of its windows covers nothing but padding")
