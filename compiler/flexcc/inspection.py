# SPDX-License-Identifier: Apache-2.0
"""A model's nodes and the four representations as text: graph, mapping, plan, program."""

from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from pathlib import Path

from flexcc.build import load_build
from flexcc.errors import InputError
from flexcc.frontend import fix_input_shapes, load_model
from flexcc.frontend.network import survey
from flexcc.ir.printer import print_graph
from flexcc.model_text import explain as explain_node
from flexcc.model_text import nodes_table
from flexcc.program.decode import decode, from_bytes, listing

__all__ = ["View", "describe"]


class View(Enum):
    """The nodes of an ONNX model, or a representation of it as it is compiled."""

    NODES = "nodes"
    GRAPH = "graph"
    MAPPING = "mapping"
    PLAN = "plan"
    PROGRAM = "program"


_OF_MODEL = (View.NODES, View.GRAPH)
_OF_BUILD = (View.GRAPH, View.MAPPING, View.PLAN, View.PROGRAM)


def describe(
    path: Path,
    views: Sequence[View] = (),
    explain: str | None = None,
    input_shapes: Mapping[str, Sequence[int]] | None = None,
) -> Iterator[str]:
    """The texts of `views`: of a build folder all but the program by default, of a model both.

    `explain` names a node of a model to tell about instead.

    Raises:
        InputError: `path` is neither a build nor a model, or has no such view or node.
    """
    _check_views(path, views, explain, input_shapes)
    if path.is_dir():
        yield from _of_build(path, views)
        return
    found = survey(fix_input_shapes(load_model(path), input_shapes or {}))
    if explain is not None:
        yield explain_node(found, explain)
        return
    for view in views or _OF_MODEL:
        if view is View.NODES:
            yield nodes_table(found)
        elif found.network is not None:
            yield print_graph(found.network.graph)
        elif views:
            raise InputError(found.problem or "the model has no graph")


def _check_views(
    path: Path, views: Sequence[View], explain: str | None, input_shapes: object
) -> None:
    allowed, what = (_OF_BUILD, "a build") if path.is_dir() else (_OF_MODEL, "an ONNX model")
    for view in views:
        if view not in allowed:
            names = ", ".join(each.value for each in allowed)
            raise InputError(f"{path} is {what}, which has no {view.value}; it has {names}")
    if path.is_dir() and (explain is not None or input_shapes):
        raise InputError(f"{path} is a build; --explain and --input-shape are for ONNX models")


def _of_build(path: Path, views: Sequence[View]) -> Iterator[str]:
    build = load_build(path)
    for view in views or _OF_BUILD[:-1]:
        match view:
            case View.GRAPH:
                yield print_graph(build.graph)
            case View.MAPPING:
                yield str(build.mapping).rstrip()
            case View.PLAN:
                yield str(build.plan).rstrip()
            case View.PROGRAM:
                yield listing(decode(from_bytes(build.program))).rstrip()
