# SPDX-License-Identifier: Apache-2.0
"""Functions that a model brings along."""

import numpy as np
import onnx
import pytest
from onnx import helper

from flexcc.errors import InputError
from flexcc.frontend import import_model
from tests.onnx_models import assert_imports_like_onnx_runtime, make_model, node

DOMAIN = "com.example"
IMPORTS = [helper.make_opsetid("", 13), helper.make_opsetid(DOMAIN, 1)]


def function(name: str, nodes: list[onnx.NodeProto]) -> onnx.FunctionProto:
    return helper.make_function(DOMAIN, name, ["a", "b"], ["c"], nodes, IMPORTS)


def model_with(functions: list[onnx.FunctionProto]) -> onnx.ModelProto:
    nodes = [node("Layer", "x w", "y", "layer", domain=DOMAIN)]
    model = make_model(nodes, {"w": np.ones((3, 3, 1, 1))})
    model.opset_import.append(helper.make_opsetid(DOMAIN, 1))
    model.functions.extend(functions)
    return model


def test_functions_are_inlined(seed: int) -> None:
    inner = function("Inner", [node("Conv", "a b", "c", "conv")])
    outer = function(
        "Layer", [node("Inner", "a b", "t", "inner", domain=DOMAIN), node("Relu", "t", "c", "relu")]
    )
    model = model_with([outer, inner])
    graph = assert_imports_like_onnx_runtime(model, np.random.default_rng(seed), lowered=False)
    assert [type(layer).__name__ for layer in graph.layers] == ["Conv2d", "Clip"]


@pytest.mark.parametrize("called", ["Layer", "Other"])
def test_functions_that_call_themselves(called: str) -> None:
    functions = [
        function("Layer", [node(called, "a b", "c", "again", domain=DOMAIN)]),
        function("Other", [node("Layer", "a b", "c", "again", domain=DOMAIN)]),
    ]
    with pytest.raises(InputError, match=r"functions call themselves: com.example.Layer"):
        import_model(model_with(functions))


def test_functions_that_call_themselves_in_a_subgraph() -> None:
    branch = helper.make_graph(
        [node("Layer", "a b", "t", "again", domain=DOMAIN)],
        "branch",
        [],
        [helper.make_empty_tensor_value_info("t")],
    )
    choice = helper.make_node("If", ["a"], ["c"], then_branch=branch, else_branch=branch)
    with pytest.raises(InputError, match="functions call themselves"):
        import_model(model_with([function("Layer", [choice])]))
