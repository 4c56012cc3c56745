# SPDX-License-Identifier: Apache-2.0
"""Networks mapped without a technique: the same bytes, and what the technique does is not there."""

import random
from typing import Any

import numpy as np
import pytest

from flexcc import reference
from flexcc.backend.image import expected_image, first_difference, initial_image
from flexcc.backend.interpreter import interpret
from flexcc.backend.planner import build_plan
from flexcc.dse import Exploration, Reshape, Technique, explore
from flexcc.ir.graph import Graph
from flexcc.ir.layers import Add, Concat, Conv2d, MaxPool2d
from flexcc.targets import load_device
from tests.networks import evaluate, random_network

_ENGINES: dict[str, Any] = {
    "slopes": True,
    "tables": True,
    "sums": True,
    "bends": True,
    "window_taps": 9,
}


def _network() -> Graph:
    """A network with sums, poolings and concatenations that others read."""
    seed = 0
    while True:
        graph = random_network(random.Random(seed), 8, **_ENGINES)
        kinds = [type(layer) for layer in graph.layers]
        if all(kinds.count(kind) > 1 for kind in (Add, Concat, MaxPool2d)):
            return graph
        seed += 1


def _explored(graph: Graph, without: tuple[Technique, ...]) -> Exploration:
    """The mapping, whose run through the model of the hardware leaves the reference's bytes."""
    found = explore(graph, load_device("u250"), (8, 4, 8), tuple(Reshape), without=without)
    rng = np.random.default_rng(1)
    images = {}
    for port in graph.inputs:
        type_ = graph.tensors[port.tensor]
        shape = (type_.channels, type_.height, type_.width)
        images[port.tensor] = rng.integers(-128, 128, shape, np.int8)
    ports = {port.onnx_name: images[port.tensor][np.newaxis] for port in graph.inputs}
    packed = {name: x[0] for name, x in found.graph.pack_inputs(ports).items()}
    plan = build_plan(found.graph, found.mapping)
    initial = initial_image(plan, packed)
    after, _ = interpret(
        plan.accelerator,
        initial,
        program_address=plan.program_address,
        program_beats=(len(initial) - plan.program_address) // plan.accelerator.beat_bytes,
    )
    expected = expected_image(plan, initial, evaluate(found.graph, packed))
    assert first_difference(plan, expected, after) is None
    if Technique.LAYOUT in without:
        whole = reference.run(graph, {name: x[np.newaxis] for name, x in images.items()})
        for port in graph.outputs:
            np.testing.assert_array_equal(
                reference.run(found.graph, {n: x[np.newaxis] for n, x in packed.items()})[
                    port.tensor
                ],
                whole[port.tensor],
            )
    return found


@pytest.mark.parametrize("without", [(), *((each,) for each in Technique), tuple(Technique)])
def test_the_bytes_stay(without: tuple[Technique, ...]) -> None:
    graph = _network()
    found = _explored(graph, without)
    stages = [group.chain for group in found.mapping.groups]
    layers = {layer.name: layer for layer in found.graph.layers}
    carriers = [layers[chain.conv] for chain in stages if len(chain.names) > 1]
    identities = [isinstance(conv, Conv2d) and conv.of_single_values for conv in carriers]
    assert all(identities) is (Technique.FUSION in without)
    if Technique.FUSION in without:
        assert all(chain.window is None and chain.bend is None for chain in stages)
    for join in (layer for layer in found.graph.layers if isinstance(layer, Concat)):
        users = found.graph.users(join.output)
        copied = len(users) == 1 and users[0].name.startswith(f"{join.name}_copy")
        assert copied is (Technique.LAYOUT in without)
    if Technique.TILING in without:
        sizes: dict[tuple[int, int], set[tuple[int, int]]] = {}
        for group in found.mapping.groups:
            if isinstance(layers[group.chain.conv], Conv2d):
                output = found.graph.tensors[layers[group.chain.names[-1]].output]
                own = sizes.setdefault((output.height, output.width), set())
                own.add((group.tile_rows, group.tile_cols))
        assert all(len(own) == 1 for own in sizes.values())


def test_a_network_is_no_faster_without() -> None:
    graph = _network()
    cycles = [
        explore(
            graph, load_device("u250"), (8, 4, 8), tuple(Reshape), without=without
        ).estimate.cycles
        for without in ((), (Technique.FUSION,), (Technique.LAYOUT,), tuple(Technique))
    ]
    assert cycles[0] == min(cycles) < cycles[-1]
