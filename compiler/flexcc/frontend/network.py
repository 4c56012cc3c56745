# SPDX-License-Identifier: Apache-2.0
"""A model as it is carried out: head on the host, body on the accelerator, tail on the host."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

import onnx

from flexcc.errors import InputError
from flexcc.frontend.extract import extract, integer_outputs
from flexcc.frontend.host import Host, HostPart
from flexcc.frontend.importer import walk_model
from flexcc.frontend.partition import Cut, cut
from flexcc.frontend.walk import Fate, Walk
from flexcc.ir.graph import Graph, Signature

__all__ = ["Network", "NodePlace", "Place", "Survey", "import_network", "survey"]


class Place(Enum):
    """Where a node of the model is carried out."""

    COMPILER = "compiler"
    HEAD = "host, before"
    ACCELERATOR = "accelerator"
    TAIL = "host, behind"
    NOWHERE = "nowhere"


@dataclass(frozen=True, slots=True, kw_only=True)
class NodePlace:
    """A node, its operator, where it runs, and why if that is not the accelerator.

    `reads` and `makes` are its values, without those that are left out.
    """

    name: str
    op: str
    place: Place
    reason: str | None
    reads: tuple[str, ...]
    makes: tuple[str, ...]
    attributes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Network:
    """The graph of the body, and what the host does around it.

    The ports of the graph are named after the values that the host makes and reads, or after inputs
    and outputs of the model. `host` is None if the accelerator does everything.
    """

    graph: Graph
    host: Host | None
    nodes: tuple[NodePlace, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Survey:
    """All that can be said of a model, even of one that is refused.

    `values` are the known types of its values by name. `layers` is the graph without ports of all
    nodes that could be imported, not verified. `problem` is why the model is refused.
    """

    nodes: tuple[NodePlace, ...]
    values: Mapping[str, Signature]
    constants: frozenset[str]
    layers: Graph
    network: Network | None
    problem: str | None


def survey(model: onnx.ModelProto) -> Survey:
    """What becomes of every node of a model.

    Raises:
        InputError: the model is damaged, incomplete, or of a version that is not supported.
    """
    walk = walk_model(model)
    network, problem, nowhere = None, None, Cut(head=frozenset(), tail=frozenset())
    try:
        network = _network(walk)
    except InputError as error:
        problem = str(error)
    return Survey(
        nodes=_places(walk, nowhere) if network is None else network.nodes,
        values={name: _signature(walk, name) for name in walk.values},
        constants=frozenset(name for name in walk.values if walk.is_constant(name)),
        layers=walk.sketch(),
        network=network,
        problem=problem,
    )


def import_network(model: onnx.ModelProto) -> Network:
    """The model, cut where the accelerator must leave nodes to the host.

    Raises:
        InputError: names everything in the model that is broken or that neither can carry out.
    """
    return _network(walk_model(model))


def _network(walk: Walk) -> Network:
    where = cut(walk)
    if not where.head and not where.tail and not integer_outputs(walk, where):
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
            outputs=tuple(_signature(walk, value.name) for value in walk.source.outputs),
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
            reads=tuple(filter(None, node.proto.input)),
            makes=tuple(filter(None, node.proto.output)),
            attributes=tuple(str(onnx.helper.printable_attribute(a)) for a in node.proto.attribute),
        )
        for index, node in enumerate(walk.nodes)
    )


def _place(index: int, fate: Fate, where: Cut) -> Place:
    if index in where.head:
        return Place.HEAD
    if index in where.tail:
        return Place.TAIL
    match fate:
        case Fate.CONSTANT:
            return Place.COMPILER
        case Fate.IMPORTED:
            return Place.ACCELERATOR
    return Place.NOWHERE
