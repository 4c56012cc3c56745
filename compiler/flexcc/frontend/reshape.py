# SPDX-License-Identifier: Apache-2.0
"""Handlers of Reshape, Flatten, Identity, Dropout and Shape."""

from math import prod

import numpy as np

from flexcc.frontend.builder import GraphBuilder, tensor_type
from flexcc.frontend.node import Node, NodeError
from flexcc.frontend.values import Activation, Constant, Shape
from flexcc.ir.layers import Reshape

__all__ = [
    "import_dropout",
    "import_flatten",
    "import_identity",
    "import_reshape",
    "import_shape",
]


def import_reshape(node: Node, build: GraphBuilder) -> Activation:
    """Reshape to a constant shape, where 0 copies a dimension and -1 is what remains."""
    node.expect_inputs(2, 2)
    source, wanted = node.activation(), node.integers(1)
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
    source = node.activation()
    rank = len(source.shape)
    axis = node.take_int("axis", 1)
    if not -rank <= axis <= rank:
        raise NodeError(f"its axis {axis} is out of range for shape {list(source.shape)}")
    axis += rank if axis < 0 else 0
    return _reshape(node, build, source, (prod(source.shape[:axis]), prod(source.shape[axis:])))


def import_identity(node: Node, build: GraphBuilder) -> Activation:  # noqa: ARG001 one signature
    """Identity: another name for the same tensor."""
    node.expect_inputs(1, 1)
    source = node.activation()
    node.finish()
    return source


def import_dropout(node: Node, build: GraphBuilder) -> Activation:  # noqa: ARG001 one signature
    """Dropout in inference: another name for the same tensor."""
    node.expect_inputs(1, 3)
    source = node.activation()
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
    shape = node.activation().shape
    start = node.take_int("start", 0)
    end = node.take_int("end", len(shape))
    node.finish()
    return Constant(name=node.output, array=np.array(shape[start:end], np.int64))


def _reshape(node: Node, build: GraphBuilder, source: Activation, shape: Shape) -> Activation:
    if prod(shape) != prod(source.shape):
        raise NodeError(f"it cannot turn shape {list(source.shape)} into {list(shape)}")
    node.finish()
    if tensor_type(shape) == tensor_type(source.shape):
        return Activation(tensor=source.tensor, shape=shape, quantization=source.quantization)
    layer = Reshape(name=node.label, inputs=(source.tensor,), output=node.output)
    return build.add(layer, source, shape, source.quantization)
