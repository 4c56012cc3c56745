# SPDX-License-Identifier: Apache-2.0
"""The integer reference against ONNX Runtime: random networks, and a trained one on its data."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from flexcc.frontend import import_model, load_calibration, load_model
from flexcc.frontend.compare import Comparison, TensorComparison, compare, optimized
from flexcc.frontend.export import export_model
from flexcc.ir.graph import Graph
from flexcc.ir.layers import Conv2d, ConvTranspose2d, MaxPool2d
from flexcc.passes import lower
from flexcc.quantization import quantize
from tests.models import (
    chain,
    random_conv,
    random_float_graph,
    random_integer_graph,
    tensor,
)

MNIST = Path(__file__).parents[2] / "designs" / "mnist_conv_u250"


def _samples(graph: Graph, rng: np.random.Generator, count: int) -> dict[str, NDArray[np.float32]]:
    return {
        port.tensor: rng.normal(size=(count, *port.onnx_shape[1:])).astype(np.float32)
        for port in graph.inputs
    }


def _check(comparisons: list[Comparison]) -> None:
    """Within one step everywhere, and the rest equal over all layers of all networks together."""
    total = comparisons[0].total()
    for comparison in comparisons[1:]:
        total += comparison.total()
    print(f"\n{total}")  # noqa: T201 the figures are the point
    assert total.largest_difference <= 1
    assert total.share_equal >= 0.9999
    assert total.elements > 50_000


def test_quantised_random_networks(seed: int) -> None:
    """Scales as calibration makes them."""
    comparisons = []
    for trial in range(25):
        rng = np.random.default_rng([seed, trial])
        graph = random_float_graph(rng, depth=5, transpose=trial % 2 == 1)
        model = quantize(graph, _samples(graph, rng, 4))
        comparisons.append(compare(model.graph, _samples(graph, rng, 3)))
    _check(comparisons)


def test_random_integer_networks(seed: int) -> None:
    """Weights over all of int8, any zero points, saturating outputs."""
    comparisons = []
    for trial in range(25):
        rng = np.random.default_rng([seed, 100, trial])
        graph = random_integer_graph(rng, depth=5)
        comparisons.append(compare(graph, _samples(graph, rng, 3)))
    _check(comparisons)


def test_transposed_layers_are_equal_but_for_ties(seed: int) -> None:
    """ONNX Runtime sums them in float32, so what lies close to a tie may differ by a step."""
    found = None
    for trial in range(60):
        rng = np.random.default_rng([seed, 200, trial])
        graph = random_integer_graph(rng, depth=4, transpose=True)
        layers = compare(graph, _samples(graph, rng, 2)).layers
        names = {layer.name for layer in graph.layers if isinstance(layer, ConvTranspose2d)}
        for layer in layers:
            if layer.name in names:
                found = layer if found is None else found + layer
    assert found is not None
    print(f"\n{found}")  # noqa: T201 the figures are the point
    assert found.elements > 100_000
    assert found.ties < found.elements / 500
    assert found.share_equal == 1
    assert found.largest_difference <= 1


def test_ties_round_to_even_in_both(seed: int) -> None:
    """Scales that are powers of two put many values exactly between two outputs."""
    rng = np.random.default_rng(seed)
    source = tensor(3, 9, 9, 1.0, 5)
    conv = replace(
        random_conv(rng, "c", ("x", source), channels=8, kernel=(2, 2)),
        weight=rng.integers(-8, 8, (8, 3, 2, 2)).astype(np.int8),
        weight_scale=np.ones(8, np.float32),
        bias=rng.integers(-9, 9, 8).astype(np.int32),
    )
    graph = chain(source, [conv])
    graph = replace(graph, tensors={"x": source, "c_out": tensor(8, 8, 8, 32.0, -3)})
    x = rng.integers(-128, 128, (3, 3, 9, 9)).astype(np.float32)
    (_, layer) = compare(graph, {"x": x}).layers
    assert layer.ties > layer.elements / 100
    assert layer.equal_ties == layer.ties
    assert layer.equal == layer.elements


def test_onnx_runtime_runs_every_layer_in_integers(seed: int) -> None:
    """Otherwise the comparison would be with float32 sums."""
    for trial in range(5):
        graph = random_integer_graph(np.random.default_rng([seed, trial]), depth=5)
        model = optimized(export_model(graph).model)
        counts = Counter(node.op_type for node in model.graph.node)
        assert counts["QLinearConv"] == sum(isinstance(layer, Conv2d) for layer in graph.layers)
        assert counts["Conv"] == 0
        assert counts["MaxPool"] == sum(isinstance(layer, MaxPool2d) for layer in graph.layers)


def test_mnist_conv() -> None:
    graph = lower(import_model(load_model(MNIST / "model.onnx")))
    samples = load_calibration(MNIST / "digits.npz", graph)
    comparison = compare(quantize(graph, samples).graph, {"Input3": samples["Input3"][:100]})
    print(f"\n{comparison}")  # noqa: T201
    assert not comparison.problems()
    assert comparison.outputs[0].equal / comparison.outputs[0].elements > 0.99


def test_comparison_can_fail(seed: int) -> None:
    """A wrong bias in one layer is found there and nowhere else."""
    rng = np.random.default_rng(seed)
    graph = random_integer_graph(rng, depth=5)
    exported = export_model(graph)
    conv = graph.layers[3]
    assert isinstance(conv, Conv2d)
    wrong = replace(conv, bias=(conv.bias + 20000).astype(np.int32))
    layers = tuple(wrong if layer is conv else layer for layer in graph.layers)
    comparison = compare(replace(graph, layers=layers), _samples(graph, rng, 3), exported)
    assert [problem.split(":")[0] for problem in comparison.problems()] == [conv.name]


def test_both_limits_are_checked() -> None:
    good = TensorComparison(
        name="a", elements=20_000, equal=19_998, ties=100, equal_ties=99, largest_difference=1
    )
    assert not Comparison(layers=(good,), outputs=()).problems()
    far = replace(good, largest_difference=2)
    few = replace(good, equal=19_996)
    assert len(Comparison(layers=(far, few, good), outputs=()).problems()) == 2
