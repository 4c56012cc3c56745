# SPDX-License-Identifier: Apache-2.0
"""Types of a node's outputs, by ONNX's own shape inference of that node alone."""

from collections.abc import Mapping, Sequence
from typing import Any

import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from onnx.shape_inference import infer_node_outputs

__all__ = ["TypeAndShape", "constant_type", "output_types"]

TypeAndShape = tuple[int, tuple[int, ...]]
"""Element type, a value of TensorProto.DataType, and shape."""

# Shapes, axes, scales: what decides the shape of an output is small.
_DATA_SIZE = 1024


def constant_type(array: NDArray[Any]) -> TypeAndShape:
    """The type of a constant."""
    return helper.np_dtype_to_tensor_dtype(array.dtype), array.shape


def output_types(
    node: onnx.NodeProto,
    types: Mapping[str, TypeAndShape],
    constants: Mapping[str, NDArray[Any]],
    opsets: Sequence[onnx.OperatorSetIdProto],
) -> dict[str, TypeAndShape]:
    """The outputs whose type and fixed shape follow from those of the inputs.

    `constants` are the inputs that are known. Empty when ONNX does not know the operator, or an
    input's type is missing.
    """
    domain = "" if node.domain == "ai.onnx" else node.domain
    version = next((int(o.version) for o in opsets if o.domain in (domain, node.domain)), 1)
    if any(name and name not in types for name in node.input):
        return {}
    small = {
        name: numpy_helper.from_array(array, name)
        for name, array in constants.items()
        if name in node.input and array.size <= _DATA_SIZE
    }
    try:
        found = infer_node_outputs(
            onnx.defs.get_schema(node.op_type, version, domain),
            node,
            {name: helper.make_tensor_type_proto(*types[name]) for name in node.input if name},
            small,
            opset_imports=list(opsets),
            ir_version=onnx.IR_VERSION,
        )
    except Exception:  # of several kinds: an unknown operator, or inputs that do not suit it
        return {}
    return {name: fixed for name, proto in found.items() if (fixed := _fixed(proto)) is not None}


def _fixed(proto: onnx.TypeProto) -> TypeAndShape | None:
    tensor = proto.tensor_type
    if not proto.HasField("tensor_type") or not tensor.HasField("shape"):
        return None
    if any(not dim.HasField("dim_value") or dim.dim_value < 0 for dim in tensor.shape.dim):
        return None
    return tensor.elem_type, tuple(int(dim.dim_value) for dim in tensor.shape.dim)
