# SPDX-License-Identifier: Apache-2.0
"""Replaces calls of a model's own functions by what they do."""

from collections.abc import Iterable

import onnx
from onnx.inliner import inline_local_functions

from flexcc.errors import InputError

__all__ = ["inline_functions"]


def inline_functions(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model without functions of its own; itself if it has none.

    Raises:
        InputError: functions that call themselves, or that ONNX cannot inline.
    """
    if not model.functions:
        return model
    _refuse_recursion(model)
    try:
        return inline_local_functions(model)
    except Exception as error:  # the library raises several kinds, by what is wrong
        reason = str(error).strip().splitlines() or [repr(error)]
        raise InputError(
            f"the model's own functions cannot be inlined: {reason[0]}; export it without functions"
        ) from error


def _refuse_recursion(model: onnx.ModelProto) -> None:
    """The library would not come back from functions that call themselves."""
    calls = {
        (function.domain, function.name): {
            (node.domain, node.op_type) for node in _all_nodes(function.node)
        }
        for function in model.functions
    }
    # A function is done once all that it calls are.
    left = dict(calls)
    while done := [key for key, called in left.items() if not called & left.keys()]:
        for key in done:
            del left[key]
    if left:
        names = ", ".join(".".join(filter(None, key)) for key in left)
        raise InputError(f"the model's functions call themselves: {names}; export it without them")


def _all_nodes(nodes: Iterable[onnx.NodeProto]) -> list[onnx.NodeProto]:
    """The nodes and those of their subgraphs."""
    found: list[onnx.NodeProto] = []
    pending = list(nodes)
    while pending:
        node = pending.pop()
        found.append(node)
        for attribute in node.attribute:
            for graph in (attribute.g, *attribute.graphs):
                pending += graph.node
    return found
