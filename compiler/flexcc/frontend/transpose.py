# SPDX-License-Identifier: Apache-2.0
"""Transposes, which no layer carries out: they only name the axes of a tensor anew.

Models from TensorFlow hold images with channels last. Their input is transposed before the first
convolution and their output after the last one, and elementwise operators may stand in between. So
the importer lets a value be a view of a tensor in another order of axes; a view that leaves the
model becomes the order of its port, which the host packs and unpacks anyway.
"""

from collections.abc import Mapping, Sequence

import onnx

from flexcc.frontend.builder import GraphBuilder
from flexcc.frontend.node import Node, NodeError
from flexcc.frontend.values import Activation
from flexcc.ir.graph import Axes

__all__ = ["import_transpose", "input_axes"]

_IDENTITY = (0, 1, 2, 3)
# What may stand between an input and the transpose that puts its channels first.
_ELEMENTWISE = frozenset(
    {
        "Add",
        "Cast",
        "Clip",
        "DequantizeLinear",
        "Div",
        "Dropout",
        "Identity",
        "Mul",
        "QuantizeLinear",
        "Relu",
        "Sub",
    }
)


def import_transpose(node: Node, build: GraphBuilder) -> Activation:  # noqa: ARG001 one signature
    """Transpose of an image whose batch stays in front: another view of the same tensor."""
    node.expect_inputs(1, 1)
    source = node.view()
    rank = len(source.shape)
    order = node.take_ints("perm")
    order = list(range(rank))[::-1] if order is None else order
    node.finish()
    if sorted(order) != list(range(rank)):
        raise NodeError(f"its perm {order} is no order of the axes of shape {list(source.shape)}")
    if order == sorted(order):
        return source
    if rank != 4 or order[0] != 0:
        raise NodeError(
            f"its perm {order} of shape {list(source.shape)} does not keep [1,C,H,W] an image; "
            "only images may be transposed, with their batch in front"
        )
    present = _IDENTITY if source.axes is None else source.axes
    axes: Axes | None = tuple(present[axis] for axis in order)
    if axes == _IDENTITY:
        axes = None
    return Activation(
        tensor=source.tensor,
        shape=tuple(source.shape[axis] for axis in order),
        quantization=source.quantization,
        axes=axes,
    )


def input_axes(name: str, readers: Mapping[str, Sequence[onnx.NodeProto]]) -> Axes | None:
    """The axes of an input of rank 4, if all that reads it transposes it first in one same way.

    `readers` are the nodes that read each value; a value that leaves the model has none.
    """
    orders: set[tuple[int, ...]] = set()
    pending, seen = [name], {name}
    while pending:
        nodes = readers.get(pending.pop(), ())
        if not nodes:
            return None
        for node in nodes:
            if node.op_type == "Transpose":
                orders.add(_order(node))
            elif node.op_type not in _ELEMENTWISE:
                return None
            elif node.output[0] not in seen:
                seen.add(node.output[0])
                pending.append(node.output[0])
    if len(orders) != 1:
        return None
    [order] = orders
    if sorted(order) != list(_IDENTITY) or order[0] != 0 or order == _IDENTITY:
        return None
    return tuple(order.index(axis) for axis in _IDENTITY)


def _order(node: onnx.NodeProto) -> tuple[int, ...]:
    perms = [a.ints for a in node.attribute if a.name == "perm" and a.type == a.INTS]
    return tuple(int(axis) for axis in perms[0]) if perms else _IDENTITY[::-1]
