# SPDX-License-Identifier: Apache-2.0
"""Where the dimensions of an ONNX value lie in its image: channels 0, rows 1, columns 2."""

from dataclasses import replace

from flexcc.frontend.builder import GraphBuilder
from flexcc.frontend.node import Node, NodeError
from flexcc.frontend.values import Activation, Constant, QuantizedConstant, Shape
from flexcc.ir.layers import Layer
from flexcc.ir.types import Quantization, TensorType

__all__ = ["Sizes", "add_image", "image_axis", "positive_axis", "sizes_of", "whole_numbers"]

Sizes = tuple[int, int, int]
"""Channels, height and width."""

# The image axes of the dimensions behind the batch, by rank; [1,C,L] is an image of height 1.
_AXES = {1: (0,), 2: (0,), 3: (0, 2), 4: (0, 1, 2)}


def sizes_of(build: GraphBuilder, source: Activation) -> Sizes:
    """The image behind a value."""
    kind = build.tensors[source.tensor]
    return kind.channels, kind.height, kind.width


def positive_axis(source: Activation, axis: int) -> int:
    """A dimension counted from the front.

    Raises:
        NodeError: there is no such dimension.
    """
    rank = len(source.shape)
    if not -rank <= axis < rank:
        raise NodeError(f"its axis {axis} is out of range for shape {list(source.shape)}")
    return axis % rank


def image_axis(source: Activation, axis: int) -> int | None:
    """Which axis of the image a dimension is; None for the batch.

    Raises:
        NodeError: there is no such dimension, or it is none of an image.
    """
    axis = positive_axis(source, axis)
    rank = len(source.shape)
    if rank not in _AXES:
        raise NodeError(f"its input has shape {list(source.shape)}, which is no image")
    if source.axes is not None:
        axis = source.axes[axis]
    batches = 0 if rank == 1 else 1
    return None if axis < batches else _AXES[rank][axis - batches]


def add_image(
    build: GraphBuilder,
    layer: Layer,
    sources: Activation | list[Activation],
    sizes: Sizes,
    quantization: Quantization | None,
) -> Activation:
    """Appends a layer whose output is an image of these sizes, seen like the first input."""
    like = sources if isinstance(sources, Activation) else sources[0]
    ordered = _ordered(like, sizes)
    result = build.add(layer, sources, ordered, quantization)
    channels, height, width = sizes
    build.tensors[layer.output] = TensorType(
        channels=channels, height=height, width=width, quantization=quantization
    )
    if like.axes is None:
        return result
    shape = tuple(ordered[axis] for axis in like.axes)
    return replace(result, shape=shape, axes=like.axes)


def _ordered(like: Activation, sizes: Sizes) -> Shape:
    """The ONNX shape of such an image with channels first, of the rank of `like`."""
    rank = len(like.shape)
    batch = () if rank == 1 else (1,)
    dropped = [sizes[axis] for axis in range(3) if axis not in _AXES[rank]]
    if any(size != 1 for size in dropped):
        raise NodeError(f"its output {sizes} cannot have the rank of {list(like.shape)}")
    return batch + tuple(sizes[axis] for axis in _AXES[rank])


def whole_numbers(node: Node, index: int) -> list[int]:
    """A constant list of int32 or int64."""
    value: Constant | QuantizedConstant = node.parameter(index)
    if isinstance(value, QuantizedConstant) or value.array.dtype.kind != "i":
        raise NodeError(f"its constant '{value.name}' holds no whole numbers")
    return [int(item) for item in value.array.reshape(-1)]
