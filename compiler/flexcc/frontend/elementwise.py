# SPDX-License-Identifier: Apache-2.0
"""Handlers of Relu, Clip, batch normalisation and arithmetic with constants."""

import numpy as np
from numpy.typing import NDArray

from flexcc.frontend.builder import GraphBuilder
from flexcc.frontend.node import Node, NodeError
from flexcc.frontend.values import Activation, Constant, QuantizedConstant
from flexcc.ir.layers import ChannelAffine, Clamp, Clip

__all__ = [
    "import_add",
    "import_batch_normalization",
    "import_clip",
    "import_div",
    "import_mul",
    "import_relu",
    "import_sub",
]

_FLOAT_MAX = float(np.finfo(np.float32).max)


def import_relu(node: Node, build: GraphBuilder) -> Activation:
    """Relu."""
    node.expect_inputs(1, 1)
    return _clip(node, build, Clamp(low=0.0))


def import_clip(node: Node, build: GraphBuilder) -> Activation:
    """Clip with bounds as attributes (before opset 11) or constant inputs."""
    if node.opset < 11:
        node.expect_inputs(1, 1)
        low, high = node.take_float("min", -np.inf), node.take_float("max", np.inf)
    else:
        node.expect_inputs(1, 3)
        low = _scalar(node, 1) if node.has_input(1) else -np.inf
        high = _scalar(node, 2) if node.has_input(2) else np.inf
    if not low <= high:
        raise NodeError(f"its bounds {low:g} and {high:g} are no interval")
    if low >= _FLOAT_MAX or high <= -_FLOAT_MAX:
        raise NodeError(f"its bounds {low:g} and {high:g} leave no finite value")
    return _clip(
        node,
        build,
        Clamp(low=low if low > -_FLOAT_MAX else None, high=high if high < _FLOAT_MAX else None),
    )


def import_batch_normalization(node: Node, build: GraphBuilder) -> Activation:
    """BatchNormalization in inference: scale * (x - mean) / sqrt(var + epsilon) + offset."""
    node.expect_inputs(5, 5)
    source = node.activation()
    channels = build.tensors[source.tensor].channels
    scale, offset, mean, variance = (node.floats(index).astype(float) for index in range(1, 5))
    if any(vector.shape != (channels,) for vector in (scale, offset, mean, variance)):
        raise NodeError(f"its parameters are not vectors of {channels} channels")
    shifted = variance + node.take_float("epsilon", 1e-5)
    if not (shifted > 0).all():
        raise NodeError("a variance plus epsilon is not positive")
    node.take_float("momentum", 0.9)  # of training only
    if node.take_int("training_mode", 0) or not node.take_int("spatial", 1):
        raise NodeError("only inference (training_mode=0) per channel (spatial=1) is supported")
    factor = scale / np.sqrt(shifted)
    return _affine(node, build, source, factor, offset - mean * factor)


def import_add(node: Node, build: GraphBuilder) -> Activation:
    """Add of a constant: per channel or one for all."""
    source, value, _ = _operands(node, build)
    return _affine(node, build, source, np.ones_like(value), value)


def import_sub(node: Node, build: GraphBuilder) -> Activation:
    """Subtraction of a constant, or from a constant."""
    source, value, constant_first = _operands(node, build)
    if constant_first:
        return _affine(node, build, source, -np.ones_like(value), value)
    return _affine(node, build, source, np.ones_like(value), -value)


def import_mul(node: Node, build: GraphBuilder) -> Activation:
    """Multiplication by a constant: per channel or one for all."""
    source, value, _ = _operands(node, build)
    return _affine(node, build, source, value, np.zeros_like(value))


def import_div(node: Node, build: GraphBuilder) -> Activation:
    """Division by a constant."""
    source, value, constant_first = _operands(node, build)
    if constant_first:
        raise NodeError("it divides a constant by a tensor; only the reverse is supported")
    if not value.all():
        raise NodeError("it divides by zero")
    return _affine(node, build, source, 1 / value, np.zeros_like(value))


def _clip(node: Node, build: GraphBuilder, clamp: Clamp) -> Activation:
    """A clip; Relu of dequantised integers keeps their quantisation, for zero is one of them."""
    source = node.view()
    layer = Clip(name=node.label, inputs=(source.tensor,), output=node.output, clamp=clamp)
    node.finish()
    keeps = clamp == Clamp(low=0.0)
    return build.add_elementwise(layer, source, source.quantization if keeps else None)


def _affine(
    node: Node,
    build: GraphBuilder,
    source: Activation,
    scale: NDArray[np.float64],
    offset: NDArray[np.float64],
) -> Activation:
    layer = ChannelAffine(
        name=node.label, inputs=(source.tensor,), output=node.output, scale=scale, offset=offset
    )
    node.finish()
    return build.add_elementwise(layer, source, None)


def _operands(node: Node, build: GraphBuilder) -> tuple[Activation, NDArray[np.float64], bool]:
    """The tensor, the constant per channel, and whether the constant is the first operand."""
    node.expect_inputs(2, 2)
    first, second = node.input(0), node.input(1)
    if isinstance(first, Activation) and isinstance(second, Activation):
        raise NodeError("it combines two computed tensors; one operand must be a constant")
    constant_first = isinstance(first, Constant | QuantizedConstant)
    source = node.view(1 if constant_first else 0)
    array = node.floats(0 if constant_first else 1).astype(np.float64)
    try:
        spread = np.broadcast_to(array, source.shape)
    except ValueError:
        raise NodeError(
            f"its constant of shape {list(array.shape)} does not fit a tensor of "
            f"{list(source.shape)}"
        ) from None
    if source.axes is not None:
        spread = spread.transpose([source.axes.index(axis) for axis in range(len(source.axes))])
    per_channel = spread.reshape(build.tensors[source.tensor].channels, -1)
    if not (per_channel == per_channel[:, :1]).all():
        raise NodeError("its constant differs within a channel; one per channel is supported")
    return source, per_channel[:, 0].copy(), constant_first


def _scalar(node: Node, index: int) -> float:
    value = node.parameter(index)
    if isinstance(value, QuantizedConstant) or value.array.size != 1:
        raise NodeError(f"its bound '{value.name}' is not one number")
    if value.array.dtype != np.float32 or np.isnan(value.array).any():
        raise NodeError(f"its bound '{value.name}' is no float32 number")
    return float(value.array.reshape(()))
