# SPDX-License-Identifier: Apache-2.0
"""Handlers of ReduceMean and ReduceMax over channels or pixels."""

from dataclasses import replace
from math import prod

import numpy as np

from flexcc.frontend.builder import GraphBuilder
from flexcc.frontend.image import add_image, image_axis, sizes_of, whole_numbers
from flexcc.frontend.node import Node, NodeError
from flexcc.frontend.reshape import reshaped
from flexcc.frontend.values import Activation
from flexcc.ir.layers import AveragePool2d, ChannelMax, Conv2d, Layer, MaxPool2d

__all__ = ["import_reduce_max", "import_reduce_mean"]


def import_reduce_mean(node: Node, build: GraphBuilder) -> Activation:
    """ReduceMean: over pixels an average pooling, over channels a convolution."""
    source, axes, keep = _take(node)
    inside = _image_axes(source, axes)
    if not inside:
        return _dropped(node, build, source, axes, keep)
    sizes = sizes_of(build, source)
    kernel = _kernel(sizes, inside)
    layer: Layer
    if 0 in inside:
        layer = _mean_of_channels(node, source, (1, sizes[0], *kernel))
    else:
        layer = AveragePool2d(
            name=node.label,
            inputs=(source.tensor,),
            output=node.output,
            kernel=kernel,
            strides=(1, 1),
        )
    result = add_image(build, layer, source, _reduced(sizes, inside), None)
    return _dropped(node, build, result, axes, keep)


def import_reduce_max(node: Node, build: GraphBuilder) -> Activation:
    """ReduceMax: over pixels a max pooling, or over channels."""
    source, axes, keep = _take(node)
    inside = _image_axes(source, axes)
    if not inside:
        return _dropped(node, build, source, axes, keep)
    sizes = sizes_of(build, source)
    layer: Layer
    if inside == {0}:
        layer = ChannelMax(name=node.label, inputs=(source.tensor,), output=node.output)
    elif 0 in inside:
        raise NodeError("over channels and pixels at once it is not supported; take two of them")
    else:
        layer = MaxPool2d(
            name=node.label,
            inputs=(source.tensor,),
            output=node.output,
            kernel=_kernel(sizes, inside),
            strides=(1, 1),
        )
    result = add_image(build, layer, source, _reduced(sizes, inside), source.quantization)
    return _dropped(node, build, result, axes, keep)


def _take(node: Node) -> tuple[Activation, list[int], bool]:
    """The input, the dimensions to reduce, and whether they stay as 1."""
    node.expect_inputs(1, 2)
    source = node.view()
    values = whole_numbers(node, 1) if node.has_input(1) else node.take_ints("axes")
    keep = node.take_int("keepdims", 1) != 0
    nothing = node.take_int("noop_with_empty_axes", 0) != 0
    node.finish()
    rank = len(source.shape)
    if not values:
        return source, [] if nothing else list(range(rank)), keep
    if any(not -rank <= axis < rank for axis in values):
        raise NodeError(f"its axes {values} are out of range for shape {list(source.shape)}")
    return source, sorted({axis % rank for axis in values}), keep


def _image_axes(source: Activation, axes: list[int]) -> set[int]:
    found = (image_axis(source, axis) for axis in axes if source.shape[axis] > 1)
    return {axis for axis in found if axis is not None}


def _kernel(sizes: tuple[int, int, int], inside: set[int]) -> tuple[int, int]:
    return sizes[1] if 1 in inside else 1, sizes[2] if 2 in inside else 1


def _reduced(sizes: tuple[int, int, int], inside: set[int]) -> tuple[int, int, int]:
    channels, height, width = (1 if axis in inside else size for axis, size in enumerate(sizes))
    return channels, height, width


def _mean_of_channels(node: Node, source: Activation, shape: tuple[int, int, int, int]) -> Conv2d:
    """A convolution whose weights are all one over their number."""
    part = 1 / prod(shape)
    ones = np.ones(shape)
    integer = source.quantization is not None
    return Conv2d(
        name=node.label,
        inputs=(source.tensor,),
        output=node.output,
        weight=ones.astype(np.int8) if integer else (ones * part).astype(np.float32),
        weight_scale=np.array([part], np.float32) if integer else None,
        bias=np.zeros((1,)).astype(np.int32) if integer else np.zeros((1,)).astype(np.float32),
    )


def _dropped(
    node: Node, build: GraphBuilder, result: Activation, axes: list[int], keep: bool
) -> Activation:
    """The result without the reduced dimensions, unless they stay."""
    if keep or not axes:
        return result
    shape = tuple(size for axis, size in enumerate(result.shape) if axis not in axes)
    if result.axes is not None:
        kept = [a for axis, a in enumerate(result.axes) if axis not in axes]
        if kept != sorted(kept):
            raise NodeError("it drops dimensions of a transposed tensor; keep them")
        result = replace(result, axes=None)
    name, output = build.fresh(f"{node.label}.shape"), build.fresh(f"{node.output}.shape")
    return reshaped(build, name, output, result, shape)
