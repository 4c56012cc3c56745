# SPDX-License-Identifier: Apache-2.0
"""Clips, batch normalisation and arithmetic with constants."""

from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from flexcc.errors import InputError
from flexcc.frontend import import_model
from flexcc.ir.layers import Add, Clamp, Clip, Conv2d, Mul
from tests.onnx_models import assert_imports_like_onnx_runtime, make_model, node

FLOAT_MAX = float(np.finfo(np.float32).max)


def _clamp(model: onnx.ModelProto) -> Clamp:
    (clip,) = import_model(model).layers
    assert isinstance(clip, Clip)
    return clip.clamp


def test_clip_with_attributes() -> None:
    def clamp(**bounds: Any) -> Clamp:
        return _clamp(make_model([node("Clip", "x", "y", **bounds)], opset=7, ir_version=3))

    assert clamp() == Clamp()
    assert clamp(min=0.0, max=6.0) == Clamp(low=0.0, high=6.0)
    assert clamp(min=-FLOAT_MAX, max=FLOAT_MAX) == Clamp()


def test_clip_with_inputs() -> None:
    def clamp(inputs: str) -> Clamp:
        constants = {"lo": np.array(-1.5), "hi": np.array([2.5]), "inf": np.array(np.inf)}
        return _clamp(make_model([node("Clip", inputs, "y")], constants))

    assert clamp("x") == Clamp()
    assert clamp("x lo") == Clamp(low=-1.5)
    assert clamp("x - hi") == Clamp(high=2.5)
    assert clamp("x lo inf") == Clamp(low=-1.5)


@pytest.mark.parametrize("opset", [7, 9, 13, 15])
def test_batch_normalisation(seed: int, opset: int) -> None:
    rng = np.random.default_rng(seed)
    constants = {
        "w": rng.normal(size=(4, 3, 3, 3)),
        "s": rng.normal(size=4),
        "o": rng.normal(size=4),
        "m": rng.normal(size=4),
        "v": rng.uniform(0.1, 2, size=4),
    }
    nodes = [
        node("Conv", "x w", "c"),
        node("BatchNormalization", "c s o m v", "n", epsilon=1e-3, momentum=0.5),
        node("Relu", "n", "y"),
    ]
    graph = assert_imports_like_onnx_runtime(make_model(nodes, constants, opset=opset), rng)
    assert [layer.name for layer in graph.layers] == ["conv_1"]


@pytest.mark.parametrize(
    ("op", "first"),
    [(op, first) for op in ("Add", "Sub", "Mul") for first in (False, True)] + [("Div", False)],
)
@pytest.mark.parametrize("shape", [(), (1,), (3, 1, 1), (1, 3, 1, 1), (1, 1, 6, 7)])
def test_arithmetic(seed: int, op: str, shape: tuple[int, ...], first: bool) -> None:
    rng = np.random.default_rng(seed)
    value = (
        np.full(shape, 1.7) if shape == (1, 1, 6, 7) else rng.uniform(1, 2, shape) * np.ones(shape)
    )
    model = make_model([node(op, "k x" if first else "x k", "y")], {"k": value})
    assert_imports_like_onnx_runtime(model, rng, lowered=False)


def test_arithmetic_of_a_vector_is_per_element(seed: int) -> None:
    rng = np.random.default_rng(seed)
    model = make_model([node("Mul", "x k", "y")], {"k": rng.normal(size=12)}, shape=(1, 12))
    assert_imports_like_onnx_runtime(model, rng, lowered=False)


def _binary(op: str, value: NDArray[np.float64], inputs: str = "x k") -> onnx.ModelProto:
    return make_model([node(op, inputs, "y", "n")], {"k": value})


def _norm(variance: float = 1.0, channels: int = 3, **attributes: Any) -> onnx.ModelProto:
    constants = {name: np.ones(channels) for name in "som"} | {"v": np.full(channels, variance)}
    return make_model([node("BatchNormalization", "x s o m v", "y", "n", **attributes)], constants)


