# SPDX-License-Identifier: Apache-2.0
"""The networks of the onnx package, and our own: all imported, in seconds."""

import time
from pathlib import Path

import onnx
import pytest

from designs.models import NETWORKS
from flexcc.frontend import load_model
from flexcc.frontend.network import Place, import_network
from flexcc.passes import lower

LIGHT = sorted((Path(onnx.__file__).parent / "backend" / "test" / "data" / "light").glob("*.onnx"))
SECONDS = 10


def check(model: onnx.ModelProto, tail: set[str]) -> None:
    """The accelerator takes everything but operators of `tail`, which the host runs behind it."""
    start = time.process_time()
    network = import_network(model)
    lower(network.graph)
    assert time.process_time() - start < SECONDS
    places = {node.place for node in network.nodes}
    assert places <= {Place.COMPILER, Place.ACCELERATOR, Place.TAIL}
    assert {node.op for node in network.nodes if node.place is Place.TAIL} == tail


@pytest.mark.slow
@pytest.mark.parametrize("path", LIGHT, ids=lambda path: path.stem)
def test_networks_of_the_onnx_package(path: Path) -> None:
    check(load_model(path), set() if "densenet" in path.stem else {"Softmax"})


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_designs(name: str) -> None:
    check(NETWORKS[name](), {"Softmax"} if name == "unet" else set())


def test_there_are_networks() -> None:
    assert len(LIGHT) == 9
