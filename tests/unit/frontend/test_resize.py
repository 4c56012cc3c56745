# SPDX-License-Identifier: Apache-2.0
"""Resize and Upsample in all their coordinates, in float against ONNX Runtime."""

from typing import Any

import numpy as np
import onnx
import pytest

from flexcc import reference
from flexcc.errors import InputError
from flexcc.frontend import import_model
from flexcc.ir.layers import Interpolate2d, Select
from flexcc.passes import lower
from tests.onnx_models import assert_imports_like_onnx_runtime, make_model, node, run_onnx

COORDINATES = [
    "half_pixel",
    "pytorch_half_pixel",
    "half_pixel_symmetric",
    "asymmetric",
    "align_corners",
]


def _model(
    scales: list[float] | None = None,
    sizes: list[int] | None = None,
    opset: int = 19,
    **attributes: Any,
) -> onnx.ModelProto:
    constants: dict[str, Any] = {}
    if scales is not None:
        constants["s"] = np.array(scales, np.float32)
    if sizes is not None:
        constants["z"] = np.array(sizes, np.int64)
    inputs = "a - s" if scales is not None else "a - - z"
    nodes = [node("Relu", "x", "a"), node("Resize", inputs, "y", **attributes)]
    return make_model(nodes, constants, opset=opset, shape=(1, 3, 6, 8))


@pytest.mark.parametrize("coordinates", COORDINATES)
@pytest.mark.parametrize("scales", [[1, 1, 2, 2], [1, 1, 3, 1], [1, 1, 4, 0.5], [1, 1, 1.5, 0.25]])
def test_linear(seed: int, coordinates: str, scales: list[float]) -> None:
    model = _model(scales, mode="linear", coordinate_transformation_mode=coordinates)
    graph = assert_imports_like_onnx_runtime(model, np.random.default_rng(seed))
    assert isinstance(graph.layers[-1], Interpolate2d)


@pytest.mark.parametrize("coordinates", COORDINATES)
@pytest.mark.parametrize("sizes", [[1, 3, 12, 16], [1, 3, 7, 11], [1, 3, 2, 3]])
def test_linear_to_sizes(seed: int, coordinates: str, sizes: list[int]) -> None:
    model = _model(sizes=sizes, mode="linear", coordinate_transformation_mode=coordinates)
    assert_imports_like_onnx_runtime(model, np.random.default_rng(seed))


@pytest.mark.parametrize("coordinates", COORDINATES)
@pytest.mark.parametrize("nearest", ["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"])
@pytest.mark.parametrize("sizes", [[1, 3, 12, 16], [1, 3, 18, 24], [1, 3, 3, 16], [1, 3, 2, 2]])
def test_nearest(seed: int, coordinates: str, nearest: str, sizes: list[int]) -> None:
    model = _model(sizes=sizes, coordinate_transformation_mode=coordinates, nearest_mode=nearest)
    graph = assert_imports_like_onnx_runtime(model, np.random.default_rng(seed))
    assert isinstance(graph.layers[-1], Select)


@pytest.mark.parametrize("scales", [[1, 1, 1.3, 0.7], [1, 1, 1.1, 1], [1, 1, 1.1, 2.5]])
@pytest.mark.parametrize("nearest", ["round_prefer_floor", "floor", "ceil"])
def test_scales_of_no_whole_sizes(seed: int, nearest: str, scales: list[float]) -> None:
    """Sizes are rounded down; where all stay nothing happens, though positions would move."""
    model = _model(scales, coordinate_transformation_mode="asymmetric", nearest_mode=nearest)
    assert_imports_like_onnx_runtime(model, np.random.default_rng(seed))


@pytest.mark.parametrize("mode", ["nearest", "linear"])
@pytest.mark.parametrize("policy", ["not_larger", "not_smaller"])
@pytest.mark.parametrize("sizes", [[9, 16], [12, 12], [3, 12], [18, 24]])
def test_shapes_that_are_kept(seed: int, mode: str, policy: str, sizes: list[int]) -> None:
    model = _model(sizes=sizes, mode=mode, keep_aspect_ratio_policy=policy, axes=[2, 3])
    assert_imports_like_onnx_runtime(model, np.random.default_rng(seed))


def test_axes(seed: int) -> None:
    for mode in ("nearest", "linear"):
        model = _model([2, 3], mode=mode, axes=[3, 2])
        assert_imports_like_onnx_runtime(model, np.random.default_rng(seed))


