# SPDX-License-Identifier: Apache-2.0
"""The networks of the onnx package, and our own: imported, or refused, in seconds."""

import re
import time
from pathlib import Path

import onnx
import pytest

from designs.models import NETWORKS
from flexcc.errors import InputError
from flexcc.frontend import load_model
from flexcc.frontend.network import NodePlace, Place, import_network

LIGHT = sorted((Path(onnx.__file__).parent / "backend" / "test" / "data" / "light").glob("*.onnx"))
SECONDS = 10
# What no handler takes yet, in the middle of a network.
MISSING = {
    "AveragePool", "Concat", "GlobalAveragePool", "LRN", "Pad", "Reshape", "Resize", "Transpose",
}  # fmt: skip


def check(model: onnx.ModelProto) -> None:
    start = time.process_time()
    problem, nodes = "", tuple[NodePlace, ...]()
    try:
        nodes = import_network(model).nodes
    except InputError as error:
        problem = str(error)
    assert time.process_time() - start < SECONDS
    refused = set(re.findall(r"^\S+ \((\w+)\): ", problem, re.M))
    assert bool(nodes) != bool(refused), problem
    assert refused <= MISSING
    assert {node.op for node in nodes if node.place is Place.TAIL} <= {"Softmax"}
    assert all(node.place is not Place.HEAD for node in nodes)


@pytest.mark.slow
@pytest.mark.parametrize("path", LIGHT, ids=lambda path: path.stem)
def test_networks_of_the_onnx_package(path: Path) -> None:
    check(load_model(path))


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_designs(name: str) -> None:
    check(NETWORKS[name]())


def test_there_are_networks() -> None:
    assert len(LIGHT) == 9
