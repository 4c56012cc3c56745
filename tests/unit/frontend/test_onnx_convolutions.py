# SPDX-License-Identifier: Apache-2.0
"""ONNX's own convolutions, its node cases and models converted from PyTorch: all import.

Over one, two and three dimensions they give the stored outputs, and in int8 nearly.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import numpy_helper

from flexcc import reference
from flexcc.frontend import import_model
from flexcc.ir.layers import Convolution
from flexcc.passes import lower
from tests.onnx_cases import node_cases
from tests.quantization import check_accuracy

CONVERTED = Path(onnx.__file__).parent / "backend" / "test" / "data" / "pytorch-converted"
Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A model of one node, its input [B,...] and the output that it should have."""

    name: str
    model: onnx.ModelProto
    data: Floats
    expected: Floats


def _case(
    name: str, model: onnx.ModelProto, inputs: Sequence[NDArray[Any]], expected: NDArray[Any]
) -> Case:
    """The model for batch 1, weights and bias being initialisers."""
    result = onnx.ModelProto()
    result.CopyFrom(model)
    given = {tensor.name for tensor in result.graph.initializer}
    first, *others = [value for value in result.graph.input if value.name not in given]
    for value, array in zip(others, inputs[1:], strict=True):
        result.graph.initializer.append(numpy_helper.from_array(array, value.name))
        result.graph.input.remove(value)
    first.type.tensor_type.shape.dim[0].dim_value = 1
    return Case(name=name, model=result, data=inputs[0], expected=expected)


def _node_cases() -> list[Case]:
    result = []
    for case in node_cases():
        if [node.op_type for node in case.model.graph.node] in (["Conv"], ["ConvTranspose"]):
            inputs, outputs = case.data_sets[0]
            result.append(_case(case.name, case.model, inputs, outputs[0]))
    return result


def _arrays(folder: Path, kind: str) -> list[Floats]:
    files = sorted(folder.glob(f"{kind}_*.pb"), key=lambda path: int(path.stem.split("_")[1]))
    return [numpy_helper.to_array(onnx.load_tensor(path)) for path in files]


def _converted_models() -> list[Case]:
    result = []
    for path in sorted(CONVERTED.glob("test_Conv*/model.onnx")):
        data = path.parent / "test_data_set_0"
        (output,) = _arrays(data, "output")
        result.append(_case(path.parent.name, onnx.load(path), _arrays(data, "input"), output))
    return result


@pytest.mark.parametrize(
    ("cases", "count", "deep"),
    [
        (_node_cases, 17, ["test_convtranspose_3d"]),
        (
            _converted_models,
            28,
            [
                "test_Conv3d",
                "test_Conv3d_dilated",
                "test_Conv3d_dilated_strided",
                "test_Conv3d_groups",
                "test_Conv3d_no_bias",
                "test_Conv3d_stride",
                "test_Conv3d_stride_padding",
            ],
        ),
    ],
)
def test_all(cases: Callable[[], list[Case]], count: int, deep: list[str]) -> None:
    found = cases()
    assert len(found) == count
    assert [case.name for case in found if case.data.ndim == 5] == deep
    for case in found:
        _check(case)


def _check(case: Case) -> None:
    graph = lower(import_model(case.model))
    (conv,) = graph.layers
    assert isinstance(conv, Convolution)
    size = graph.tensors[conv.inputs[0]]
    images = case.data.reshape(-1, size.channels, size.height, size.width)
    result = reference.run_float(graph, {conv.inputs[0]: images})[conv.output]
    assert graph.outputs[0].onnx_shape == (1, *case.expected.shape[1:])
    np.testing.assert_allclose(
        result.reshape(case.expected.shape),
        case.expected,
        rtol=1e-4,
        atol=1e-5,
        err_msg=case.name,
    )
    check_accuracy(replace(conv, inputs=("x",)), images)
