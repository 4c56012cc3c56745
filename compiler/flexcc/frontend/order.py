# SPDX-License-Identifier: Apache-2.0
"""The nodes that the outputs need, in topological order, each with a label of its own."""

from collections.abc import Collection
from heapq import heappop, heappush

import onnx

from flexcc.errors import InputError

__all__ = ["describe", "label_nodes", "needed_nodes"]


def describe(node: onnx.NodeProto) -> str:
    """Name, or first output of a nameless node, and operator: `conv1 (Conv)`."""
    domain = "" if node.domain in ("", "ai.onnx") else f"{node.domain}."
    return f"{node.name or next(iter(node.output), '?')} ({domain}{node.op_type})"


def needed_nodes(graph: onnx.GraphProto, given: Collection[str]) -> list[onnx.NodeProto]:
    """The nodes behind the graph's outputs, producers first, otherwise in file order.

    `given` are the inputs and initialisers.

    Raises:
        InputError: a value that nothing makes or two nodes make, or nodes that feed each other.
    """
    producers = _producers(graph, given)
    needed: set[int] = set()
    pending = [(f"output '{value.name}'", value.name) for value in graph.output]
    problems: dict[str, str] = {}
    if any(value.name == "" for value in graph.output):
        problems[""] = "an output has no name"
    while pending:
        reader, name = pending.pop()
        if name in given or name == "":
            continue
        if name not in producers:
            problems[name] = (
                f"{reader} reads '{name}', which is neither an initialiser nor an input nor made "
                "by a node"
            )
        elif producers[name] not in needed:
            needed.add(producers[name])
            node = graph.node[producers[name]]
            pending += [(describe(node), source) for source in node.input]
    if problems:
        lines = [problems[name] for name in sorted(problems)]
        raise InputError("\n".join(["the model is incomplete; export it again:", *lines]))
    return _sorted(graph, sorted(needed), producers)


def label_nodes(nodes: list[onnx.NodeProto]) -> list[str]:
    """A unique label per node: its name, else its first output's, else that with a number."""
    taken: set[str] = set()
    labels = []
    for node in nodes:
        names = [node.name, *node.output[:1]]
        choices = [name for name in names if name and name not in taken]
        base = next(name for name in [*reversed(names), node.op_type] if name)
        number = 2
        while not choices:
            choices = [f"{base}_{number}"] if f"{base}_{number}" not in taken else []
            number += 1
        labels.append(choices[0])
        taken.add(choices[0])
    return labels


def _producers(graph: onnx.GraphProto, given: Collection[str]) -> dict[str, int]:
    producers: dict[str, int] = {}
    for index, node in enumerate(graph.node):
        for name in node.output:
            if name in producers or (name and name in given):
                first = describe(graph.node[producers[name]]) if name in producers else "the model"
                raise InputError(
                    f"{describe(node)}: its output '{name}' is given by {first} already; every "
                    "value must have one name of its own, export the model again"
                )
            if name:
                producers[name] = index
    return producers


def _sorted(
    graph: onnx.GraphProto, needed: list[int], producers: dict[str, int]
) -> list[onnx.NodeProto]:
    waiting = {
        index: {producers[name] for name in graph.node[index].input if name in producers}
        for index in needed
    }
    readers: dict[int, list[int]] = {index: [] for index in needed}
    for index, sources in waiting.items():
        for source in sources:
            readers[source].append(index)
    ready = [index for index, sources in waiting.items() if not sources]
    order: list[int] = []
    while ready:
        order.append(heappop(ready))
        for reader in readers[order[-1]]:
            waiting[reader].remove(order[-1])
            if not waiting[reader]:
                heappush(ready, reader)
    if len(order) < len(needed):
        circle = [describe(graph.node[index]) for index in needed if waiting[index]]
        raise InputError(
            f"nodes feed each other in a circle: {', '.join(circle[:5])}; export the model again"
        )
    return [graph.node[index] for index in order]
