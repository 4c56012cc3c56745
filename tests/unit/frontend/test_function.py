# SPDX-License-Identifier: Apache-2.0
"""Operators that are functions of one variable, in float against ONNX Runtime."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from flexcc.errors import InputError
from flexcc.frontend import import_model
from flexcc.frontend.function import FUNCTIONS
from flexcc.ir.layers import Conv2d, Table
from tests.onnx_models import assert_imports_like_onnx_runtime, make_model, node

# What brings normal numbers to where the function is defined.
WITHIN_ONE = ("Acos", "Asin", "Atanh", "Log", "Sqrt")
ATTRIBUTES: dict[str, dict[str, Any]] = {
    "Celu": {"alpha": 0.5},
    "Elu": {"alpha": 0.25},
    "HardSigmoid": {"alpha": 0.3, "beta": 0.4},
    "Selu": {"alpha": 1.5, "gamma": 0.75},
    "ThresholdedRelu": {"alpha": 0.5},
}


@pytest.mark.parametrize("operator", FUNCTIONS)
@pytest.mark.parametrize("default", [True, False])
def test_functions(seed: int, operator: str, default: bool) -> None:
    attributes: dict[str, Any] = {} if default else ATTRIBUTES.get(operator, {})
    nodes = [node(operator, "x", "y", **attributes)]
    if operator in WITHIN_ONE:
        nodes = [node("Sigmoid", "x", "a"), node(operator, "a", "y", **attributes)]
    if operator == "Acosh":
        nodes = [node("Exp", "x", "a"), node("Add", "a one", "b"), node(operator, "b", "y")]
    model = make_model(nodes, {"one": np.ones(1)}, opset=22)
    (layer,) = assert_imports_like_onnx_runtime(model, np.random.default_rng(seed)).layers
    assert isinstance(layer, Table)


@pytest.mark.parametrize(
    ("operator", "opset", "attributes"),
    [
        ("Gelu", 20, {}),
        ("Gelu", 20, {"approximate": "tanh"}),
        ("Mish", 18, {}),
        ("Swish", 24, {}),
        ("Swish", 24, {"alpha": 1.5}),
    ],
)
def test_compound_functions(
    seed: int, operator: str, opset: int, attributes: dict[str, Any]
) -> None:
    model = make_model([node(operator, "x", "y", **attributes)], opset=opset, ir_version=10)
    (layer,) = assert_imports_like_onnx_runtime(model, np.random.default_rng(seed)).layers
    assert isinstance(layer, Table)


@pytest.mark.parametrize("exponent", [np.array(2.0), np.array([3], np.int64), np.array([[0.5]])])
def test_powers(seed: int, exponent: NDArray[Any]) -> None:
    nodes = [node("Sigmoid", "x", "a"), node("Pow", "a k", "y")]
    model = make_model(nodes, {"k": exponent})
    assert_imports_like_onnx_runtime(model, np.random.default_rng(seed))


def test_number_divided_by_a_tensor(seed: int) -> None:
    nodes = [node("Sigmoid", "x", "a"), node("Div", "k a", "y")]
    graph = assert_imports_like_onnx_runtime(
        make_model(nodes, {"k": np.array([[2.5]])}), np.random.default_rng(seed)
    )
    assert len(graph.layers) == 1


def test_negation_is_arithmetic(seed: int) -> None:
    graph = assert_imports_like_onnx_runtime(
        make_model([node("Neg", "x", "y")]), np.random.default_rng(seed)
    )
    assert isinstance(graph.layers[0], Conv2d)


@pytest.mark.parametrize(
    ("operator", "attributes", "problem"),
    [
        ("Gelu", {"approximate": "erf"}, "approximate=erf is not defined by ONNX"),
        ("Celu", {"alpha": 0.0}, "it divides by alpha, which is 0"),
        ("Tanh", {"axis": 1}, "its attribute axis is not supported"),
    ],
)
def test_refused(operator: str, attributes: dict[str, Any], problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        import_model(make_model([node(operator, "x", "y", **attributes)], opset=20))