@pytest.mark.parametrize("scales", [[0.4, 0.7], [0.5, 0.25], [1.7, 1.3], [1.2, 0.9]])
def test_nearest_before_operator_set_11(seed: int, scales: list[float]) -> None:
    """Smaller images take the next pixel, larger ones that before."""
    nodes = [node("Relu", "x", "a"), node("Resize", "a s", "y")]
    constants = {"s": np.array([1, 1, *scales], np.float32)}
    model = make_model(nodes, constants, opset=10, ir_version=4, shape=(1, 2, 17, 19))
    assert_imports_like_onnx_runtime(model, np.random.default_rng(seed))


@pytest.mark.parametrize("mode", ["nearest", "linear"])
def test_old_forms(seed: int, mode: str) -> None:
    scales = np.array([1, 1, 2, 3], np.float32)
    rng = np.random.default_rng(seed)
    for operator, opset in (("Resize", 10), ("Upsample", 9)):
        nodes = [node("Relu", "x", "a"), node(operator, "a s", "y", mode=mode)]
        model = make_model(nodes, {"s": scales}, opset=opset, ir_version=4)
        assert_imports_like_onnx_runtime(model, rng)
    oldest = node("Upsample", "a", "y", mode=mode, scales=[1.0, 1.0, 2.0, 2.0])
    model = make_model([node("Relu", "x", "a"), oldest], opset=7, ir_version=3)
    assert_imports_like_onnx_runtime(model, rng)


@pytest.mark.parametrize("opset", range(9, 24))
@pytest.mark.parametrize("mode", ["nearest", "linear"])
def test_every_operator_set(opset: int, mode: str) -> None:
    """The same resize, spelled as each set spells it, between the same layers."""
    scales = np.array([1, 1, 2, 2], np.float32)
    old = {"mode": mode}
    new = {**old, "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    if opset < 10:
        resize = node("Upsample", "a s", "b", **old)
    elif opset < 11:
        resize = node("Resize", "a s", "b", **old)
    elif opset < 13:
        resize = node("Resize", "a r s", "b", **new)
    else:
        resize = node("Resize", "a - s", "b", **new)
    nodes = [node("Relu", "x", "a"), resize, node("Conv", "b w", "y")]
    weight = np.random.default_rng(0).normal(size=(4, 3, 3, 3)).astype(np.float32)
    constants = {"s": scales, "r": np.zeros(0, np.float32), "w": weight}
    model = make_model(nodes, constants, opset=opset, ir_version=4 if opset < 10 else 8)
    x = {"x": np.random.default_rng(1).normal(size=(1, 3, 6, 7)).astype(np.float32)}
    graph = lower(import_model(model))
    found = reference.run_float(graph, x)[graph.outputs[0].tensor]
    np.testing.assert_allclose(found, run_onnx(model, x)["y"], atol=1e-5)
    kinds = [type(layer).__name__ for layer in graph.layers]
    assert kinds[1:] == (["ConvTranspose2d"] if mode == "nearest" else ["Interpolate2d", "Conv2d"])


@pytest.mark.parametrize(
    ("model", "problem"),
    [
        (
            _model([1, 1, 1.3, 1], mode="linear"),
            "its scale 1.3 of 6 pixels gives 7.8, no whole number",
        ),
        (_model([1, 1, 2, 2], mode="cubic"), "mode=cubic is not supported"),
        (_model([1, 2, 2, 2], mode="linear"), "it interpolates between channels"),
        (
            _model([1, 1, 2, 2], coordinate_transformation_mode="tf_crop_and_resize"),
            "coordinate_transformation_mode=tf_crop_and_resize is not supported",
        ),
        (_model([1, 1, 0.5, 1], mode="linear", antialias=1), "antialias=1 is not supported"),
        (
            _model(sizes=[1, 3, 9, 9], keep_aspect_ratio_policy="any"),
            "keep_aspect_ratio_policy=any is not defined by ONNX",
        ),
        (_model(sizes=[1, 3, 12]), "its sizes .* are not one for each of 4 axes"),
        (_model([1, 1, 0.01, 1]), "its scales .* do not give sizes from 1 to 2147483647"),
        (_model([1, 1, np.nan, 1]), "holds 1 NaN"),
        (_model([1, 1, 1e30, 1]), "its scales .* do not give sizes from 1 to 2147483647"),
        (_model(sizes=[1, 3, 0, 1]), "its sizes .* are not from 1 to 2147483647"),
        (_model([2, 2], axes=[2, -2]), "its axes .* are no dimensions of shape"),
        (_model([2, 2], axes=[2, 4]), "its axes .* are no dimensions of shape"),
        (_model([2, 1, 1, 1]), "it changes the batch"),
        (_model([1, 1, 2, 2], nearest_mode="up"), "nearest_mode=up is not defined"),
    ],
)
def test_refused(model: onnx.ModelProto, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        import_model(model)