@pytest.mark.parametrize(
    ("model", "problem"),
    [
        (_binary("Add", np.arange(7.0)), "its constant differs within a channel"),
        (_binary("Add", np.ones((2, 3, 1, 1))), "its constant of shape [2, 3, 1, 1] does not fit"),
        (_binary("Mul", np.array(np.nan)), "its constant 'k' holds 1 NaN or infinite values"),
        (_binary("Div", np.zeros(1)), "it divides by zero"),
        (_binary("Div", np.arange(3.0).reshape(3, 1, 1), "k x"), "it divides a constant by a"),
        (_binary("Div", np.ones(1), "x x"), "it divides one computed tensor by another"),
        (_binary("Max", np.ones(1), "x x"), "it compares two computed tensors"),
        (_binary("Min", np.arange(3.0).reshape(3, 1, 1)), "its constant differs between channels"),
        (_binary("Pow", np.arange(3.0)), "its exponent has shape [3]; one number is supported"),
        (_binary("Pow", np.array(np.nan)), "its exponent 'k' is no finite number"),
        (_binary("PRelu", np.arange(7.0)), "its constant differs within a channel"),
        (_binary("Clip", np.array([1.0, 2.0])), "its bound 'k' is not one number"),
        (_binary("Clip", np.array(np.nan)), "its bound 'k' is no float32 number"),
        (_binary("Clip", np.array(np.inf)), "its bounds inf and inf leave no finite value"),
        (_binary("Clip", np.array(3.0), "x k k2"), "its bounds 3 and 2 are no interval"),
        (_norm(-1.0), "a variance plus epsilon is not positive"),
        (_norm(channels=4), "its parameters are not vectors of 3 channels"),
        (_norm(training_mode=1), "only inference (training_mode=0) per channel"),
        (_norm(spatial=0), "only inference (training_mode=0) per channel"),
        (_norm(channels=3, axis=1), "its attribute axis is not supported"),
    ],
)
def test_refused(model: onnx.ModelProto, problem: str) -> None:
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array(2, np.float32), "k2"))
    with pytest.raises(InputError) as raised:
        import_model(model)
    line = str(raised.value).splitlines()[1]
    assert line.startswith("n (")
    assert problem in line


@pytest.mark.parametrize("op", ["Add", "Sub", "Mul", "Sum"])
def test_two_tensors(seed: int, op: str) -> None:
    nodes = [node("Relu", "x", "a"), node("Conv", "x w", "b"), node(op, "a b", "y")]
    weight = np.random.default_rng(0).normal(size=(3, 3, 1, 1))
    graph = assert_imports_like_onnx_runtime(
        make_model(nodes, {"w": weight}), np.random.default_rng(seed)
    )
    assert isinstance(graph.layers[-1], Mul if op == "Mul" else Add)


@pytest.mark.parametrize("order", ["x g", "g x"])
@pytest.mark.parametrize("op", ["Add", "Sub", "Mul"])
def test_gates_are_repeated(seed: int, op: str, order: str) -> None:
    nodes = [node("Conv", "x w", "g"), node(op, order, "y")]
    for shape in ((3, 3, 6, 7), (1, 3, 6, 7), (1, 3, 1, 1)):
        weight = np.random.default_rng(0).normal(size=shape)
        graph = assert_imports_like_onnx_runtime(
            make_model(nodes, {"w": weight}), np.random.default_rng(seed)
        )
        assert graph.layers[-1].inputs == tuple(order.split())


def test_channels_last(seed: int) -> None:
    """A sum between two transposes works on the image as it lies."""
    nodes = [
        node("Transpose", "x", "t", "in", perm=[0, 2, 3, 1]),
        node("Sigmoid", "t", "s"),
        node("Mul", "t s", "m"),
        node("Transpose", "m", "y", "out", perm=[0, 3, 1, 2]),
    ]
    assert_imports_like_onnx_runtime(make_model(nodes), np.random.default_rng(seed))


@pytest.mark.parametrize("size", [1, 3])
def test_slopes(seed: int, size: int) -> None:
    slope = np.random.default_rng(0).normal(size=(size, 1, 1))
    weight = np.random.default_rng(0).normal(size=(3, 3, 1, 1))
    nodes = [node("Conv", "x w", "c"), node("PRelu", "c k", "y")]
    graph = assert_imports_like_onnx_runtime(
        make_model(nodes, {"k": slope, "w": weight}), np.random.default_rng(seed)
    )
    (conv,) = graph.layers
    assert isinstance(conv, Conv2d)
    assert conv.slope is not None
    model = make_model([node("LeakyRelu", "x", "y", alpha=0.3)])
    assert_imports_like_onnx_runtime(model, np.random.default_rng(seed))


@pytest.mark.parametrize(("op", "clamp"), [("Max", Clamp(low=1.5)), ("Min", Clamp(high=1.5))])
def test_bounds(seed: int, op: str, clamp: Clamp) -> None:
    for inputs in ("x k", "k x"):
        model = _binary(op, np.full((1, 1), 1.5), inputs)
        assert_imports_like_onnx_runtime(model, np.random.default_rng(seed))
        assert _clamp(model) == clamp
    alone = make_model([node(op, "x", "a"), node("Relu", "a", "y")])
    assert len(import_model(alone).layers) == 1


def test_tensors_that_do_not_fit_are_refused() -> None:
    weight = np.ones((3, 3, 2, 2))
    nodes = [node("Conv", "x w", "a"), node("Add", "x a", "y", "sum")]
    with pytest.raises(InputError, match=r"sum \(Add\): its operands of shapes \[1, 3, 6, 7\] and"):
        import_model(make_model(nodes, {"w": weight}))
    nodes = [
        node("Reshape", "x s", "v"),
        node("Conv", "x w", "a"),
        node("Mul", "a v", "y", "product"),
    ]
    shape = np.array([1, 126], np.int64)
    with pytest.raises(InputError, match=r"product .*: its operands of shapes"):
        import_model(make_model(nodes, {"w": np.ones((3, 3, 6, 7)), "s": shape}))
