# SPDX-License-Identifier: Apache-2.0
"""Reshapes and transposes that together move channels or pixels: shuffles, depth-to-space.

Between them a value may have any rank, which no tensor has; so they are taken as one.
"""

from collections.abc import Sequence
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from flexcc.frontend.builder import GraphBuilder
from flexcc.frontend.image import Sizes
from flexcc.frontend.values import Activation
from flexcc.ir.layers import DepthToSpace, Layer, Select, SpaceToDepth

__all__ = ["ARRANGING_OPERATORS", "Step", "arrange"]

ARRANGING_OPERATORS = frozenset({"Reshape", "Transpose"})

# Values of an image; following each of more would take gigabytes.
_LARGEST = 1 << 24

Index = NDArray[np.int64]
"""Of every output value: the number of the input value that it is, in channel-row-column order."""
Step = tuple[onnx.NodeProto, NDArray[Any] | None]
"""A Reshape with its shape, None if that is no constant, or a Transpose."""


def arrange(
    steps: Sequence[Step], label: str, source: Activation, build: GraphBuilder
) -> Activation | None:
    """The image [1,C,H,W] that a chain of steps makes of another; None if it is no such movement.

    Known are channels in another order, each moved as a whole, and blocks of pixels that become
    channels or come from them, in any order of channels. Layers are called after `label`.
    """
    kind = build.tensors[source.tensor]
    sizes = kind.channels, kind.height, kind.width
    if len(source.shape) != 4 or prod(sizes) > _LARGEST:
        return None
    index: Index | None = np.arange(prod(sizes)).reshape(1, *sizes)
    if source.axes is not None and index is not None:
        index = index.transpose(source.axes)
    for node, wanted in steps:
        index = None if index is None else _moved(node, wanted, index)
    if index is None or index.ndim != 4 or index.shape[0] != 1:
        return None
    layers = _layers(index[0], sizes)
    if layers is None:
        return None
    result = replace(source, shape=(1, *sizes), axes=None)
    for number, (layer, shape) in enumerate(layers, start=1):
        last = number == len(layers)
        output = steps[-1][0].output[0]
        named = replace(
            layer,
            name=label if last else build.fresh(f"{label}.{number}"),
            inputs=(result.tensor,),
            output=output if last else build.fresh(f"{output}.{number}"),
        )
        result = build.add(named, result, (1, *shape), source.quantization)
    return result


def _moved(node: onnx.NodeProto, shape: NDArray[Any] | None, index: Index) -> Index | None:
    """The index behind one more step; None if the node has anything else about it."""
    if node.op_type == "Reshape":
        if shape is None or shape.dtype != np.int64 or node.attribute:
            return None
        wanted = [int(dim) for dim in shape.reshape(-1)]
        if any(dim == 0 and place >= index.ndim for place, dim in enumerate(wanted)):
            return None
        wanted = [index.shape[i] if dim == 0 else dim for i, dim in enumerate(wanted)]
        try:
            return index.reshape(wanted)
        except ValueError:
            return None
    perms = [a.ints for a in node.attribute if a.name == "perm" and a.type == a.INTS]
    if len(perms) < len(node.attribute):
        return None
    order = [int(axis) for axis in perms[0]] if perms else list(range(index.ndim))[::-1]
    return index.transpose(order) if sorted(order) == list(range(index.ndim)) else None


def _layers(index: Index, sizes: Sizes) -> list[tuple[Layer, Sizes]] | None:
    """The layers, with their output sizes, that do what `index` [C,H,W] says; none for nothing."""
    old, new = sizes, (index.shape[0], index.shape[1], index.shape[2])
    channels, rows, columns = np.unravel_index(index, old)
    if new == old:
        order = channels[:, 0, 0]
        layers = _with_order(order, old)
    elif new[1] > old[1] and new[1] % old[1] == 0:
        block = new[1] // old[1]
        if new[0] * block**2 != old[0] or new[2] != old[2] * block:
            return None
        # Lane (i, j) of channel c comes from the channel that its first pixel comes from.
        order = channels[:, :block, :block].transpose(1, 2, 0).reshape(-1)
        layers = _with_order(order, old)
        layers.append((DepthToSpace(name="", inputs=(), output="", block=block), new))
    elif new[1] < old[1] and old[1] % new[1] == 0:
        block = old[1] // new[1]
        if old[0] * block**2 != new[0] or old[2] != new[2] * block:
            return None
        lanes = rows[:, 0, 0] * block + columns[:, 0, 0]
        order = lanes * old[0] + channels[:, 0, 0]
        layers = [(SpaceToDepth(name="", inputs=(), output="", block=block), new)]
        if order.max() >= new[0]:
            return None
        layers += _with_order(order, new)
    else:
        return None
    # What the first pixels suggest need not hold for the others.
    return layers if np.array_equal(_index_of(layers, old), index) else None


def _with_order(order: NDArray[np.int64], sizes: Sizes) -> list[tuple[Layer, Sizes]]:
    """A selection of channels, if they are not in order already."""
    if np.array_equal(order, np.arange(sizes[0])):
        return []
    select = Select(
        name="",
        inputs=(),
        output="",
        channels=tuple(int(channel) for channel in order),
        rows=tuple(range(sizes[1])),
        columns=tuple(range(sizes[2])),
    )
    return [(select, sizes)]


def _index_of(layers: Sequence[tuple[Layer, Sizes]], sizes: Sizes) -> Index:
    """What the layers do to the numbers of an image."""
    index: Index = np.arange(prod(sizes)).reshape(sizes)
    for layer, _ in layers:
        channels, height, width = index.shape
        match layer:
            case Select(channels=order):
                index = index[list(order)]
            case DepthToSpace(block=block):
                split = index.reshape(block, block, -1, height, width)
                index = split.transpose(2, 3, 0, 4, 1)
                index = index.reshape(-1, height * block, width * block)
            case SpaceToDepth(block=block):
                split = index.reshape(channels, height // block, block, width // block, block)
                index = split.transpose(2, 4, 0, 1, 3)
                index = index.reshape(-1, height // block, width // block)
    return index
