# SPDX-License-Identifier: Apache-2.0
"""Networks of all layer kinds: integers against ONNX Runtime, export and import again."""

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from flexcc import reference
from flexcc.frontend import import_model
from flexcc.frontend.compare import TensorComparison, compare
from flexcc.ir.graph import Graph
from flexcc.ir.layers import Layer
from flexcc.ir.verify import verify
from flexcc.passes import lower
from flexcc.quantization import quantize
from tests.mixed_networks import mixed_network
from tests.quantization import run_on_reals

NETWORKS = 48


def _samples(graph: Graph, rng: np.random.Generator, count: int) -> dict[str, NDArray[np.float32]]:
    return {
        port.tensor: rng.normal(size=(count, *port.onnx_shape[1:])).astype(np.float32)
        for port in graph.inputs
    }


def test_integers_against_onnx_runtime(seed: int) -> None:
    """Within one step everywhere, and equal but for ties over all layers of a kind together."""
    totals: dict[type[Layer], TensorComparison] = {}
    for trial in range(NETWORKS):
        rng = np.random.default_rng([seed, trial])
        graph = lower(mixed_network(rng))
        verify(graph)
        model = quantize(graph, _samples(graph, rng, 4))
        comparison = compare(model.graph, _samples(graph, rng, 3))
        kinds = {layer.name: type(layer) for layer in graph.layers}
        for found in comparison.layers[1:]:
            kind = kinds[found.name]
            totals[kind] = totals[kind] + found if kind in totals else found
    for kind, total in totals.items():
        print(  # noqa: T201 the figures are the point
            f"\n{kind.__name__}: {total.share_equal:.5%} of {total.elements - total.ties} equal, "
            f"{total.equal_ties} of {total.ties} ties"
        )
        assert total.largest_difference <= 1, kind
        assert total.share_equal >= 0.9999, kind
        assert total.elements > 1_000, kind


def test_every_kind_occurs(seed: int) -> None:
    counts = Counter(
        type(layer).__name__
        for trial in range(NETWORKS)
        for layer in mixed_network(np.random.default_rng([seed, trial])).layers
    )
    kinds = [
        *("Add", "AveragePool2d", "ChannelMax", "Concat", "Conv2d", "ConvTranspose2d"),
        *("DepthToSpace", "Interpolate2d", "LocalNorm", "MaxPool2d", "Mul", "Select"),
        *("SpaceToDepth", "Table"),
    ]
    assert sorted(counts) == kinds
    assert min(counts.values()) >= 3


def test_exported_model_imports_as_the_same_integers(seed: int) -> None:
    merged = 0
    for trial in range(NETWORKS):
        rng = np.random.default_rng([seed, 1, trial])
        graph = lower(mixed_network(rng))
        quantized = quantize(graph, _samples(graph, rng, 3))
        again = lower(import_model(quantized.exported.model))
        names = [[layer.name for layer in each.layers] for each in (graph, again)]
        # Padding that counts in a mean is a layer of the model, which may join another selection.
        if names[0] != names[1]:
            assert any(name.endswith(".pad") for name in names[1])
            merged += 1
        samples = _samples(graph, rng, 2)
        ours, theirs = (run_on_reals(each, samples) for each in (quantized.graph, again))
        for port, other in zip(quantized.graph.outputs, again.outputs, strict=True):
            assert np.array_equal(ours[port.tensor], theirs[other.tensor]), (trial, port.tensor)
    assert merged <= 2


def test_integers_stay_close_to_the_real_numbers(seed: int) -> None:
    """Rounding alone separates the two: a layer with a wrong meaning would be far off."""
    errors = []
    for trial in range(NETWORKS):
        rng = np.random.default_rng([seed, 2, trial])
        graph = lower(mixed_network(rng, layers=3))
        samples = _samples(graph, rng, 4)
        integers = run_on_reals(quantize(graph, samples).graph, samples)
        reals = reference.run_float(graph, samples)
        for port in graph.outputs:
            real, integer = reals[port.tensor], integers[port.tensor]
            errors.append(float(np.abs(real - integer).mean() / max(np.abs(real).max(), 1e-9)))
    assert np.median(errors) < 0.01
    assert max(errors) < 0.1
