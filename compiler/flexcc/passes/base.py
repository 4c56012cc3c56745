# SPDX-License-Identifier: Apache-2.0
"""What a pass is, and running several in order."""

import logging
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from flexcc.ir.graph import Graph
from flexcc.ir.printer import print_graph
from flexcc.ir.verify import VerifyError, verify

__all__ = ["Pass", "run_pipeline"]

logger = logging.getLogger(__name__)


class Pass(ABC):
    """A rewrite of graphs: the input stays untouched, the result computes the same numbers."""

    name: ClassVar[str]

    @abstractmethod
    def run(self, graph: Graph) -> Graph:
        """The rewritten graph."""


def run_pipeline(passes: Sequence[Pass], graph: Graph) -> Graph:
    """Runs `passes` in order, verifying the graph before the first and after each.

    Raises:
        VerifyError: a graph is not valid; a note names the pass that made it.
        InputError: a pass refuses the graph.
    """
    verify(graph)
    for pass_ in passes:
        graph = pass_.run(graph)
        try:
            verify(graph)
        except VerifyError as error:
            error.add_note(f"after pass {pass_.name}")
            raise
        if logger.isEnabledFor(logging.DEBUG):
            logger.debug("after %s:\n%s", pass_.name, print_graph(graph))
    return graph
