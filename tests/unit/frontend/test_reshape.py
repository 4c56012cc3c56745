# SPDX-License-Identifier: Apache-2.0
"""Reshape, Flatten, Identity, Dropout, and shapes computed in the model."""

from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

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


def test_one_dimension_at_the_ports_and_before_a_dense_layer(seed: int) -> None:
    rng = np.random.default_rng(seed)
    nodes = [
        node("Reshape", "x s", "i", "in"),
        node("Conv", "i w", "c"),
        node("Flatten", "c", "f"),
        node("Gemm", "f g", "d"),
        node("Reshape", "c t", "y", "out"),
    ]
    constants = {
        "s": _ints(1, 3, 14),
        "w": rng.normal(size=(2, 3, 3)),
        "g": rng.normal(size=(24, 5)),
        "t": _ints(1, 2, 3, 4),
    }
    model = make_model(nodes, constants, shape=(1, 42), outputs="y d")
    graph = assert_imports_like_onnx_runtime(model, rng)
    assert len(graph.layers) == 2
    assert graph.inputs[0].onnx_shape == (1, 42)
    assert [port.onnx_shape for port in graph.outputs] == [(1, 2, 3, 4), (1, 5)]


@pytest.mark.parametrize(
    ("model", "problem"),
    [
        (_reshaped(1, 100), "it cannot turn shape [1, 3, 6, 7] into [1, 100]"),
        (_reshaped(1, -1, -1), "its shape [1, -1, -1] is not valid"),
        (_reshaped(1, -2), "its shape [1, -2] is not valid"),
        (_reshaped(1, 3, 6, 7, 0), "its shape [1, 3, 6, 7, 0] copies a dimension"),
        (_reshaped(0, -1, allowzero=1), "it cannot turn shape [1, 3, 6, 7] into [0, 0]"),
        (_reshaped(3, 42), "the shape [3, 42] does not start with batch 1"),
        (
            _reshaped(1, 3, 7, 3, 2, 1),
            "the shape [1, 3, 7, 3, 2, 1] is not [1,C,D,H,W], [1,C,H,W], [1,C,L],",
        ),
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


@pytest.mark.parametrize(
    ("op", "shape", "axes", "result"),
    [
        ("Squeeze", (1, 3, 1, 1), [2, 3], (1, 3)),
        ("Squeeze", (1, 3, 1, 1), [-1, -2], (1, 3)),
        ("Squeeze", (1, 3, 1, 1), None, (3,)),
        ("Squeeze", (1, 3, 1, 1), [0, 2, 3], (3,)),
        ("Unsqueeze", (1, 12), [2, 3], (1, 12, 1, 1)),
        ("Unsqueeze", (1, 12), [-1, -2], (1, 12, 1, 1)),
        ("Unsqueeze", (12,), [0], (1, 12)),
    ],
)
@pytest.mark.parametrize("opset", [11, 13])
def test_squeeze_and_unsqueeze(
    seed: int, op: str, shape: tuple[int, ...], axes: list[int] | None, result: tuple[int, ...],
    opset: int,
) -> None:  # fmt: skip
    given: dict[str, Any] = {}
    constants: dict[str, NDArray[Any]] = {}
    if axes is not None and opset < 13:
        given = {"axes": axes}
    elif axes is not None:
        constants = {"a": _ints(*axes)}
    inputs = "r a" if constants else "r"
    nodes = [node("Relu", "x", "r"), node(op, inputs, "y", **given)]
    model = make_model(nodes, constants, shape=shape, opset=opset)
    graph = assert_imports_like_onnx_runtime(model, np.random.default_rng(seed), lowered=False)
    assert graph.outputs[0].onnx_shape == result


@pytest.mark.parametrize(
    ("op", "axes", "problem"),
    [
        ("Squeeze", [1], r"its axes \[1\] of shape \[1, 3, 6, 7\] are not all of length 1"),
        ("Squeeze", [4], r"its axes \[4\] are out of range or not unique"),
        ("Squeeze", [0, -4], r"its axes \[0, -4\] are out of range or not unique"),
        ("Unsqueeze", [0, 9], r"its axes \[0, 9\] are out of range"),
        ("Unsqueeze", [0, 1], r"the shape \[1, 1, 1, 3, 6, 7\] is not"),
    ],
)
def test_squeeze_and_unsqueeze_refusals(op: str, axes: list[int], problem: str) -> None:
    model = make_model([node(op, "x a", "y")], {"a": _ints(*axes)})
    with pytest.raises(InputError, match=problem):
        import_model(model)


def test_unsqueeze_without_axes() -> None:
    with pytest.raises(InputError, match="it names no axes"):
        import_model(make_model([node("Unsqueeze", "x", "y")], opset=11))


def test_cast_to_float_is_a_name(seed: int) -> None:
    nodes = [
        node("Relu", "x", "r"),
        node("Cast", "r", "c", to=onnx.TensorProto.FLOAT),
        node("Relu", "c", "y", "relu_2"),
    ]
    model = make_model(nodes)
    graph = assert_imports_like_onnx_runtime(model, np.random.default_rng(seed), lowered=False)
    assert [layer.name for layer in graph.layers] == ["relu_1", "relu_2"]
    nodes[1].attribute[0].i = onnx.TensorProto.FLOAT16
    with pytest.raises(InputError, match="it casts to FLOAT16; computed tensors stay FLOAT"):
        import_model(make_model(nodes))
    nodes[1].attribute[0].i = 99
    with pytest.raises(InputError, match="it casts to 99"):
        import_model(make_model(nodes))


def test_size_computed_in_the_model_is_folded(seed: int) -> None:
    nodes = [
        node("Size", "x", "n"),
        node("Unsqueeze", "n zero", "s"),
        node("Relu", "x", "r"),
        node("Reshape", "r s", "y"),
    ]
    model = make_model(nodes, {"zero": _ints(0)})
    graph = assert_imports_like_onnx_runtime(model, np.random.default_rng(seed), lowered=False)
    assert graph.outputs[0].onnx_shape == (126,)
