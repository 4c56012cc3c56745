# SPDX-License-Identifier: Apache-2.0
"""How far the reference and ONNX Runtime agree on whole networks: the measure and its figures."""

from dataclasses import replace

import numpy as np
import pytest

from designs.agreement import figures
from designs.agreement.figures import Agreement, Output, agreement, stored, to_json
from designs.agreement.networks import CASES, Case, random_network
from designs.agreement.table import section
from designs.design import FOLDER
from designs.enet.network import build as build_enet
from designs.resnet50.network import build as build_resnet50
from designs.trained.models import VARIABLE, find_model
from designs.unet.network import build as build_unet
from flexcc.frontend.compare import SHARE_EQUAL
from tests.models import random_integer_graph

OTHERS = ("unet_pupil", "centerface_512", "openpose_mobilenet_thin")
"""Models that are not part of the repository."""

KNOWN = Agreement(
    inputs=2,
    layers=3,
    elements=2_000,
    equal=1_990,
    ties=100,
    equal_ties=91,
    largest_difference=1,
    least_share_equal=0.99995,
    wide=0,
    problems=(),
    outputs=(Output(name="y", elements=1_000, equal=999, largest_difference=1),),
)


def check_layers(name: str, found: Agreement) -> None:
    assert not found.problems, name
    assert found.largest_difference <= 1
    assert found.least_share_equal >= SHARE_EQUAL
    assert found.elements > 0


def check_ends(found: Agreement) -> None:
    """All outputs are equal: scales are chosen for it."""
    assert [output.equal for output in found.outputs] == [
        output.elements for output in found.outputs
    ]


def test_a_random_network_agrees(seed: int) -> None:
    graph = random_integer_graph(np.random.default_rng(seed), depth=5)
    (port,) = graph.inputs
    x = np.random.default_rng(seed).normal(size=(3, *port.onnx_shape[1:])).astype(np.float32)
    found = agreement(Case(graph=graph, x=x))
    check_layers("random", found)
    assert found.inputs == 3
    assert found.layers == len(graph.layers) + 1
    assert [output.name for output in found.outputs] == [graph.outputs[0].onnx_name]


@pytest.mark.parametrize("build", [build_enet, build_unet, build_resnet50])
def test_small_networks_of_random_weights_agree(build) -> None:  # type: ignore[no-untyped-def]
    case = random_network(lambda: build(64))
    found = agreement(case)
    check_layers(build.__module__, found)
    check_ends(found)
    assert len(case.x) == 1


def test_table_states_ties_and_what_differs() -> None:
    text = section({"net": KNOWN, "exact": replace(KNOWN, equal=2_000, ties=0, equal_ties=0)})
    assert "| net | 2 | 3 | 2,000 | 1 | 99.9950% | 91 of 100 | 1 |" in text
    assert "| exact | 2 | 3 | 2,000 | 0 | 99.9950% | none | 1 |" in text
    assert "| net | y | 99.90% | 1,000 | 1 |" in text
    nearly = Output(name="y", elements=1_000_000, equal=999_999, largest_difference=1)
    assert "| y | > 99.99% | 1,000,000 | 1 |" in section({"n": replace(KNOWN, outputs=(nearly,))})


def test_stored_figures_are_good_and_stated() -> None:
    found = stored()
    assert list(found) == list(CASES)
    assert to_json(found) == figures.STORED.read_text()
    for name, each in found.items():
        check_layers(name, each)
        check_ends(each)
    assert section(found) in (FOLDER.parent / "docs" / "results.md").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_networks_agree(name: str) -> None:
    model, _, _ = name.partition(",")
    if model in OTHERS and find_model(model) is None:
        pytest.skip(f"{model}.onnx is neither in models/ nor in ${VARIABLE}")
    found = agreement(CASES[name]())
    check_layers(name, found)
    check_ends(found)
