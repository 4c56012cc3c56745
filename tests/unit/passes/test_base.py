# SPDX-License-Identifier: Apache-2.0
"""A pipeline verifies before the first pass and after each."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest

from flexcc.ir.graph import Graph
from flexcc.ir.verify import VerifyError
from flexcc.passes.base import Pass, run_pipeline
from tests.models import random_float_graph


@dataclass(frozen=True, slots=True)
class Spoil(Pass):
    """Removes all layers."""

    name: ClassVar[str] = "spoil"

    def run(self, graph: Graph) -> Graph:
        """A graph that is not valid."""
        return replace(graph, layers=())


def test_broken_pass_is_named() -> None:
    graph = random_float_graph(np.random.default_rng(0))
    assert run_pipeline([], graph) is graph
    with pytest.raises(VerifyError) as raised:
        run_pipeline([Spoil()], graph)
    assert raised.value.__notes__ == ["after pass spoil"]


def test_broken_input_is_not_blamed_on_a_pass() -> None:
    graph = replace(random_float_graph(np.random.default_rng(0)), layers=())
    with pytest.raises(VerifyError) as raised:
        run_pipeline([Spoil()], graph)
    assert not hasattr(raised.value, "__notes__")
