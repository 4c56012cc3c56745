# SPDX-License-Identifier: Apache-2.0
"""Handlers that pick, repeat and pad parts of an image: Slice, Split, Gather, Pad, Tile, Expand."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from flexcc.frontend.builder import GraphBuilder
from flexcc.frontend.image import add_image, image_axis, positive_axis, sizes_of, whole_numbers
from flexcc.frontend.node import Node, NodeError
from flexcc.frontend.values import Activation, QuantizedConstant
from flexcc.ir.layers import Select

__all__ = [
    "add_select",
    "import_expand",
    "import_gather",
    "import_pad",
    "import_slice",
    "import_split",
    "import_tile",
]

Indices = Mapping[int, Sequence[int]]
"""Wanted indices by ONNX dimension; those that are not named stay."""


def import_slice(node: Node, build: GraphBuilder) -> Activation:
    """Slice with constant starts, ends, axes and steps, which may be negative."""
    source = node.view()
    if node.opset < 10:
        node.expect_inputs(1, 1)
        starts, ends, axes = (node.take_ints(name) for name in ("starts", "ends", "axes"))
        steps = None
    else:
        node.expect_inputs(3, 5)
        starts, ends = whole_numbers(node, 1), whole_numbers(node, 2)
        axes = whole_numbers(node, 3) if node.has_input(3) else None
        steps = whole_numbers(node, 4) if node.has_input(4) else None
    if starts is None or ends is None:
        raise NodeError("its starts or ends are missing")
    axes = list(range(len(starts))) if axes is None else axes
    steps = [1] * len(starts) if steps is None else steps
    if not len(starts) == len(ends) == len(axes) == len(steps) or 0 in steps:
        raise NodeError(f"its starts {starts}, ends {ends} and steps {steps} are not valid")
    indices: dict[int, Sequence[int]] = {}
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        dim = positive_axis(source, axis)
        if dim in indices:
            raise NodeError(f"its axes {axes} are not unique")
        indices[dim] = range(*slice(start, end, step).indices(source.shape[dim]))
    return add_select(node, build, source, indices)


def import_split(node: Node, build: GraphBuilder) -> list[Activation]:
    """Split into equal parts or parts of constant sizes, each a tensor of its own."""
    node.expect_inputs(1, 2)
    source = node.view()
    axis = positive_axis(source, node.take_int("axis", 0))
    size, parts = source.shape[axis], len(node.outputs)
    sizes = whole_numbers(node, 1) if node.has_input(1) else node.take_ints("split")
    if sizes is None:
        parts = node.take_int("num_outputs", parts)
        chunk = -(-size // max(parts, 1))
        sizes = [min(chunk, size - chunk * number) for number in range(parts)]
    if sum(sizes) != size or len(sizes) != len(node.outputs) or min(sizes) < 1:
        raise NodeError(f"its parts {sizes} do not make up the {size} of axis {axis}")
    node.finish(outputs=len(sizes))
    result, start = [], 0
    for number, part in enumerate(sizes):
        indices = {axis: range(start, start + part)}
        result.append(_select(node, build, source, indices, number=number))
        start += part
    return result


def import_gather(node: Node, build: GraphBuilder) -> Activation:
    """Gather with a constant list of indices."""
    node.expect_inputs(2, 2)
    source = node.view()
    axis = positive_axis(source, node.take_int("axis", 0))
    indices, size = whole_numbers(node, 1), source.shape[axis]
    value = node.parameter(1)
    if isinstance(value, QuantizedConstant) or value.array.ndim != 1:
        raise NodeError("its indices are no list; a single one would drop the dimension")
    if any(not -size <= index < size for index in indices):
        raise NodeError(f"its indices {indices[:8]} are out of range for {size}")
    return add_select(node, build, source, {axis: [index % size for index in indices]})


def import_pad(node: Node, build: GraphBuilder) -> Activation:
    """Pad with a constant, or by repeating the edge, mirroring or wrapping; negative pads crop."""
    source = node.view()
    rank = len(source.shape)
    axes, fill = list(range(rank)), 0.0
    if node.opset < 11:
        node.expect_inputs(1, 1)
        pads, fill = node.take_ints("pads"), node.take_float("value", 0.0)
    else:
        node.expect_inputs(2, 4)
        pads = whole_numbers(node, 1)
        if node.has_input(2):
            fill = _number(node, 2)
        if node.has_input(3):
            axes = [positive_axis(source, axis) for axis in whole_numbers(node, 3)]
    mode = node.take_string("mode", "constant")
    if pads is None or len(pads) != 2 * len(axes):
        raise NodeError(f"its pads {pads} are not two for each of {len(axes)} axes")
    if mode not in _MODES:
        raise NodeError(f"mode={mode} is not defined by ONNX")
    if not np.isfinite(fill):
        raise NodeError(f"it pads with {fill}, which no integer stands for")
    indices: dict[int, Sequence[int]] = {}
    for axis, before, after in zip(axes, pads, pads[len(axes) :], strict=False):
        if before or after:
            size = source.shape[axis]
            indices[axis] = [_MODES[mode](place, size) for place in range(-before, size + after)]
    return add_select(node, build, source, indices, fill=fill)


def import_tile(node: Node, build: GraphBuilder) -> Activation:
    """Tile: the tensor several times along its axes."""
    node.expect_inputs(2, 2)
    source, repeats = node.view(), whole_numbers(node, 1)
    if len(repeats) != len(source.shape) or min(repeats) < 1:
        raise NodeError(f"its repeats {repeats} do not fit shape {list(source.shape)}")
    indices = {
        axis: list(range(size)) * times
        for axis, (size, times) in enumerate(zip(source.shape, repeats, strict=True))
        if times > 1
    }
    return add_select(node, build, source, indices)


def import_expand(node: Node, build: GraphBuilder) -> Activation:
    """Expand of dimensions of length 1."""
    node.expect_inputs(2, 2)
    source, wanted = node.view(), whole_numbers(node, 1)
    try:
        shape = np.broadcast_shapes(source.shape, tuple(wanted))
    except ValueError:
        shape = ()
    if len(shape) != len(source.shape):
        raise NodeError(f"it cannot expand shape {list(source.shape)} to {wanted}")
    indices = {
        axis: [0] * new
        for axis, (old, new) in enumerate(zip(source.shape, shape, strict=True))
        if old != new
    }
    return add_select(node, build, source, indices)


def add_select(
    node: Node, build: GraphBuilder, source: Activation, indices: Indices, fill: float = 0.0
) -> Activation:
    """The part of a tensor that `indices` name; -1 stands for `fill`."""
    node.finish()
    return _select(node, build, source, indices, fill=fill)


def _select(
    node: Node,
    build: GraphBuilder,
    source: Activation,
    indices: Indices,
    *,
    fill: float = 0.0,
    number: int = 0,
) -> Activation:
    whole = tuple(tuple(range(size)) for size in sizes_of(build, source))
    axes = list(whole)
    for dim, wanted in indices.items():
        if not wanted:
            raise NodeError(f"nothing is left of dimension {dim} of shape {list(source.shape)}")
        axis = image_axis(source, dim)
        if axis is not None:
            axes[axis] = tuple(wanted)
        elif list(wanted) != [0]:
            raise NodeError("it changes the batch, which is 1")
    if tuple(axes) == whole:
        return source
    layer = Select(
        name=node.label if number == 0 else build.fresh(f"{node.label}.{number}"),
        inputs=(source.tensor,),
        output=node.outputs[number],
        channels=axes[0],
        rows=axes[1],
        columns=axes[2],
        fill=fill,
    )
    sizes = len(axes[0]), len(axes[1]), len(axes[2])
    return add_image(build, layer, source, sizes, source.quantization)


def _number(node: Node, index: int) -> float:
    value = node.parameter(index)
    array = value.real() if isinstance(value, QuantizedConstant) else value.array
    if array.size != 1:
        raise NodeError(f"its constant '{value.name}' is not one number")
    return float(np.float32(array.reshape(())))


def _reflected(place: int, size: int) -> int:
    period = max(2 * (size - 1), 1)
    place %= period
    return min(place, period - place) if size > 1 else 0


# What stands at a place along an axis of `size` pixels; -1 is the constant.
_MODES: dict[str, Callable[[int, int], int]] = {
    "constant": lambda place, size: place if 0 <= place < size else -1,
    "edge": lambda place, size: min(max(place, 0), size - 1),
    "reflect": _reflected,
    "wrap": lambda place, size: place % size,
}
