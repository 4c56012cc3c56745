# SPDX-License-Identifier: Apache-2.0
"""ONNX's own test cases of the supported operators: imported with equal results, or refused."""

from collections import Counter
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from flexcc import reference
from flexcc.errors import InputError
from flexcc.frontend import import_model
from flexcc.frontend.registry import HANDLERS
from tests.onnx_cases import node_cases


def _with_constants(model: onnx.ModelProto, arrays: list[NDArray[Any]]) -> onnx.ModelProto:
    """The case with every input but the first turned into an initialiser, as in real models."""
    result = onnx.ModelProto()
    result.CopyFrom(model)
    values = list(result.graph.input)
    del result.graph.input[1:]
    for value, array in zip(values[1:], arrays[1:], strict=True):
        result.graph.initializer.append(onnx.numpy_helper.from_array(array, value.name))
    return result


def test_node_cases() -> None:
    counts: Counter[str] = Counter()
    imported: set[str] = set()
    for case in node_cases():
        operators = {node.op_type for node in case.model.graph.node}
        # Training modes and sequences need more than arrays; no real model looks like that.
        plain = all(isinstance(array, np.ndarray) for array in case.data_sets[0][0])
        if not operators <= HANDLERS.keys() or not plain:
            continue
        inputs, outputs = case.data_sets[0]
        try:
            graph = import_model(_with_constants(case.model, inputs))
        except InputError:
            counts["refused"] += 1
            continue
        counts["imported"] += 1
        imported |= operators
        port = graph.inputs[0]
        size = graph.tensors[port.tensor]
        image = inputs[0].reshape(1, size.channels, size.height, size.width)
        tensors = reference.run_float(graph, {port.tensor: image})
        for port, expected in zip(graph.outputs, outputs, strict=False):
            result = tensors[port.tensor].reshape(port.onnx_shape)
            assert result.shape == expected.shape, case.name
            np.testing.assert_allclose(result, expected, rtol=1e-4, atol=1e-5, err_msg=case.name)
    # Most cases use batches, other ranks or types; enough remain to tell.
    assert counts["imported"] >= 15, counts
    assert {"Conv", "MaxPool", "Clip", "Mul", "Sub"} <= imported


@pytest.mark.parametrize("operator", ["Conv", "MaxPool", "Relu", "Gemm"])
def test_empty_nodes_are_refused(operator: str) -> None:
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node(operator, [], ["y"])],
        "g",
        [],
        [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)])
    with pytest.raises(InputError, match=operator):
        import_model(model)
