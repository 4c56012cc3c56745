# SPDX-License-Identifier: Apache-2.0
"""The search for bits: the ratio is kept, at a price near the least, the same every time."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray

from flexcc import reference
from flexcc.frontend.simulate import Simulation
from flexcc.ir.graph import Graph
from flexcc.ir.types import Quantization
from flexcc.quantization import Precision, QuantizationOptions, assignment_text, quantize
from flexcc.quantization.convert import integer_graph, real_weights, weight_rounding
from flexcc.quantization.precision import widest
from flexcc.quantization.ranges import Range
from flexcc.quantization.scales import shared_tensors, tensor_scales
from flexcc.quantization.search import decibels
from tests.mixed_networks import mixed_network
from tests.models import chain, random_conv, random_float_graph, tensor
from tests.quantization import run_on_reals

AUTO = QuantizationOptions(precision=Precision.AUTO)
Floats = NDArray[np.float32]


def _samples(graph: Graph, rng: np.random.Generator, count: int = 2) -> dict[str, Floats]:
    return {
        port.tensor: rng.normal(size=(count, *port.onnx_shape[1:])).astype(np.float32)
        for port in graph.inputs
    }


def _ratios(source: Graph, integer: Graph, samples: dict[str, Floats]) -> dict[str, float]:
    real = reference.run_float(source, samples)
    result = run_on_reals(integer, samples)
    return {
        port.tensor: decibels(
            float(np.square(real[port.tensor]).mean()),
            float(np.square(result[port.tensor] - real[port.tensor]).mean()),
        )
        for port in integer.outputs
    }


def _scales(
    graph: Graph, samples: dict[str, Floats], bits: dict[str, int]
) -> dict[str, Quantization]:
    values = reference.run_float(graph, samples)
    ranges = {
        name: Range(low=min(0.0, float(each.min())), high=max(0.0, float(each.max())))
        for name, each in values.items()
    }
    return tensor_scales(graph, ranges, bits)


def test_the_simulation_is_the_integer_graph(seed: int) -> None:
    """Any mixture of bits; a tie that falls the other way inside may move outputs by steps."""
    differences = []
    for trial in range(8):
        rng = np.random.default_rng([seed, trial])
        graph = mixed_network(rng, 6) if trial % 2 else random_float_graph(rng, 5)
        samples = _samples(graph, rng, 1)
        wide = widest(graph)
        bits = {
            tensor: value
            for group in shared_tensors(graph)
            for value in [8 if rng.integers(2) else wide[group[0]]]
            for tensor in group
        }
        scales = _scales(graph, samples, bits)
        integer = integer_graph(graph, scales, weight_rounding({}, AUTO))
        simulation = Simulation(real_weights(integer, graph), list(graph.tensors))
        simulated, exact = simulation.run(samples, scales), run_on_reals(integer, samples)
        differences += [
            np.abs(simulated[port.tensor] - exact[port.tensor]).reshape(-1)
            / scales[port.tensor].scale
            for port in graph.outputs
        ]
    together = np.concatenate(differences)
    assert together.size > 500
    assert np.mean(together > 0.5) < 0.02
    assert together.max() < 40


@pytest.mark.parametrize("target_db", [15.0, 25.0, 35.0])
def test_the_ratio_is_kept_as_cheaply_as_any_way(seed: int, target_db: float) -> None:
    """Against every assignment of a small network."""
    rng = np.random.default_rng(seed)
    source = tensor(6, 12, 12)
    layers = [
        random_conv(rng, name, (of, source), channels=6, kernel=(1, 1))
        for name, of in (("a", "x"), ("b", "a_out"), ("c", "b_out"))
    ]
    layers[1] = replace(layers[1], groups=6, weight=layers[1].weight[:, :1])
    graph = chain(source, layers)
    samples = _samples(graph, rng)
    options = replace(AUTO, sqnr_db=target_db, equalize=False, correct_bias=False)
    model = quantize(graph, samples, options)
    assert model.assignment is not None
    (output,) = model.assignment.reached_db
    floor = model.assignment.widest_db[output]
    wanted = min(target_db, floor - 1.0)
    assert _ratios(graph, model.graph, samples)[output] >= wanted - 0.1
    names = list(graph.tensors)
    costs = {choice.tensors[0]: choice.macs for choice in model.assignment.choices}
    assert costs == {"x": 36 * 144, "a_out": 6 * 144, "b_out": 36 * 144, "c_out": 0}
    cheapest = min(
        sum(costs[name] for name, own in bits.items() if own == 16)
        for values in product((8, 16), repeat=len(names))
        for bits in [dict(zip(names, values, strict=True))]
        if _ratios(
            graph,
            integer_graph(graph, _scales(graph, samples, bits), weight_rounding({}, options)),
            samples,
        )[output]
        >= wanted
    )
    found = sum(costs[name] for name, own in model.assignment.bits.items() if own == 16)
    assert found <= cheapest + 6 * 144


def test_easy_targets_need_no_wide_tensors(seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = random_float_graph(rng, 4)
    samples = _samples(graph, rng)
    model = quantize(graph, samples, replace(AUTO, sqnr_db=0.0))
    assert all(
        kind.quantization.bits == 8 for kind in model.graph.tensors.values() if kind.quantization
    )
    assert model.assignment is not None
    assert "16 bits for 0 of" in assignment_text(model.assignment)


def test_targets_out_of_reach_are_told(seed: int, caplog: pytest.LogCaptureFixture) -> None:
    rng = np.random.default_rng(seed)
    graph = random_float_graph(rng, 4)
    model = quantize(graph, _samples(graph, rng), replace(AUTO, sqnr_db=90.0))
    assert "dB, for weights have 8; " in caplog.text
    assignment = model.assignment
    assert assignment is not None
    for output, widest_db in assignment.widest_db.items():
        assert widest_db - 1.05 <= assignment.reached_db[output] < 90
    text = assignment_text(assignment)
    wide = [choice.tensors[0] for choice in assignment.choices if choice.bits == 16]
    assert wide
    assert all(f"  {name}" in text for name in wide)


def test_the_same_samples_give_the_same_bits(seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = mixed_network(rng, 6)
    samples = _samples(graph, rng)
    first, second = (quantize(graph, samples, AUTO) for _ in range(2))
    assert first.assignment == second.assignment
    assert first.exported.model == second.exported.model
