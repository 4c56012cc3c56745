# SPDX-License-Identifier: Apache-2.0
"""Biases that make up for what rounding activations takes from means."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from flexcc import reference
from flexcc.frontend.observe import observe
from flexcc.ir.graph import Graph
from flexcc.ir.layers import Clamp, Convolution
from flexcc.quantization import CalibrationMethod, QuantizationOptions, quantize
from flexcc.quantization.settle import settle_biases
from tests.models import chain, random_conv, random_float_graph, tensor, transposed
from tests.quantization import run_on_reals

Floats = NDArray[np.float32]

# Values beyond the range saturate, always in one direction.
SATURATING = QuantizationOptions(method=CalibrationMethod.PERCENTILE, percentile=99.0)


def a_case(seed: int, trial: int, transpose: bool) -> tuple[Graph, dict[str, Floats]]:
    """A deep float network, and samples whose values are mostly small: their rounding shifts."""
    rng = np.random.default_rng([seed, trial])
    graph = random_float_graph(rng, depth=8, transpose=transpose)
    (port,) = graph.inputs
    x = rng.normal(size=(8, *port.onnx_shape[1:])) ** 5
    return graph, {port.tensor: x.astype(np.float32)}


def mean_error(graph: Graph, source: Graph, x: dict[str, Floats]) -> float:
    """How far the means of the outputs' channels are from the real ones, relative to them."""
    (port,) = source.outputs
    real = reference.run_float(source, x)[port.tensor]
    found = run_on_reals(graph, x)[port.tensor]
    return float(np.abs((found - real).mean(axis=(0, 2, 3))).sum() / np.abs(real).mean())


@pytest.mark.parametrize("transpose", [False, True])
def test_means_of_outputs_come_closer(seed: int, transpose: bool) -> None:
    before = after = 0.0
    for trial in range(8):
        rng = np.random.default_rng([seed, trial])
        first = random_conv(rng, "a", ("x", tensor(6, 12, 12)), channels=8, kernel=(3, 3))
        between = chain(tensor(6, 12, 12), [first]).tensors["a_out"]
        plain = random_conv(rng, "b", ("a_out", between), channels=4, kernel=(2, 2))
        second: Convolution = transposed(plain) if transpose else plain
        layers = [replace(first, clamp=Clamp(low=0.0)), replace(second, clamp=Clamp())]
        graph = chain(tensor(6, 12, 12), layers)
        x = {"x": rng.normal(size=(8, 6, 12, 12)).astype(np.float32)}
        before += mean_error(quantize(graph, x, SATURATING).graph, graph, x)
        settled = replace(SATURATING, settle_bias=True)
        after += mean_error(quantize(graph, x, settled).graph, graph, x)
    assert after < before / 2


def test_nothing_but_biases_changes(seed: int) -> None:
    graph, x = a_case(seed, 0, False)
    plain = quantize(graph, x).graph
    settled, again = (quantize(graph, x, QuantizationOptions(settle_bias=True)) for _ in range(2))
    assert settled.graph.tensors == plain.tensors
    changed = 0
    for first, second in zip(plain.layers, settled.graph.layers, strict=True):
        if isinstance(first, Convolution):
            assert isinstance(second, Convolution)
            assert np.array_equal(first.weight, second.weight)
            changed += int((first.bias != second.bias).sum())
    assert changed > 0
    models = [each.exported.model.SerializeToString() for each in (settled, again)]
    assert models[0] == models[1]


def test_a_bias_that_does_not_fit_stays(seed: int) -> None:
    graph, x = a_case(seed, 0, False)
    quantized = quantize(graph, x)
    far = tuple(
        replace(layer, bias=np.full_like(layer.bias, 1e30))
        if isinstance(layer, Convolution)
        else layer
        for layer in graph.layers
    )
    images = observe(quantized.source, x)
    settled = settle_biases(quantized.graph, replace(graph, layers=far), images, 8)
    for first, second in zip(quantized.graph.layers, settled.layers, strict=True):
        if isinstance(first, Convolution):
            assert isinstance(second, Convolution)
            assert np.array_equal(first.bias, second.bias)
