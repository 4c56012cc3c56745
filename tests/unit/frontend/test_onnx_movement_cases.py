# SPDX-License-Identifier: Apache-2.0
"""ONNX's own cases of operators that resize and move pixels, in float and then in int8."""

import re
from collections import Counter
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from flexcc import reference
from flexcc.errors import InputError
from flexcc.frontend import import_model
from flexcc.ir.affine import dequantize_array, quantize_array
from flexcc.ir.graph import Graph
from flexcc.passes import lower
from flexcc.quantization import quantize
from tests.onnx_cases import node_cases
from tests.onnx_models import make_model, node, run_onnx
from tests.quantization import quantization_of

OPERATORS = {"DepthToSpace", "Resize", "SpaceToDepth", "Upsample"}
Arrays = dict[str, NDArray[np.float32]]

REFUSED = {
    "cubic": "mode=cubic is not supported",
    "crop": "coordinate_transformation_mode=tf_crop_and_resize is not supported",
    "antialias": "antialias=1 is not supported",
    "fraction": "no whole number",
    "single": "pytorch_half_pixel to a single pixel is not supported",
    "batch": "has batch 2, not 1",
}
"""What is said of cases that are not taken."""


def _cases() -> list[Any]:
    return [
        case
        for case in node_cases()
        if case.model is not None
        and len(case.model.graph.node) == 1
        and case.model.graph.node[0].op_type in OPERATORS
    ]


def _with_constants(case: Any) -> tuple[onnx.ModelProto, Arrays, NDArray[Any]]:
    """The case with scales and sizes as initialisers."""
    inputs, (expected, *_) = case.data_sets[0]
    model = onnx.ModelProto()
    model.ParseFromString(case.model.SerializeToString())
    names = [value.name for value in model.graph.input]
    for name, array in list(zip(names, inputs, strict=True))[1:]:
        model.graph.initializer.append(onnx.numpy_helper.from_array(array, name))
    del model.graph.input[1:]
    return model, {names[0]: inputs[0]}, expected


def test_node_cases() -> None:
    counts: Counter[str] = Counter()
    for case in _cases():
        model, given, expected = _with_constants(case)
        graph = _imported(model, case.name, counts)
        if graph is None:
            continue
        counts["imported"] += 1
        [port] = graph.outputs
        real = reference.run_float(graph, given)[port.tensor].reshape(expected.shape)
        np.testing.assert_allclose(real, expected, rtol=1e-5, atol=1e-5, err_msg=case.name)
        error_steps = _error(quantize(graph, given).graph, graph, given)
        assert error_steps <= 0.502, case.name
    print(f"\n{dict(counts)}")  # noqa: T201 the figures are the point
    assert counts.pop("imported") >= 18
    assert counts.keys() == REFUSED.keys()


def _imported(model: onnx.ModelProto, name: str, counts: Counter[str]) -> Graph | None:
    """The graph of a case; None, and counted, if it is refused for a reason that is known."""
    reasons = []
    try:
        return lower(import_model(model))
    except InputError as error:
        reasons = [each for each, text in REFUSED.items() if re.search(text, str(error))]
        message = f"{name}: {error}"
    assert len(reasons) == 1, message
    counts[reasons[0]] += 1
    return None


def _error(integer: Graph, graph: Graph, given: Arrays) -> float:
    """The largest error in output steps, on inputs as int8 holds them."""
    integers, reals = {}, {}
    for name, array in given.items():
        scale = quantization_of(integer, name)
        integers[name] = quantize_array(array, scale)
        reals[name] = dequantize_array(integers[name], scale)
    [port] = graph.outputs
    scale = quantization_of(integer, port.tensor)
    ends = dequantize_array(np.array([-128, 127], np.int8), scale)
    real = np.clip(reference.run_float(graph, reals)[port.tensor], *ends)
    found = dequantize_array(reference.run(integer, integers)[port.tensor], scale)
    return float(np.abs(found - real).max() / scale.scale)


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
    constants: Arrays = {"s": scales, "r": np.zeros(0, np.float32), "w": weight}
    model = make_model(nodes, constants, opset=opset, ir_version=4 if opset < 10 else 8)
    x = {"x": np.random.default_rng(1).normal(size=(1, 3, 6, 7)).astype(np.float32)}
    graph = lower(import_model(model))
    found = reference.run_float(graph, x)[graph.outputs[0].tensor]
    np.testing.assert_allclose(found, run_onnx(model, x)["y"], atol=1e-5)
    kinds = [type(layer).__name__ for layer in graph.layers]
    assert kinds[1:] == (["ConvTranspose2d"] if mode == "nearest" else ["Interpolate2d", "Conv2d"])
