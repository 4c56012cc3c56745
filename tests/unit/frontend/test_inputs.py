# SPDX-License-Identifier: Apache-2.0
"""Input shapes: what is taken, what is refused and how to mend it."""

import logging

import onnx
import pytest
from onnx import TensorProto, helper

from flexcc.errors import InputError
from flexcc.frontend import fix_input_shape, import_model
from tests.onnx_models import Shape, make_model, node


def _model(shape: Shape | None, kind: int = TensorProto.FLOAT) -> onnx.ModelProto:
    return make_model([node("Relu", "x", "y")], shape=shape, kind=kind)


@pytest.mark.parametrize("batch", ["N", None])
def test_dynamic_batch_is_one_and_said(batch: str | None, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        graph = import_model(_model((batch, 3, 6, 7)))
    assert graph.inputs[0].onnx_shape == (1, 3, 6, 7)
    name = "'N'" if batch else "unnamed"
    assert caplog.messages == [f"input 'x': its dynamic batch {name} is taken as 1"]


@pytest.mark.parametrize(
    ("shape", "problem", "remedy"),
    [
        ((1, 3, "H", "W"), "has dynamic dimensions 2 ('H'), 3 ('W')", "1x3x224x224"),
        (("N", 3, "H", 7), "has dynamic dimensions 0 ('N'), 2 ('H')", "1x3x7x7"),
        ((1, None, 6, 7), "has dynamic dimension 1 (unnamed)", "1x3x6x7"),
        (("N",), "has dynamic dimension 0 ('N')", "1"),
        ((4, 3, 6, 7), "has batch 4, not 1", "1x3x6x7"),
        ((1, 3, 0, 7), "has an empty dimension: [1, 3, 0, 7]", "1x3x7x7"),
        ((1, 3, -1, 7), "has dynamic dimension 2 (unnamed)", "1x3x7x7"),
        (None, "has no shape", "1x3x224x224"),
    ],
)
def test_shapes_that_must_be_fixed(shape: Shape | None, problem: str, remedy: str) -> None:
    model = _model(shape)
    model.graph.node.append(node("Relu", "x", "z", "second"))
    model.graph.output.append(helper.make_tensor_value_info("z", TensorProto.FLOAT, None))
    with pytest.raises(InputError) as raised:
        import_model(model)
    lines = str(raised.value).splitlines()
    assert lines == [
        "the model cannot be compiled:",
        f"input 'x' {problem}; fix it with --input-shape x={remedy}",
    ]


@pytest.mark.parametrize("shape", [(1, 1, 1, 3, 4, 5), ()])
def test_other_ranks_are_refused(shape: Shape) -> None:
    with pytest.raises(InputError, match=r"input 'x': the shape .* is not \[1,C,D,H,W\]"):
        import_model(_model(shape))


@pytest.mark.parametrize("kind", ["UINT8", "FLOAT16", "DOUBLE", "INT64"])
def test_other_types_are_refused(kind: str) -> None:
    model = _model((1, 3, 6, 7), TensorProto.DataType.Value(kind))
    with pytest.raises(InputError, match=f"input 'x' is {kind}, only FLOAT is supported"):
        import_model(model)


def test_unknown_type_is_refused() -> None:
    model = _model((1, 3, 6, 7))
    model.graph.input[0].type.tensor_type.elem_type = 99
    with pytest.raises(InputError, match="input 'x' is of an unknown type, only FLOAT"):
        import_model(model)


def test_input_that_is_no_tensor_is_refused() -> None:
    model = _model((1, 3, 6, 7))
    model.graph.input[0].CopyFrom(
        helper.make_tensor_sequence_value_info("x", TensorProto.FLOAT, [1])
    )
    with pytest.raises(InputError, match="input 'x' is no tensor"):
        import_model(model)


def test_input_that_nothing_reads_is_left_out() -> None:
    model = _model((1, 3, 6, 7))
    model.graph.input.append(helper.make_tensor_value_info("spare", TensorProto.INT64, ["N"]))
    assert [port.onnx_name for port in import_model(model).inputs] == ["x"]


def test_fix_input_shape() -> None:
    model = make_model([node("MaxPool", "x", "y", kernel_shape=[2, 2])], shape=("N", 3, "H", "W"))
    model.graph.output[0].CopyFrom(
        helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 3, 5, 5])
    )
    model.graph.value_info.append(helper.make_tensor_value_info("old", TensorProto.FLOAT, [9]))
    before = model.SerializeToString()
    fixed = fix_input_shape(model, "x", (1, 3, 10, 12))
    assert model.SerializeToString() == before
    graph = import_model(fixed)
    assert graph.inputs[0].onnx_shape == (1, 3, 10, 12)
    assert graph.outputs[0].onnx_shape == (1, 3, 9, 11)
    onnx.checker.check_model(fixed, full_check=True)
    shapeless = _model(None)
    assert import_model(fix_input_shape(shapeless, "x", (1, 5))).inputs[0].onnx_shape == (1, 5)


@pytest.mark.parametrize(
    ("name", "shape", "problem"),
    [
        ("image", (1, 3, 6, 7), "the model has no input 'image'; its inputs are x"),
        ("x", (1, 3, 6), "input 'x' has 4 dimensions, the given shape 1x3x6 has 3"),
        ("x", (1, 3, 0, 7), "input 'x': the dimensions [1, 3, 0, 7] must be positive"),
        ("x", (), "input 'x': the dimensions [] must be positive"),
    ],
)
def test_fix_input_shape_refuses(name: str, shape: tuple[int, ...], problem: str) -> None:
    with pytest.raises(InputError) as raised:
        fix_input_shape(_model(("N", 3, "H", "W")), name, shape)
    assert str(raised.value) == problem
