# SPDX-License-Identifier: Apache-2.0
"""The four representations as text: the model's graph, the mapping, the plan, the program."""

from collections.abc import Iterator, Sequence
from enum import Enum
from pathlib import Path

from flexcc.build import load_build
from flexcc.frontend import import_model, load_model
from flexcc.ir.printer import print_graph
from flexcc.program.decode import decode, from_bytes, listing

__all__ = ["View", "describe"]


class View(Enum):
    """A representation of a compiled model."""

    GRAPH = "graph"
    MAPPING = "mapping"
    PLAN = "plan"
    PROGRAM = "program"


def describe(path: Path, views: Sequence[View] = ()) -> Iterator[str]:
    """The texts of `views`: of a build folder all but the program by default, of a model its graph.

    Raises:
        InputError: `path` is neither a build nor a model.
    """
    if not path.is_dir():
        yield print_graph(import_model(load_model(path)))
        return
    build = load_build(path)
    for view in views or (View.GRAPH, View.MAPPING, View.PLAN):
        match view:
            case View.GRAPH:
                yield print_graph(build.graph)
            case View.MAPPING:
                yield str(build.mapping).rstrip()
            case View.PLAN:
                yield str(build.plan).rstrip()
            case View.PROGRAM:
                yield listing(decode(from_bytes(build.program))).rstrip()
