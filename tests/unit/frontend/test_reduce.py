# SPDX-License-Identifier: Apache-2.0
"""ReduceMean and ReduceMax over channels and pixels, in float against ONNX Runtime."""

from typing import Any

import numpy as np
import onnx
import pytest

from flexcc.errors import InputError
from flexcc.frontend import import_model
from flexcc.ir.layers import AveragePool2d, ChannelMax, Conv2d, MaxPool2d
from tests.onnx_models import assert_imports_like_onnx_runtime, make_model, node


def _model(operator: str, axes: list[int] | None, *, opset: int, **attributes: Any) -> Any:
    constants = {}
    inputs = "a"
    if axes is not None and opset >= 18:
        inputs, constants = "a k", {"k": np.array(axes, np.int64)}
    elif axes is not None:
        attributes["axes"] = axes
    nodes = [node("Tanh", "x", "a"), node(operator, inputs, "b", **attributes)]
    return make_model([*nodes, node("Exp", "b", "y")], constants, opset=opset)


@pytest.mark.parametrize("opset", [13, 18])
@pytest.mark.parametrize(
    ("axes", "kinds"),
    [
        ([2, 3], (AveragePool2d, MaxPool2d)),
        ([-1], (AveragePool2d, MaxPool2d)),
        ([2], (AveragePool2d, MaxPool2d)),
        ([1], (Conv2d, ChannelMax)),
        ([0, 1], (Conv2d, ChannelMax)),
    ],
)
def test_axes(seed: int, opset: int, axes: list[int], kinds: tuple[type, type]) -> None:
    for operator, kind in zip(("ReduceMean", "ReduceMax"), kinds, strict=True):
        model = _model(operator, axes, opset=opset, keepdims=1)
        graph = assert_imports_like_onnx_runtime(model, np.random.default_rng(seed))
        assert isinstance(graph.layers[1], kind)


@pytest.mark.parametrize("axes", [None, [1, 2, 3], [1, 3]])
def test_channels_and_pixels(seed: int, axes: list[int] | None) -> None:
    model = _model("ReduceMean", axes, opset=13)
    graph = assert_imports_like_onnx_runtime(model, np.random.default_rng(seed))
    assert isinstance(graph.layers[1], Conv2d)


@pytest.mark.parametrize("operator", ["ReduceMean", "ReduceMax"])
def test_dropped_dimensions(seed: int, operator: str) -> None:
    model = _model(operator, [2, 3], opset=13, keepdims=0)
    assert_imports_like_onnx_runtime(model, np.random.default_rng(seed))
    nodes = [
        node("Tanh", "x", "a"),
        node(operator, "a", "b", axes=[1], keepdims=0),
        node("Unsqueeze", "b one", "c"),
        node("Mul", "a c", "y"),
    ]
    model = make_model(nodes, {"one": np.array([1], np.int64)})
    assert_imports_like_onnx_runtime(model, np.random.default_rng(seed))


def test_nothing_to_reduce(seed: int) -> None:
    model = _model("ReduceMean", [], opset=18, noop_with_empty_axes=1)
    graph = assert_imports_like_onnx_runtime(model, np.random.default_rng(seed))
    assert len(graph.layers) == 1


@pytest.mark.parametrize(
    ("model", "problem"),
    [
        (_model("ReduceMax", [1, 2], opset=13), "over channels and pixels at once"),
        (_model("ReduceMean", [4], opset=13), "its axes .* are out of range"),
    ],
)
def test_refused(model: onnx.ModelProto, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        import_model(model)
