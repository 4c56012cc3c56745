# SPDX-License-Identifier: Apache-2.0
"""ONNX's own cases of elementwise operators, in float and then in int8.

The cases have ranks and batches of all kinds; here their axes become those of one image.
"""

from collections import Counter
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from flexcc import reference
from flexcc.errors import InputError
from flexcc.frontend import import_model
from flexcc.frontend.function import FUNCTIONS
from flexcc.ir.affine import dequantize_array, quantize_array
from flexcc.ir.graph import Graph
from flexcc.passes import lower
from flexcc.quantization import quantize
from tests.onnx_cases import node_cases
from tests.quantization import quantization_of

OPERATORS = {
    *FUNCTIONS,
    *("Add", "Div", "Gelu", "LeakyRelu", "Max", "Min", "Mish", "Mul", "Neg", "PRelu", "Pow"),
    *("Relu", "Sub", "Sum", "Swish"),
}
Arrays = dict[str, NDArray[np.float32]]


def _cases() -> list[Any]:
    return [
        case
        for case in node_cases()
        if case.model is not None
        and len(case.model.graph.node) == 1
        and case.model.graph.node[0].op_type in OPERATORS
    ]


def _as_image(case: Any, constant: bool) -> tuple[onnx.ModelProto, Arrays, NDArray[Any]] | None:
    """The case on [1,C,H,W]; with `constant` its inputs but the first are initialisers."""
    inputs, (expected, *_) = case.data_sets[0]
    if any(array.dtype != np.float32 or array.ndim > 4 for array in (*inputs, expected)):
        return None
    model = onnx.ModelProto()
    model.ParseFromString(case.model.SerializeToString())
    names = [value.name for value in model.graph.input]
    del model.graph.input[:], model.graph.output[0].type.tensor_type.shape.dim[:]
    given: Arrays = {}
    for index, (name, array) in enumerate(zip(names, inputs, strict=True)):
        if constant and index:
            model.graph.initializer.append(onnx.numpy_helper.from_array(array, name))
            continue
        shape = (1,) * (4 - array.ndim) + array.shape
        given[name] = array.reshape(shape)
        model.graph.input.append(
            onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
        )
    return model, given, expected


def _imported(case: Any) -> tuple[Graph, Arrays, NDArray[Any]] | None:
    for constant in (False, True):
        found = _as_image(case, constant)
        if found is None:
            return None
        model, given, expected = found
        try:
            return lower(import_model(model)), given, expected
        except InputError:
            continue
    return None


def test_node_cases() -> None:
    counts: Counter[str] = Counter()
    imported: set[str] = set()
    for case in _cases():
        found = _imported(case)
        if found is None:
            counts["refused"] += 1
            continue
        graph, given, expected = found
        counts["imported"] += 1
        imported.add(case.model.graph.node[0].op_type)
        [port] = graph.outputs
        real = reference.run_float(graph, given)[port.tensor].reshape(expected.shape)
        np.testing.assert_allclose(real, expected, rtol=1e-4, atol=1e-5, err_msg=case.name)
        if not (np.isfinite(real).all() and np.ptp(real) > 0):
            continue
        integer = quantize(graph, given).graph
        counts["in int8"] += 1
        assert _error(integer, graph, given) <= 0.502, case.name
    print(f"\n{dict(counts)}")  # noqa: T201 the figures are the point
    # Batches of several images, other types and constants that differ within a channel remain.
    assert counts["imported"] >= 80, counts
    assert OPERATORS - imported == {"Celu", "Div", "Max", "Min", "PRelu"}


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
    # Acosh and the like may be undefined where an input was rounded to.
    return float(np.nanmax(np.abs(found - real)) / scale.scale)
