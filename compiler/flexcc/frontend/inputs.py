# SPDX-License-Identifier: Apache-2.0
"""Shapes of a model's inputs: reading them, taking a dynamic batch as 1, fixing dynamic ones."""

import logging
from collections.abc import Mapping, Sequence

import onnx

from flexcc.errors import InputError

__all__ = [
    "InputTypeError",
    "fix_input_shape",
    "fix_input_shapes",
    "input_shape",
    "input_type",
    "real_inputs",
]

logger = logging.getLogger(__name__)


class InputTypeError(InputError):
    """The input is a tensor of another element type than float32, which the host may read."""


def real_inputs(graph: onnx.GraphProto) -> list[onnx.ValueInfoProto]:
    """The inputs that are data: old models list their initialisers among the inputs, too."""
    initialisers = {tensor.name for tensor in graph.initializer}
    return [value for value in graph.input if value.name not in initialisers]


def input_shape(value: onnx.ValueInfoProto) -> tuple[int, ...]:
    """The fixed shape of an input; a dynamic batch is taken as 1, with a warning.

    Raises:
        InputTypeError: the input is no float32 tensor.
        InputError: it is no tensor of known rank, or a dimension is dynamic or 0.
    """
    name, tensor = value.name, value.type.tensor_type
    if not value.type.HasField("tensor_type"):
        raise InputError(f"input '{name}' is no tensor; only float32 tensors are supported")
    if tensor.elem_type != onnx.TensorProto.FLOAT:
        known = tensor.elem_type in onnx.TensorProto.DataType.values()
        kind = onnx.TensorProto.DataType.Name(tensor.elem_type) if known else "of an unknown type"
        is_tensor = known and tensor.elem_type != onnx.TensorProto.UNDEFINED
        raise (InputTypeError if is_tensor else InputError)(
            f"input '{name}' is {kind}, only FLOAT is supported; export the model with float32 "
            "inputs"
        )
    shape = _fixed_shape(value)
    if len(shape) > 1 and shape[0] != 1:
        dims = "x".join(map(str, (1, *shape[1:])))
        raise InputError(
            f"input '{name}' has batch {shape[0]}, not 1; fix it with --input-shape {name}={dims}"
        )
    return shape


def input_type(value: onnx.ValueInfoProto) -> tuple[int, tuple[int, ...]]:
    """Element type and fixed shape of an input of any type; a dynamic batch is taken as 1.

    Raises:
        InputError: its rank is not known, or a dimension is dynamic or 0.
    """
    return value.type.tensor_type.elem_type, _fixed_shape(value)


def _fixed_shape(value: onnx.ValueInfoProto) -> tuple[int, ...]:
    name, tensor = value.name, value.type.tensor_type
    if not tensor.HasField("shape"):
        raise InputError(f"input '{name}' has no shape; {_remedy(name, None)}")
    dims = [_dim(dim) for dim in tensor.shape.dim]
    dynamic = [index for index, dim in enumerate(dims) if isinstance(dim, str)]
    if dynamic == [0] and len(dims) > 1:
        logger.warning("input '%s': its dynamic batch %s is taken as 1", name, dims[0])
        dims[0] = 1
    elif dynamic:
        names = ", ".join(f"{index} ({dims[index]})" for index in dynamic)
        plural = "s" if len(dynamic) > 1 else ""
        raise InputError(
            f"input '{name}' has dynamic dimension{plural} {names}; {_remedy(name, dims)}"
        )
    shape = tuple(dim for dim in dims if isinstance(dim, int))
    if 0 in shape:
        raise InputError(
            f"input '{name}' has an empty dimension: {list(shape)}; {_remedy(name, dims)}"
        )
    return shape


def fix_input_shape(model: onnx.ModelProto, name: str, shape: Sequence[int]) -> onnx.ModelProto:
    """A copy of the model whose input `name` has exactly `shape`.

    Raises:
        InputError: no such input, another rank, or a dimension that is not positive.
    """
    result = onnx.ModelProto()
    result.CopyFrom(model)
    values = {value.name: value for value in real_inputs(result.graph)}
    if name not in values:
        raise InputError(f"the model has no input '{name}'; its inputs are {', '.join(values)}")
    tensor = values[name].type.tensor_type
    if not shape or min(shape) < 1:
        raise InputError(f"input '{name}': the dimensions {list(shape)} must be positive")
    if tensor.HasField("shape") and len(tensor.shape.dim) != len(shape):
        raise InputError(
            f"input '{name}' has {len(tensor.shape.dim)} dimensions, the given shape "
            f"{'x'.join(map(str, shape))} has {len(shape)}"
        )
    tensor.shape.Clear()
    for size in shape:
        tensor.shape.dim.add().dim_value = size
    # Shapes derived from the old one would contradict the new one.
    result.graph.ClearField("value_info")
    for output in result.graph.output:
        for dim in output.type.tensor_type.shape.dim:
            dim.Clear()
    return result


def fix_input_shapes(
    model: onnx.ModelProto, shapes: Mapping[str, Sequence[int]]
) -> onnx.ModelProto:
    """The model whose inputs have these shapes by name; itself if there are none.

    Raises:
        InputError: as `fix_input_shape`.
    """
    for name, shape in shapes.items():
        model = fix_input_shape(model, name, shape)
    return model


def _dim(dim: onnx.TensorShapeProto.Dimension) -> int | str:
    if dim.HasField("dim_value") and dim.dim_value >= 0:
        return dim.dim_value
    return f"'{dim.dim_param}'" if dim.dim_param else "unnamed"


def _remedy(name: str, dims: Sequence[int | str] | None) -> str:
    if dims is None:
        example = "1x3x224x224"
    else:
        known = [dim for dim in dims[2:] if isinstance(dim, int) and dim > 0]
        side = known[0] if known else 224
        typical = [1, 3, side, side]
        sizes = [
            dim if isinstance(dim, int) and dim > 0 else typical[min(index, 3)]
            for index, dim in enumerate(dims)
        ]
        if len(sizes) > 1:
            sizes[0] = 1
        example = "x".join(map(str, sizes))
    return f"fix it with --input-shape {name}={example}"
