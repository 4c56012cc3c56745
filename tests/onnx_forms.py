# SPDX-License-Identifier: Apache-2.0
"""ONNX's cases of single nodes as models that have images: the forms in which they may be read.

Cases pass weights as inputs, have batches, any rank, and nothing around an operator that only
renames or rounds. Models have initialisers, batch 1 and layers; so every case is tried in several
forms.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from flexcc.frontend.function import FUNCTIONS

__all__ = ["Form", "forms"]

Array = NDArray[Any]

# What looks at every element by itself, or at pairs of them, whatever the rank.
_ELEMENTWISE = {
    *FUNCTIONS,
    *("Add", "Clip", "Div", "Gelu", "LeakyRelu", "Max", "Min", "Mish", "Mul", "Neg", "PRelu"),
    *("Pow", "Relu", "Sub", "Sum", "Swish"),
}
_SHIFTED = {"Concat", "Expand", "Gather", "Reshape", "Split", "Tile", "Transpose"}
_JOINS = {"Concat", "MatMul"}
_SUMS = {"ConvInteger", "MatMulInteger"}
_INTEGER = {"QLinearConv", "QLinearMatMul"}
_ROUNDING = {"DequantizeLinear", "QuantizeLinear"}
_LARGEST_RANK = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """A model, its inputs by name, and the outputs that it should have.

    `images` tells how many stand in each array. `is_exact` is a quantised model, whose outputs must
    be equal to the bit.
    """

    model: onnx.ModelProto
    inputs: dict[str, Array]
    expected: list[Array]
    images: int = 1
    is_exact: bool = False


def forms(case: Any) -> Iterator[Form]:
    """The forms of a case; the last one is that whose refusal tells most."""
    inputs, outputs = (
        [np.asarray(array) if isinstance(array, np.generic) else array for array in arrays]
        for arrays in case.data_sets[0]
    )
    [node] = case.model.graph.node
    plain = Form(model=_copy(case.model), inputs={}, expected=list(outputs))
    if not all(isinstance(array, np.ndarray) for array in inputs):
        # Sequences, and types that NumPy does not have.
        yield plain
        return
    together = replace(plain, inputs=dict(zip(_names(plain.model), inputs, strict=True)))
    constant = _with_constants(plain, inputs)
    if node.op_type in _INTEGER:
        yield from _single(replace(constant, is_exact=True))
        return
    if node.op_type in _SUMS:
        yield from _single(_of_sums(constant, node, inputs))
        return
    if node.op_type in _ROUNDING and all(isinstance(array, np.ndarray) for array in outputs):
        yield from _single(_of_rounding(constant, node, inputs))
        return
    real = all(getattr(array, "dtype", None) == np.float32 for array in (*inputs, *outputs))
    if real and node.op_type in _JOINS:
        yield together
    yield constant
    yield from map(_bent, _single(constant))
    floats = all(getattr(array, "dtype", None) == np.float32 for array in (inputs[0], *outputs))
    if floats and node.op_type in _SHIFTED and inputs[0].ndim < _LARGEST_RANK:
        yield _bent(_in_front(together if node.op_type == "Concat" else constant, node))
    if real and node.op_type in _ELEMENTWISE:
        yield _lifted(together)
        yield from map(_bent, _single(_lifted(constant)))


def _copy(model: onnx.ModelProto) -> onnx.ModelProto:
    result = onnx.ModelProto()
    result.CopyFrom(model)
    return result


def _names(model: onnx.ModelProto) -> list[str]:
    return [value.name for value in model.graph.input]


def _with_constants(form: Form, arrays: list[Array]) -> Form:
    """Every input but the first as an initialiser."""
    model = _copy(form.model)
    names = _names(model)
    del model.graph.input[1:]
    for name, array in zip(names[1:], arrays[1:], strict=True):
        model.graph.initializer.append(numpy_helper.from_array(array, name))
    inputs = dict(zip(names[:1], arrays[:1], strict=True))
    return replace(form, model=model, inputs=inputs)


def _single(form: Form) -> Iterator[Form]:
    """The form, or that of one image of its batch, if the images come out side by side."""
    [array] = form.inputs.values()
    batch = array.shape[0] if array.ndim > 1 else 1
    arrays = [out for out in form.expected if isinstance(out, np.ndarray)]
    if batch == 1 or any(out.ndim < 2 or out.shape[0] != batch for out in arrays):
        yield form
        return
    model = _copy(form.model)
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
    for output in model.graph.output:
        output.type.tensor_type.ClearField("shape")
    yield replace(form, model=model, images=batch)


def _bent(form: Form) -> Form:
    """The form with a slope behind every output, for models that only rename their input."""
    if any(getattr(out, "dtype", None) != np.float32 for out in form.expected):
        return form
    model = _copy(form.model)
    for index, output in enumerate(model.graph.output):
        bent = f"{output.name}.bent"
        model.graph.node.append(
            helper.make_node("LeakyRelu", [output.name], [bent], name=bent, alpha=0.5)
        )
        kind = helper.make_tensor_value_info(bent, TensorProto.FLOAT, None)
        model.graph.output[index].CopyFrom(kind)
    expected = [np.where(out < 0, out * np.float32(0.5), out) for out in form.expected]
    return replace(form, model=model, expected=expected)


def _lifted(form: Form, front: int | None = None) -> Form:
    """The form whose inputs have so many leading dimensions of 1, or as many as make images."""
    model = _copy(form.model)
    inputs = {}
    for value in model.graph.input:
        array = form.inputs[value.name]
        inputs[value.name] = array.reshape(_leading(array, front) + array.shape)
        kind = helper.make_tensor_value_info(
            value.name, TensorProto.FLOAT, inputs[value.name].shape
        )
        value.CopyFrom(kind)
    for output in model.graph.output:
        output.type.tensor_type.ClearField("shape")
    expected = [out.reshape(_leading(out, front) + out.shape) for out in form.expected]
    return replace(form, model=model, inputs=inputs, expected=expected)


def _leading(array: Array, front: int | None) -> tuple[int, ...]:
    return (1,) * (_LARGEST_RANK - array.ndim if front is None else front)


def _in_front(form: Form, node: onnx.NodeProto) -> Form:
    """The form with a batch of 1 in front of all dimensions, which are counted on."""
    result = _lifted(form, front=1)
    [shifted] = result.model.graph.node
    for attribute in shifted.attribute:
        if attribute.name == "axis" and attribute.i >= 0:
            attribute.i += 1
        elif attribute.name == "perm":
            attribute.ints[:] = [0, *(axis + 1 for axis in attribute.ints)]
    given = {attribute.name for attribute in shifted.attribute}
    if node.op_type in ("Gather", "Split") and "axis" not in given:
        shifted.attribute.append(helper.make_attribute("axis", 1))
    if node.op_type == "Transpose" and "perm" not in given:
        [rank] = [array.ndim for array in form.inputs.values()]
        shifted.attribute.append(helper.make_attribute("perm", [0, *range(rank, 0, -1)]))
    for tensor in result.model.graph.initializer:
        if node.op_type in ("Expand", "Reshape", "Tile") and tensor.name == node.input[1]:
            values = np.concatenate([[1], numpy_helper.to_array(tensor)])
            tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    return result


def _of_sums(form: Form, node: onnx.NodeProto, arrays: list[Array]) -> Form:
    """Sums of products between roundings of scale 1: as real numbers they are the integers."""
    model = _copy(form.model)
    graph = model.graph
    zero = (
        arrays[2].reshape(-1)[:1].reshape(()) if len(arrays) > 2 else np.zeros((), arrays[0].dtype)
    )
    real, sums = arrays[0].astype(np.float32) - np.float32(zero), form.expected[0]
    graph.initializer.append(numpy_helper.from_array(np.array(1, np.float32), "one"))
    graph.initializer.append(numpy_helper.from_array(zero, "zero"))
    graph.initializer.append(numpy_helper.from_array(np.array(0, np.int8), "none"))
    nodes = [
        helper.make_node("QuantizeLinear", ["real", "one", "zero"], [node.input[0]], name="in"),
        graph.node[0],
        helper.make_node("Cast", [node.output[0]], ["cast"], name="cast", to=TensorProto.FLOAT),
        helper.make_node("QuantizeLinear", ["cast", "one", "none"], ["rounded"], name="round"),
        helper.make_node("DequantizeLinear", ["rounded", "one", "none"], ["sums"], name="out"),
    ]
    return _around(form, model, nodes, {"real": real}, np.clip(sums, -128, 127), "sums")


def _of_rounding(form: Form, node: onnx.NodeProto, arrays: list[Array]) -> Form:
    """QuantizeLinear with DequantizeLinear behind it, or that with the former in front."""
    model = _copy(form.model)
    rest = list(node.input[1:])
    scale = arrays[1]
    zero = arrays[2] if len(arrays) > 2 else np.zeros((), np.uint8)
    if node.op_type == "QuantizeLinear":
        real, integers = arrays[0], form.expected[0]
    else:
        integers, real = arrays[0], form.expected[0]
    quantizer = helper.make_node("QuantizeLinear", ["real", *rest], ["quantized"], name="quantize")
    dequantizer = helper.make_node(
        "DequantizeLinear", ["quantized", *rest], ["dequantized"], name="dequantize"
    )
    own = quantizer if node.op_type == "QuantizeLinear" else dequantizer
    own.attribute.extend(node.attribute)
    if scale.size > 1:
        return form
    # Something must be left to do: the values in reverse.
    for name, value in (("start", -1), ("end", -1000), ("axis", 0), ("step", -1)):
        model.graph.initializer.append(numpy_helper.from_array(np.array([value]), name))
    reverse = helper.make_node(
        "Slice", ["dequantized", "start", "end", "axis", "step"], ["reversed"], name="reverse"
    )
    result = ((integers.astype(np.float32) - np.float32(zero)) * scale)[::-1]
    nodes = [quantizer, dequantizer, reverse]
    return _around(form, model, nodes, {"real": real}, result, "reversed")


def _around(
    form: Form,
    model: onnx.ModelProto,
    nodes: list[onnx.NodeProto],
    inputs: dict[str, Array],
    expected: Array,
    output: str,
) -> Form:
    """The model of these nodes, of real numbers in and out."""
    kept = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del model.graph.node[:], model.graph.input[:], model.graph.output[:]
    model.graph.node.extend(kept)
    for name, array in inputs.items():
        model.graph.input.append(
            helper.make_tensor_value_info(name, TensorProto.FLOAT, array.shape)
        )
    model.graph.output.append(helper.make_tensor_value_info(output, TensorProto.FLOAT, None))
    return replace(
        form, model=model, inputs=inputs, expected=[expected.astype(np.float32)], is_exact=True
    )
