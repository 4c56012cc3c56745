# SPDX-License-Identifier: Apache-2.0
"""ONNX's own test cases of the supported operators: imported with equal results, or refused."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from flexcc import reference
from flexcc.errors import InputError
from flexcc.frontend import import_model
from flexcc.frontend.registry import HANDLERS
from flexcc.ir.graph import Graph
from flexcc.ir.layers import Table
from flexcc.passes import lower
from flexcc.quantization import quantize
from tests.onnx_cases import node_cases
from tests.quantization import run_on_reals

Images = NDArray[np.float32]
Reals = NDArray[np.float64]


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
            # Some expectations are written down to four digits.
            np.testing.assert_allclose(result, expected, rtol=1e-4, atol=1e-4, err_msg=case.name)
        if _check_integers(graph, image, tensors, case.name):
            counts["in int8"] += 1
    print(f"\n{dict(counts)}")  # noqa: T201 the figures are the point
    # Most cases use batches, other ranks or types; enough remain to tell.
    assert counts["imported"] >= 100, counts
    assert counts["in int8"] >= 75, counts
    assert {"AveragePool", "Conv", "DepthToSpace", "Resize", "Upsample"} <= imported


def _check_integers(graph: Graph, image: Images, reals: Mapping[str, Reals], name: str) -> bool:
    """Whether the case has an integer form; if so it stays within 2 % of the range on average."""
    if not all(np.isfinite(reals[port.tensor]).all() for port in graph.outputs):
        return False
    # Steps of functions turn a rounded input into any error; they have a test of their own.
    if any(isinstance(layer, Table) for layer in graph.layers):
        return False
    try:
        lowered = lower(graph)
    except InputError:
        return False  # such as a reshape that only stands in the middle of networks
    source = {graph.inputs[0].tensor: image.astype(np.float32)}
    integers = run_on_reals(quantize(lowered, source).graph, source)
    for old, new in zip(graph.outputs, lowered.outputs, strict=True):
        real = reals[old.tensor]
        error = np.abs(integers[new.tensor].reshape(real.shape) - real).mean()
        assert error <= 0.02 * max(np.ptp(real), np.abs(real).max(), 1e-9), name
    return True


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
