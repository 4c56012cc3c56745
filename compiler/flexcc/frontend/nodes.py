# SPDX-License-Identifier: Apache-2.0
"""The growing lists of nodes and initialisers of an ONNX graph, with names that stay unique."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

__all__ = ["NodeWriter"]


class NodeWriter:
    """Nodes and initialisers in order, for a version of ONNX's operator set.

    `taken` are the names that values may not have.
    """

    def __init__(self, taken: Iterable[str], opset: int) -> None:
        self.opset = opset
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self._taken = set(taken)

    def node(
        self, op: str, sources: Sequence[str], target: str, name: str, **attributes: Any
    ) -> None:
        """Appends a node; an empty source is an omitted input."""
        self.nodes.append(helper.make_node(op, sources, [target], name=name, **attributes))

    def constant(self, name: str, array: NDArray[Any]) -> str:
        """Appends an initialiser and returns what it is called."""
        name = self.fresh(name)
        self.initializers.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def fresh(self, name: str) -> str:
        """`name`, or a variant of it that no other value has."""
        while name in self._taken:
            name += "_"
        self._taken.add(name)
        return name
