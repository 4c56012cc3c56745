# SPDX-License-Identifier: Apache-2.0
"""Reshape, Flatten, Identity, Dropout, and shapes computed in the model."""

from typing import Any

import numpy as np
import onnx
import pytest

from flexcc.errors import InputError
from flexcc.frontend import import_model
from flexcc.passes import lower
from tests.onnx_models import assert_imports_like_onnx_runtime, make_model, node


def _ints(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def _reshaped(*shape: int, **attributes: Any) -> onnx.ModelProto:
    nodes = [node("Relu", "x", "r"), node("Reshape", "r s", "y", "n", **attributes)]
    return make_model(nodes, {"s": _ints(*shape)}, opset=14)


@pytest.mark.parametrize(
    "shape", [(1, 126), (1, -1), (-1, 126), (0, -1), (126,), (-1,), (1, 6, 3, 7), (0, 0, 7, -1)]
)
def test_reshape(seed: int, shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(seed)
    assert_imports_like_onnx_runtime(_reshaped(*shape), rng, lowered=False)


@pytest.mark.parametrize("axis", [0, 1, -3])
def test_flatten(seed: int, axis: int) -> None:
    model = make_model([node("Relu", "x", "r"), node("Flatten", "r", "y", axis=axis)])
    assert_imports_like_onnx_runtime(model, np.random.default_rng(seed), lowered=False)


def test_identity_and_dropout_are_names(seed: int) -> None:
    nodes = [
        node("Identity", "x", "i"),
        node("Relu", "i", "r"),
        node("Dropout", "r ratio off", "d"),
        node("Identity", "d", "y", "last"),
    ]
    model = make_model(nodes, {"ratio": np.array(0.3), "off": np.array(False)})
    graph = assert_imports_like_onnx_runtime(model, np.random.default_rng(seed), lowered=False)
    assert [layer.name for layer in graph.layers] == ["relu_1"]
    assert (graph.outputs[0].tensor, graph.outputs[0].onnx_name) == ("r", "y")
    old = make_model([node("Relu", "x", "r"), node("Dropout", "r", "y m", ratio=0.1)], opset=9)
    assert len(import_model(old).layers) == 1


def test_shape_computed_in_the_model_is_folded(seed: int) -> None:
    nodes = [
        node("Conv", "x w", "c"),
        node("Shape", "c", "s"),
        node("Gather", "s zero", "batch", axis=0),
        node("Unsqueeze", "batch axes", "b"),
        node("Concat", "b rest", "shape", axis=0),
        node("Reshape", "c shape", "y"),
    ]
    constants = {
        "w": np.ones((2, 3, 3, 3)),
        "zero": np.array(0, np.int64),
        "axes": _ints(0),
        "rest": _ints(-1),
    }
    graph = assert_imports_like_onnx_runtime(
        make_model(nodes, constants), np.random.default_rng(seed)
    )
    assert graph.outputs[0].onnx_shape == (1, 40)


def test_vector_reshaped_to_an_image(seed: int) -> None:
    nodes = [node("Reshape", "x s", "i"), node("Conv", "i w", "y")]
    constants = {"s": _ints(1, 3, 2, 2), "w": np.ones((2, 3, 1, 1))}
    graph = assert_imports_like_onnx_runtime(
        make_model(nodes, constants, shape=(1, 12)), np.random.default_rng(seed)
    )
    assert graph.inputs[0].onnx_shape == (1, 12)


@pytest.mark.parametrize(
    ("model", "problem"),
    [
        (_reshaped(1, 100), "it cannot turn shape [1, 3, 6, 7] into [1, 100]"),
        (_reshaped(1, -1, -1), "its shape [1, -1, -1] is not valid"),
        (_reshaped(1, -2), "its shape [1, -2] is not valid"),
        (_reshaped(1, 3, 6, 7, 0), "its shape [1, 3, 6, 7, 0] copies a dimension"),
        (_reshaped(0, -1, allowzero=1), "it cannot turn shape [1, 3, 6, 7] into [0, 0]"),
        (_reshaped(3, 42), "the shape [3, 42] does not start with batch 1"),
        (_reshaped(1, 3, 42), "the shape [1, 3, 42] is not [1,C,H,W], [1,K] or [K]"),
        (
            make_model([node("Flatten", "x", "y", "n", axis=5)]),
            "its axis 5 is out of range for shape [1, 3, 6, 7]",
        ),
        (
            make_model([node("Flatten", "x", "y", "n", axis=2)]),
            "the shape [3, 42] does not start with batch 1",
        ),
        (
            make_model([node("Reshape", "x s", "y", "n")], {"s": np.ones(2)}),
            "its constant 's' is not int64",
        ),
        (
            make_model(
                [node("Dropout", "x r on", "y", "n")], {"r": np.array(0.5), "on": np.array(True)}
            ),
            "training_mode is not supported",
        ),
    ],
)
def test_refused(model: onnx.ModelProto, problem: str) -> None:
    with pytest.raises(InputError) as raised:
        import_model(model)
    line = str(raised.value).splitlines()[1]
    assert line.startswith("n (")
    assert problem in line


def test_reshape_between_images_is_refused_by_lowering() -> None:
    nodes = [
        node("Conv", "x w", "c"),
        node("Reshape", "c s", "i", "middle"),
        node("Conv", "i v", "y", "conv_2"),
    ]
    constants = {"w": np.ones((2, 3, 1, 1)), "s": _ints(1, 4, 3, 7), "v": np.ones((1, 4, 1, 1))}
    with pytest.raises(
        InputError, match="middle: it works on the output of conv_1; a reshape must"
    ):
        lower(import_model(make_model(nodes, constants)))
