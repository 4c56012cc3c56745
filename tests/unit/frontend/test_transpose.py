# SPDX-License-Identifier: Apache-2.0
"""Transposes: models with channels last, views in between, what is refused."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from flexcc.arrays import read_batch, write_outputs
from flexcc.errors import InputError
from flexcc.frontend import import_model, load_calibration
from flexcc.frontend.compare import compare
from flexcc.frontend.export import export_model
from flexcc.passes import lower
from flexcc.quantization import quantize
from tests.onnx_models import assert_imports_like_onnx_runtime, make_model, node, run_onnx

TO_FRONT, TO_BACK = [0, 3, 1, 2], [0, 2, 3, 1]
WEIGHT = {"w": np.random.default_rng(0).normal(size=(5, 3, 3, 3))}


def _front(source: str, target: str) -> onnx.NodeProto:
    return node("Transpose", f"{source}", target, f"front_{target}", perm=TO_FRONT)


def _back(source: str, target: str) -> onnx.NodeProto:
    return node("Transpose", f"{source}", target, f"back_{target}", perm=TO_BACK)


def channels_last(**changes: object) -> onnx.ModelProto:
    """[1,6,7,3] in, [1,4,5,5] out."""
    nodes = [_front("x", "t"), node("Conv", "t w", "c"), node("Relu", "c", "r"), _back("r", "y")]
    return make_model(nodes, WEIGHT, shape=(1, 6, 7, 3), **changes)  # type: ignore[arg-type]


def test_ports_take_the_order_of_the_model(seed: int) -> None:
    model = channels_last()
    graph = lower(import_model(model))
    assert [(port.onnx_shape, port.axes) for port in (*graph.inputs, *graph.outputs)] == [
        ((1, 6, 7, 3), (0, 2, 3, 1)),
        ((1, 4, 5, 5), (0, 2, 3, 1)),
    ]
    assert len(graph.layers) == 1
    assert_imports_like_onnx_runtime(model, np.random.default_rng(seed))


def test_elementwise_operators_between_transposes(seed: int) -> None:
    """Preprocessing with channels last, and a PReLU-like detour."""
    nodes = [
        node("Sub", "x mean", "m", "sub"),
        node("Div", "m std", "d", "div"),
        node("Identity", "d", "i"),
        _front("i", "t"),
        node("Conv", "t w", "c", "conv"),
        _back("c", "u"),
        node("Mul", "u slope", "v", "mul"),
        node("Relu", "v", "r"),
        _front("r", "f"),
        node("Conv", "f k", "g", "conv2"),
        _back("g", "b"),
        node("Add", "b slope", "y", "add"),
    ]
    rng = np.random.default_rng(seed)
    constants = {
        **WEIGHT,
        "mean": rng.normal(size=3),
        "std": rng.uniform(1, 2, 3),
        "slope": rng.uniform(1, 2, (1, 1, 1, 5)),
        "k": rng.normal(size=(5, 5, 1, 1)),
    }
    graph = assert_imports_like_onnx_runtime(make_model(nodes, constants, shape=(1, 6, 7, 3)), rng)
    assert [layer.name for layer in graph.layers] == ["conv", "conv2"]


def test_two_transposes_cancel(seed: int) -> None:
    nodes = [node("Conv", "x w", "c"), _back("c", "t"), _front("t", "f"), node("Relu", "f", "y")]
    model = make_model(nodes, WEIGHT)
    graph = assert_imports_like_onnx_runtime(model, np.random.default_rng(seed))
    assert graph.outputs[0].axes is None


def test_transposes_of_single_pixels_move_no_values(seed: int) -> None:
    nodes = [
        node("Conv", "x w", "c"),
        _back("c", "t"),
        node("Flatten", "t", "f"),
        node("Gemm", "f g", "y"),
    ]
    rng = np.random.default_rng(seed)
    constants = {**WEIGHT, "g": rng.normal(size=(5, 4))}
    assert_imports_like_onnx_runtime(make_model(nodes, constants, shape=(1, 3, 3, 3)), rng)


@pytest.mark.parametrize("perm", [[0, 1, 3, 2], [0, 3, 2, 1], None])
def test_outputs_in_any_order(seed: int, perm: list[int] | None) -> None:
    given: dict[str, Any] = {} if perm is None else {"perm": perm}
    model = make_model([node("Conv", "x w", "c"), node("Transpose", "c", "y", **given)], WEIGHT)
    if perm is None:
        with pytest.raises(InputError, match=r"its perm \[3, 2, 1, 0\] of shape"):
            import_model(model)
    else:
        assert_imports_like_onnx_runtime(model, np.random.default_rng(seed))


@pytest.mark.parametrize(
    ("nodes", "problem"),
    [
        (
            [node("Conv", "x w", "c"), _back("c", "t"), node("Flatten", "t", "y")],
            r"flatten_1 .Flatten.: it reads 'c' transposed, its dimensions as axes \[0, 2, 3, 1\]",
        ),
        (
            [_back("x", "t"), node("MaxPool", "t", "y", kernel_shape=[2, 2])],
            "",
        ),
        (
            [node("Conv", "x w", "c"), node("Transpose", "c", "y", perm=[0, 1, 2])],
            r"its perm \[0, 1, 2\] is no order of the axes of shape \[1, 5, 4, 5\]",
        ),
        (
            [node("Flatten", "x", "f"), node("Transpose", "f", "y", perm=[1, 0])],
            r"its perm \[1, 0\] of shape \[1, 126\] does not keep",
        ),
    ],
)
def test_refusals(nodes: list[onnx.NodeProto], problem: str, seed: int) -> None:
    model = make_model(nodes, WEIGHT)
    if problem:
        with pytest.raises(InputError, match=problem):
            import_model(model)
    else:
        # An input that all readers transpose alike has simply another order.
        assert_imports_like_onnx_runtime(model, np.random.default_rng(seed))


def test_input_that_is_read_both_ways() -> None:
    nodes = [_front("x", "t"), node("Conv", "t w", "y"), node("Relu", "x", "z")]
    with pytest.raises(InputError, match=r"conv_1 .Conv.: it reads 'x' transposed"):
        import_model(make_model(nodes, WEIGHT, shape=(1, 6, 7, 3), outputs="y z"))


def test_integer_models_with_channels_last(seed: int, tmp_path: Path) -> None:
    """Calibration, export, comparison, arrays: each knows the order of the ports."""
    rng = np.random.default_rng(seed)
    model = channels_last()
    images = rng.normal(size=(4, 6, 7, 3)).astype(np.float32)
    np.savez(tmp_path / "x.npz", x=images)
    graph = lower(import_model(model))
    samples = load_calibration(tmp_path / "x.npz", graph)
    np.testing.assert_array_equal(samples["x"], images.transpose(0, 3, 1, 2))

    quantized = quantize(graph, samples)
    assert compare(quantized.graph, samples).problems() == []
    [again] = run_onnx(export_model(quantized.graph).model, {"x": images[:1]}).values()
    [real] = run_onnx(model, {"x": images[:1]}).values()
    assert again.shape == real.shape
    assert np.abs(again - real).max() < 0.2
    # The exported model comes back with the same ports.
    back = lower(import_model(export_model(quantized.graph).model))
    assert (back.inputs[0].axes, back.outputs[0].axes) == ((0, 2, 3, 1), (0, 2, 3, 1))

    batch = read_batch(tmp_path / "x.npz", quantized.graph, raw=False)
    assert batch.tensors["x"].shape == (4, 3, 6, 7)
    output = quantized.graph.outputs[0].tensor
    values = rng.integers(-128, 128, (4, 5, 4, 5)).astype(np.int8)
    write_outputs(tmp_path / "y.npz", quantized.graph, {output: values}, batch.axis, raw=True)
    with np.load(tmp_path / "y.npz") as written:
        np.testing.assert_array_equal(written["y"], values.transpose(0, 2, 3, 1))
