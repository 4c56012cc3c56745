# SPDX-License-Identifier: Apache-2.0
"""A model as it is carried out: head on the host, body on the accelerator, tail on the host."""

from dataclasses import dataclass
from enum import Enum

import onnx

from flexcc.errors import InputError
from flexcc.frontend.extract import extract
from flexcc.frontend.host import Host, HostPart
from flexcc.frontend.importer import walk_model
from flexcc.frontend.partition import Cut, cut
from flexcc.frontend.walk import Fate, Walk
from flexcc.ir.graph import Graph, Signature

__all__ = ["Network", "NodePlace", "Place", "import_network"]


class Place(Enum):
    """Where a node of the model is carried out."""

    COMPILER = "compiler"
    HEAD = "host, before"
    ACCELERATOR = "accelerator"
    TAIL = "host, after"


@dataclass(frozen=True, slots=True, kw_only=True)
class NodePlace:
    """A node, its operator, where it runs, and why if that is the host."""

    name: str
    op: str
    place: Place
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Network:
    """The graph of the body, and what the host does around it.

    The ports of the graph are named after the values that the host makes and reads, or after inputs
    and outputs of the model. `host` is None if the accelerator does everything.
    """

    graph: Graph
    host: Host | None
    nodes: tuple[NodePlace, ...]


def import_network(model: onnx.ModelProto) -> Network:
    """The model, cut where the accelerator must leave nodes to the host.

    Raises:
        InputError: names everything in the model that is broken or that neither can carry out.
    """
    walk = walk_model(model)
    where = cut(walk)
    if not where.head and not where.tail:
        return Network(graph=walk.graph(), host=None, nodes=_places(walk, where))
    parts = extract(walk, where)
    head, tail = (
        None if part is None else HostPart(part.SerializeToString(deterministic=True))
        for part in (parts.head, parts.tail)
    )
    for part, indices in ((head, where.head), (tail, where.tail)):
        if part is not None:
            try:
                part.check()
            except InputError as error:
                reasons = [walk.nodes[i].problem for i in sorted(indices) if walk.nodes[i].reason]
                raise InputError("\n".join([str(error), *reasons])) from error
    return Network(
        graph=Walk(parts.body).graph(),
        host=Host(
            head=head,
            tail=tail,
            inputs=tuple(
                _signature(walk, value.name)
                for value in walk.source.inputs
                if value.name in walk.values
            ),
            outputs=tuple(_signature(walk, name) for name in walk.source.outputs),
        ),
        nodes=_places(walk, where),
    )


def _signature(walk: Walk, name: str) -> Signature:
    known = walk.type_of(name)
    if known is None:
        return Signature(name=name, shape=None, dtype="float32")
    dtype = onnx.helper.tensor_dtype_to_np_dtype(known[0])
    return Signature(name=name, shape=known[1], dtype=str(dtype))


def _places(walk: Walk, where: Cut) -> tuple[NodePlace, ...]:
    return tuple(
        NodePlace(
            name=node.label,
            op=node.proto.op_type,
            place=_place(index, node.fate, where),
            reason=node.reason,
        )
        for index, node in enumerate(walk.nodes)
    )


def _place(index: int, fate: Fate, where: Cut) -> Place:
    if index in where.head:
        return Place.HEAD
    if index in where.tail:
        return Place.TAIL
    return Place.COMPILER if fate is Fate.CONSTANT else Place.ACCELERATOR
