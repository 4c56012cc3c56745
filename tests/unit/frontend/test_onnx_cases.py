# SPDX-License-Identifier: Apache-2.0
"""All of ONNX's own cases of the operators that have a handler, each by name.

A case gives the stored outputs in float and, where it has one, in its int8 form; or it stands in
`onnx_refusals.txt` with the very words that refuse it.
"""

import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from flexcc import reference
from flexcc.errors import InputError
from flexcc.frontend import import_model
from flexcc.frontend.network import import_network
from flexcc.frontend.qoperator import QUANTIZED_OPERATORS
from flexcc.frontend.registry import HANDLERS
from flexcc.ir.affine import dequantize_array, quantize_array
from flexcc.ir.graph import Graph
from flexcc.ir.layers import Convolution
from flexcc.passes import lower
from flexcc.quantization import quantize
from tests.onnx_cases import node_cases
from tests.onnx_forms import Form, forms
from tests.onnx_models import run_network
from tests.quantization import quantization_of

OPERATORS = {*HANDLERS, *QUANTIZED_OPERATORS, "DynamicQuantizeLinear"}
REFUSALS = Path(__file__).with_name("onnx_refusals.txt")
Reals = dict[str, NDArray[np.float64]]


def _refusals() -> dict[str, str]:
    """What is said of each case that is refused: a message, and behind it its cases."""
    result: dict[str, str] = {}
    message = ""
    for line in REFUSALS.read_text().splitlines():
        if line.startswith("  "):
            assert line.strip() not in result, line
            result[line.strip()] = message
        elif not line.startswith("#"):
            message = line
    return result


def _cases() -> list[Any]:
    found = [case for case in node_cases() if case.model is not None]
    single = [case for case in found if len(case.model.graph.node) == 1]
    return [case for case in single if case.model.graph.node[0].op_type in OPERATORS]


def test_node_cases() -> None:
    counts: Counter[str] = Counter()
    refused: dict[str, str] = {}
    imported: set[str] = set()
    for case in _cases():
        problem = ""
        for form in forms(case):
            problem = _problem(form, case.name, counts)
            if not problem:
                imported.add(case.model.graph.node[0].op_type)
                break
        if problem:
            refused[case.name] = problem
    counts["refused"] = len(refused)
    print(f"\n{dict(counts)}")  # noqa: T201 the figures are the point
    assert refused == _refusals(), _as_text(refused)
    assert counts["float"] >= 258, counts
    assert counts["int8"] == counts["float"], counts
    assert counts["exact"] >= 12, counts
    # Of these ONNX has no case that an image can be, or that is left when shapes are known.
    missing = {case.model.graph.node[0].op_type for case in _cases()} - imported
    assert missing == {"Cast", "DynamicQuantizeLinear", "PRelu", "Shape", "Size"}


def _as_text(refused: dict[str, str]) -> str:
    """The file of refusals as it should be."""
    messages: dict[str, list[str]] = {}
    for name, message in refused.items():
        messages.setdefault(message, []).append(name)
    lines = []
    for message in sorted(messages):
        lines += [message, *(f"  {name}" for name in sorted(messages[message]))]
    return "\n".join(lines) + "\n"


def _problem(form: Form, name: str, counts: Counter[str]) -> str:
    """Why a form of a case is refused; nothing if it is not, and right."""
    try:
        if form.is_exact:
            network = import_network(form.model)
        else:
            graph = lower(import_model(form.model))
    except InputError as error:
        told = [line for line in str(error).splitlines() if "cannot be compiled" not in line]
        return told[0]
    if form.is_exact:
        for index in range(form.images):
            one = {key: array[index : index + 1] for key, array in form.inputs.items()}
            [found] = run_network(network, one if form.images > 1 else form.inputs).values()
            wanted = form.expected[0][index : index + 1] if form.images > 1 else form.expected[0]
            assert found.dtype == wanted.dtype, name
            assert np.array_equal(found, wanted), name
        counts["exact"] += 1
        return ""
    _check_reals(form, graph, name)
    counts["float"] += 1
    if _check_integers(graph, _images(form, graph), name):
        counts["int8"] += 1
    return ""


def _images(form: Form, graph: Graph) -> dict[str, NDArray[np.float32]]:
    result = {}
    for port in graph.inputs:
        kind = graph.tensors[port.tensor]
        array = port.from_onnx(form.inputs[port.onnx_name].astype(np.float32))
        result[port.tensor] = array.reshape(-1, kind.channels, kind.height, kind.width)
    return result


def _check_reals(form: Form, graph: Graph, name: str) -> None:
    tensors = reference.run_float(graph, _images(form, graph))
    assert len(graph.outputs) == len(form.expected), name
    for port, expected in zip(graph.outputs, form.expected, strict=True):
        real = port.to_onnx(tensors[port.tensor]).reshape(expected.shape)
        # Some expectations are written down to four digits.
        np.testing.assert_allclose(real, expected, rtol=1e-4, atol=1e-4, err_msg=name)


def _check_integers(graph: Graph, images: dict[str, NDArray[np.float32]], name: str) -> bool:
    """Whether the case has an integer form; if so it is within rounding of the real one."""
    first = reference.run_float(graph, images)
    if not all(np.isfinite(first[port.tensor]).all() for port in graph.outputs):
        return False
    integer = quantize(graph, images).graph
    integers, reals = {}, {}
    for tensor, array in images.items():
        scale = quantization_of(integer, tensor)
        integers[tensor] = quantize_array(array, scale)
        reals[tensor] = dequantize_array(integers[tensor], scale)
    # Steps of functions would turn a rounded input into any error, so both see the rounded one.
    exact, found = reference.run_float(graph, reals), reference.run(integer, integers)
    has_weights = any(isinstance(layer, Convolution) for layer in graph.layers)
    for old, new in zip(graph.outputs, integer.outputs, strict=True):
        scale = quantization_of(integer, new.tensor)
        ends = dequantize_array(np.array([-128, 127], np.int8), scale)
        error = dequantize_array(found[new.tensor], scale) - np.clip(exact[old.tensor], *ends)
        # Functions may be undefined where an input was rounded to.
        steps = np.abs(error[~np.isnan(error)]) / scale.scale
        assert steps.size, name
        # Weights have eight bits, too.
        assert steps.max() <= (3.0 if has_weights else 0.502), (name, steps.max())
        assert steps.mean() <= (1.0 if has_weights else 0.5), (name, steps.mean())
    return True


def test_refusals_are_told_once_and_in_order() -> None:
    """So that a change of the file shows what changed."""
    lines = REFUSALS.read_text().splitlines()
    messages = [line for line in lines if not line.startswith(("  ", "#"))]
    assert messages == sorted(set(messages))
    # Each names the node or the value.
    assert all(re.match(r"\S+ \(\w+\): |(in|out)put '", message) for message in messages)


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
