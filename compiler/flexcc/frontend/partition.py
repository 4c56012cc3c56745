# SPDX-License-Identifier: Apache-2.0
"""Cuts a model into a host head, an accelerator body and a host tail.

The accelerator takes what it can. A node that it cannot take goes to the host if no layer with
weights stands before it (head) or none behind it (tail), and with it all that feeds it, or reads
it. So the host never computes a layer that the accelerator could, and each image enters and leaves
the accelerator once. Any other refused node refuses the model.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from flexcc.errors import InputError
from flexcc.frontend.registry import supported_operators
from flexcc.frontend.values import Unusable
from flexcc.frontend.walk import Fate, Walk, WalkedNode

__all__ = ["Cut", "cut"]

# Layers that an accelerator is for: they never run on the host. Products do when both operands are
# computed.
_CONVOLUTIONS = frozenset({"Conv", "ConvInteger", "ConvTranspose", "QLinearConv"})
_PRODUCTS = frozenset({"Gemm", "MatMul", "MatMulInteger", "QGemm", "QLinearMatMul"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """Indices into a walk's nodes; what is in neither set is the body's, or constant."""

    head: frozenset[int]
    tail: frozenset[int]


def cut(walk: Walk) -> Cut:
    """Where to cut: nowhere if nothing is refused.

    Raises:
        InputError: names every node that neither the accelerator nor the host can take.
    """
    nodes = walk.nodes
    before, after = _edges(walk)
    refused = [i for i, node in enumerate(nodes) if node.fate in (Fate.REFUSED, Fate.BLOCKED)]
    if not refused:
        return Cut(head=frozenset(), tail=frozenset())
    weighted = [i for i, node in enumerate(nodes) if _is_weighted(walk, node)]
    follows, leads = _closure(weighted, after), _closure(weighted, before)
    head = {i for i in refused if i not in follows and i not in weighted}
    tail = {i for i in refused if i not in leads and i not in weighted} - head
    stuck = [i for i in refused if i not in head | tail]
    for i in refused:
        _check_inputs(walk, nodes[i])
    told = [nodes[i] for i in (stuck or refused) if nodes[i].fate is Fate.REFUSED]
    told = told or [nodes[i] for i in stuck]
    result = Cut(head=_with(head, before), tail=_with(tail, after))
    nothing = not set(weighted) - result.head - result.tail
    subgraphs = [node for i, node in enumerate(nodes) if i in refused and _has_subgraph(node)]
    if stuck or nothing or subgraphs:
        _refuse(told or subgraphs, subgraphs, middle=bool(stuck))
    return result


def _edges(walk: Walk) -> tuple[list[set[int]], list[set[int]]]:
    """The nodes right before and right behind each node; constants connect nothing."""
    producers = {
        name: index
        for index, node in enumerate(walk.nodes)
        if node.fate is not Fate.CONSTANT
        for name in node.proto.output
        if name
    }
    before = [
        {producers[name] for name in node.proto.input if name in producers}
        if node.fate is not Fate.CONSTANT
        else set()
        for node in walk.nodes
    ]
    after: list[set[int]] = [set() for _ in before]
    for index, sources in enumerate(before):
        for source in sources:
            after[source].add(index)
    return before, after


def _is_weighted(walk: Walk, node: WalkedNode) -> bool:
    proto = node.proto
    if node.fate is Fate.CONSTANT:
        return False
    return proto.op_type in _CONVOLUTIONS or (
        proto.op_type in _PRODUCTS
        and any(walk.is_constant(name) or walk.is_input(name) for name in proto.input[1:])
    )


def _check_inputs(walk: Walk, node: WalkedNode) -> None:
    """The shapes of all inputs of the model must be fixed, whoever reads them."""
    for name in node.proto.input:
        value = walk.values.get(name)
        if isinstance(value, Unusable) and value.reason is not None and value.type is None:
            raise InputError(value.reason)


def _has_subgraph(node: WalkedNode) -> bool:
    return any(a.HasField("g") or a.graphs for a in node.proto.attribute)


def _closure(starts: Iterable[int], edges: Sequence[Collection[int]]) -> set[int]:
    """What the edges lead to from the starts, without them unless they lead to each other."""
    found: set[int] = set()
    pending = [target for start in starts for target in edges[start]]
    while pending:
        index = pending.pop()
        if index not in found:
            found.add(index)
            pending += edges[index]
    return found


def _with(starts: set[int], edges: Sequence[Collection[int]]) -> frozenset[int]:
    return frozenset(starts | _closure(starts, edges))


def _refuse(told: list[WalkedNode], subgraphs: list[WalkedNode], *, middle: bool) -> None:
    lines = ["the model cannot be compiled:"]
    lines += list(dict.fromkeys(node.problem for node in told))
    if middle:
        lines.append(
            "The host runs what stands before or behind all layers with weights; these do not."
        )
    elif subgraphs:
        lines.append("The host parts must not hold subgraphs; simplify or unroll the model.")
    lines.append(supported_operators())
    raise InputError("\n".join(lines))
