# SPDX-License-Identifier: Apache-2.0
"""LRN: as ONNX Runtime computes it, in real numbers and in integers."""

from typing import Any

import numpy as np
import pytest

from flexcc import reference
from flexcc.errors import InputError
from flexcc.frontend import import_model
from flexcc.frontend.compare import compare
from flexcc.ir.graph import Graph
from flexcc.ir.layers import LocalNorm
from flexcc.passes import lower
from flexcc.quantization import Precision, QuantizationOptions, quantize
from tests.onnx_models import assert_imports_like_onnx_runtime, make_model, node, run_onnx
from tests.quantization import quantization_of, run_on_reals

# AlexNet's.
USUAL = {"size": 5, "alpha": 1e-4, "beta": 0.75, "bias": 1.0}


@pytest.mark.parametrize(
    "attributes",
    [
        {"size": 5},
        {"size": 3, "alpha": 2.0, "beta": 0.5, "bias": 0.25},
        {"size": 1, "alpha": 1.0},
        {"size": 31, "alpha": 3.0, "beta": 1.0, "bias": 4.0},
    ],
)
def test_like_onnx_runtime(attributes: dict[str, Any]) -> None:
    model = make_model([node("LRN", "x", "y", **attributes)], shape=(1, 8, 6, 7))
    graph = assert_imports_like_onnx_runtime(model, np.random.default_rng(0))
    assert [type(layer) for layer in graph.layers] == [LocalNorm]


def test_one_dimension() -> None:
    """ONNX's tools take images alone; one of height 1 is the same."""
    x = np.random.default_rng(0).normal(size=(1, 7, 6)).astype(np.float32)
    lrn = node("LRN", "x", "y", size=3, alpha=5.0)
    expected = run_onnx(make_model([lrn], shape=(1, 7, 1, 6)), {"x": x[:, :, None]})["y"]
    graph = lower(import_model(make_model([lrn], shape=(1, 7, 6))))
    found = reference.run_float(graph, {"x": x[:, :, None]})["y"]
    assert graph.outputs[0].onnx_shape == (1, 7, 6)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def _network(rng: np.random.Generator) -> Graph:
    nodes = [
        node("Conv", "x w", "a", "conv", kernel_shape=[3, 3]),
        node("Relu", "a", "b"),
        node("LRN", "b", "c", "norm", **USUAL),
        node("MaxPool", "c", "y", "pool", kernel_shape=[2, 2]),
    ]
    model = make_model(nodes, {"w": rng.normal(size=(16, 3, 3, 3))}, shape=(1, 3, 24, 24))
    return lower(import_model(model))


@pytest.mark.parametrize(
    ("precision", "range_in_steps"), [(Precision.A8, 256), (Precision.A16, 65536)]
)
@pytest.mark.parametrize(("size_of_inputs", "limit"), [(1, 0.75), (10, 1), (100, 2.25)])
def test_integers(
    size_of_inputs: float, limit: float, precision: Precision, range_in_steps: int
) -> None:
    """For inputs for which the factors hardly matter, and for which they are as small as 1/30."""
    rng = np.random.default_rng(0)
    graph = _network(rng)
    samples = {"x": (rng.normal(size=(4, 3, 24, 24)) * size_of_inputs).astype(np.float32)}
    integer = quantize(graph, samples, QuantizationOptions(precision=precision)).graph
    real = reference.run_float(graph, samples)["y"]
    error = (run_on_reals(integer, samples)["y"] - real) / quantization_of(integer, "y").scale
    # Rounded weights are part of it: they have 8 bits in both.
    parts = np.sqrt((error**2).mean()) / range_in_steps
    assert parts <= limit / 256 / (1 if precision is Precision.A8 else 2)
    comparison = compare(integer, samples)
    assert not comparison.problems()
    [norm] = [layer for layer in comparison.layers if layer.name == "norm"]
    assert norm.elements > 20_000


@pytest.mark.parametrize(
    ("attributes", "problem"),
    [
        ({}, "size is 0, but must be odd"),
        ({"size": 4}, "size is 4, but must be odd"),
        ({"size": 2**40 + 1}, "size is 1099511627777, but must be odd, from 1 to 1048575"),
        ({"size": 3, "alpha": -1.0}, "alpha is -1, but must be positive"),
        ({"size": 3, "beta": 0.0}, "beta is 0, but must be positive"),
        ({"size": 3, "bias": 0.0}, "bias is 0, but must be positive"),
    ],
)
def test_refusals(attributes: dict[str, Any], problem: str) -> None:
    with pytest.raises(InputError, match=rf"lrn_1 .LRN.: .*{problem}"):
        import_model(make_model([node("LRN", "x", "y", **attributes)]))
