# SPDX-License-Identifier: Apache-2.0
"""Handlers of operators that only rename, or count dimensions anew."""

from dataclasses import replace
from math import prod

import numpy as np
import onnx

from flexcc.frontend.builder import GraphBuilder, tensor_type
from flexcc.frontend.node import Node, NodeError
from flexcc.frontend.values import Activation, Constant, Shape
from flexcc.ir.layers import Reshape

__all__ = [
    "import_cast",
    "import_dropout",
    "import_flatten",
    "import_identity",
    "import_reshape",
    "import_shape",
    "import_size",
    "import_squeeze",
    "import_unsqueeze",
    "reshaped",
]


def import_reshape(node: Node, build: GraphBuilder) -> Activation:
    """Reshape to a constant shape, where 0 copies a dimension and -1 is what remains."""
    node.expect_inputs(2, 2)
    source, wanted = _in_order(node), node.integers(1)
    keep_zero = node.take_int("allowzero", 0)
    if wanted.count(-1) > 1 or min(wanted, default=0) < -1:
        raise NodeError(f"its shape {wanted} is not valid")
    if not keep_zero:
        if any(dim == 0 and index >= len(source.shape) for index, dim in enumerate(wanted)):
            raise NodeError(f"its shape {wanted} copies a dimension that is not there")
        wanted = [source.shape[i] if dim == 0 else dim for i, dim in enumerate(wanted)]
    if -1 in wanted:
        known = prod(dim for dim in wanted if dim != -1)
        rest = prod(source.shape) // known if known else 0
        wanted = [rest if dim == -1 else dim for dim in wanted]
    return _reshape(node, build, source, tuple(wanted))


def import_flatten(node: Node, build: GraphBuilder) -> Activation:
    """Flatten to two dimensions around `axis`."""
    node.expect_inputs(1, 1)
    source = _in_order(node)
    rank = len(source.shape)
    axis = node.take_int("axis", 1)
    if not -rank <= axis <= rank:
        raise NodeError(f"its axis {axis} is out of range for shape {list(source.shape)}")
    axis += rank if axis < 0 else 0
    return _reshape(node, build, source, (prod(source.shape[:axis]), prod(source.shape[axis:])))


def import_squeeze(node: Node, build: GraphBuilder) -> Activation:
    """Squeeze of dimensions of length 1; `axes` is an attribute before opset 13."""
    node.expect_inputs(1, 2)
    source = _in_order(node)
    axes = _axes(node, len(source.shape))
    if axes is None:
        axes = [index for index, dim in enumerate(source.shape) if dim == 1]
    if any(source.shape[axis] != 1 for axis in axes):
        raise NodeError(f"its axes {axes} of shape {list(source.shape)} are not all of length 1")
    kept = tuple(dim for index, dim in enumerate(source.shape) if index not in axes)
    return _reshape(node, build, source, kept)


def import_unsqueeze(node: Node, build: GraphBuilder) -> Activation:
    """Unsqueeze: new dimensions of length 1; `axes` is an attribute before opset 13."""
    node.expect_inputs(1, 2)
    source = _in_order(node)
    axes = _axes(node, len(source.shape), adds=True)
    if axes is None:
        raise NodeError("it names no axes")
    dims = iter(source.shape)
    rank = len(source.shape) + len(axes)
    shape = tuple(1 if index in axes else next(dims) for index in range(rank))
    return _reshape(node, build, source, shape)


def import_identity(node: Node, build: GraphBuilder) -> Activation:  # noqa: ARG001 one signature
    """Identity: another name for the same tensor."""
    node.expect_inputs(1, 1)
    source = node.view()
    node.finish()
    return source


def import_cast(node: Node, build: GraphBuilder) -> Activation:  # noqa: ARG001 one signature
    """Cast of float32 to float32: another name for the same tensor."""
    node.expect_inputs(1, 1)
    source = node.view()
    kind = node.take_int("to", onnx.TensorProto.UNDEFINED)
    node.take_int("saturate", 1)  # of float8 only
    node.take_string("round_mode", "up")  # of float8 only
    node.finish()
    if kind != onnx.TensorProto.FLOAT:
        known = kind in onnx.TensorProto.DataType.values()
        name = onnx.TensorProto.DataType.Name(kind) if known else str(kind)
        raise NodeError(f"it casts to {name}; computed tensors stay FLOAT")
    return source


def import_dropout(node: Node, build: GraphBuilder) -> Activation:  # noqa: ARG001 one signature
    """Dropout in inference: another name for the same tensor."""
    node.expect_inputs(1, 3)
    source = node.view()
    node.take_float("ratio", 0.5)
    node.take_int("seed", 0)
    if node.has_input(1):
        node.floats(1)  # the ratio, without effect in inference
    if node.has_input(2):
        mode = node.parameter(2)
        if not isinstance(mode, Constant) or mode.array.any():
            raise NodeError("training_mode is not supported")
    node.finish()
    return source


def import_shape(node: Node, build: GraphBuilder) -> Constant:  # noqa: ARG001 one signature
    """Shape of a computed tensor, which is known at compile time."""
    node.expect_inputs(1, 1)
    shape = node.view().shape
    start = node.take_int("start", 0)
    end = node.take_int("end", len(shape))
    node.finish()
    return Constant(name=node.output, array=np.array(shape[start:end], np.int64))


def import_size(node: Node, build: GraphBuilder) -> Constant:  # noqa: ARG001 one signature
    """Size of a computed tensor, which is known at compile time."""
    node.expect_inputs(1, 1)
    shape = node.view().shape
    node.finish()
    return Constant(name=node.output, array=np.array(prod(shape), np.int64))


def _in_order(node: Node) -> Activation:
    """The first input; a transpose that moved only dimensions of length 1 has moved no values."""
    source = node.view()
    if source.axes is not None:
        long = [axis for axis, dim in zip(source.axes, source.shape, strict=True) if dim > 1]
        if long == sorted(long):
            return replace(source, axes=None)
    return node.activation()


def _axes(node: Node, rank: int, *, adds: bool = False) -> list[int] | None:
    """The axes input or attribute, counted from the front of the longer shape."""
    values = node.integers(1) if node.has_input(1) else node.take_ints("axes")
    if values is None:
        return None
    if adds:
        rank += len(values)
    axes = sorted(axis + rank if axis < 0 else axis for axis in values)
    if len(set(axes)) < len(axes) or any(not 0 <= axis < rank for axis in axes):
        raise NodeError(f"its axes {values} are out of range or not unique")
    return axes


def _reshape(node: Node, build: GraphBuilder, source: Activation, shape: Shape) -> Activation:
    if prod(shape) != prod(source.shape):
        raise NodeError(f"it cannot turn shape {list(source.shape)} into {list(shape)}")
    node.finish()
    return reshaped(build, node.label, node.output, source, shape)


def reshaped(
    build: GraphBuilder, name: str, output: str, source: Activation, shape: Shape
) -> Activation:
    """The same values in the same order under another shape, by a layer if the image changes."""
    kind = build.tensors[source.tensor]
    if tensor_type(shape) == replace(kind, quantization=None):
        return Activation(tensor=source.tensor, shape=shape, quantization=source.quantization)
    layer = Reshape(name=name, inputs=(source.tensor,), output=output)
    return build.add(layer, source, shape, source.quantization)
