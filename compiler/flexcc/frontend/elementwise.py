# SPDX-License-Identifier: Apache-2.0
"""Handlers of Relu, PRelu, Clip, batch normalisation and arithmetic."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from flexcc.frontend.builder import GraphBuilder, tensor_type
from flexcc.frontend.function import add_table
from flexcc.frontend.node import Node, NodeError, finite
from flexcc.frontend.values import Activation, Constant, Integers, QuantizedConstant, Shape
from flexcc.ir.functions import X, apply
from flexcc.ir.layers import Add, ChannelAffine, Clamp, Clip, Layer, Mul, PRelu

__all__ = [
    "import_add",
    "import_batch_normalization",
    "import_clip",
    "import_div",
    "import_leaky_relu",
    "import_max",
    "import_min",
    "import_mul",
    "import_neg",
    "import_prelu",
    "import_relu",
    "import_sub",
    "import_sum",
]

_FLOAT_MAX = float(np.finfo(np.float32).max)


def import_relu(node: Node, build: GraphBuilder) -> Activation:
    """Relu."""
    node.expect_inputs(1, 1)
    return _clip(node, build, node.view(), Clamp(low=0.0))


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
        node.view(),
        Clamp(low=low if low > -_FLOAT_MAX else None, high=high if high < _FLOAT_MAX else None),
    )


def import_batch_normalization(node: Node, build: GraphBuilder) -> Activation:
    """BatchNormalization in inference: scale * (x - mean) / sqrt(var + epsilon) + offset."""
    node.expect_inputs(5, 5)
    source = node.activation()
    channels = _channels(build, source) // source.depth
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
    factor, offset = (
        np.repeat(vector, source.depth) for vector in (factor, offset - mean * factor)
    )
    return _affine(node, build, source, factor, offset)


def import_leaky_relu(node: Node, build: GraphBuilder) -> Activation:
    """LeakyRelu: one slope for what is below zero."""
    node.expect_inputs(1, 1)
    source = node.view()
    slope = node.take_float("alpha", 0.01)
    return _prelu(node, build, source, np.full(_channels(build, source), slope))


def import_prelu(node: Node, build: GraphBuilder) -> Activation:
    """PRelu with constant slopes: per channel or one for all."""
    node.expect_inputs(2, 2)
    source = node.view()
    return _prelu(node, build, source, _per_channel(source, _constant(node, 1)))


def import_add(node: Node, build: GraphBuilder) -> Activation:
    """Add of two tensors, or of a constant: per channel or one for all."""
    if _computes_both(node):
        return _join(node, build, Add)
    source, value, _ = _operands(node)
    return _affine(node, build, source, np.ones_like(value), value)


def import_sub(node: Node, build: GraphBuilder) -> Activation:
    """Subtraction of two tensors, of a constant, or from a constant."""
    if _computes_both(node):
        return _join(node, build, partial(Add, subtract=True))
    source, value, constant_first = _operands(node)
    if constant_first:
        return _affine(node, build, source, -np.ones_like(value), value)
    return _affine(node, build, source, np.ones_like(value), -value)


def import_mul(node: Node, build: GraphBuilder) -> Activation:
    """Multiplication of two tensors, or by a constant: per channel or one for all."""
    if _computes_both(node):
        return _join(node, build, Mul)
    source, value, _ = _operands(node)
    return _affine(node, build, source, value, np.zeros_like(value))


def import_div(node: Node, build: GraphBuilder) -> Activation:
    """Division by a constant, per channel or one for all, or of one number by a tensor."""
    if _computes_both(node):
        raise NodeError("it divides one computed tensor by another; one must be a constant")
    source, value, constant_first = _operands(node)
    if constant_first:
        if not (value == value[0]).all():
            raise NodeError("it divides a constant by a tensor; only one number is supported")
        return add_table(node, build, source, apply("Div", float(value[0]), X))
    if not value.all():
        raise NodeError("it divides by zero")
    return _affine(node, build, source, 1 / value, np.zeros_like(value))


def import_neg(node: Node, build: GraphBuilder) -> Activation:
    """Neg: multiplication by -1."""
    node.expect_inputs(1, 1)
    source = node.view()
    ones = np.ones(_channels(build, source))
    return _affine(node, build, source, -ones, np.zeros_like(ones))


def import_sum(node: Node, build: GraphBuilder) -> Activation:
    """Sum of one or two tensors; the order in which more are added is the tool's own."""
    node.expect_inputs(1, 2)
    if len(node.inputs) == 2:
        return import_add(node, build)
    source = node.view()
    node.finish()
    return source


def import_max(node: Node, build: GraphBuilder) -> Activation:
    """Max of a tensor and one number."""
    return _bounded(node, build, low=True)


def import_min(node: Node, build: GraphBuilder) -> Activation:
    """Min of a tensor and one number."""
    return _bounded(node, build, low=False)


def _bounded(node: Node, build: GraphBuilder, *, low: bool) -> Activation:
    node.expect_inputs(1, 2)
    if len(node.inputs) == 1:
        source = node.view()
        node.finish()
        return source
    if _computes_both(node):
        raise NodeError("it compares two computed tensors; one operand must be a constant")
    source, value, _ = _operands(node)
    if not (value == value[0]).all():
        raise NodeError("its constant differs between channels; one number is supported")
    number = float(value[0])
    return _clip(node, build, source, Clamp(low=number) if low else Clamp(high=number))


def _clip(node: Node, build: GraphBuilder, source: Activation, clamp: Clamp) -> Activation:
    """A clip; Relu of dequantised integers keeps their quantisation, for zero is one of them."""
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


def _prelu(
    node: Node, build: GraphBuilder, source: Activation, slope: NDArray[np.float64]
) -> Activation:
    layer = PRelu(
        name=node.label,
        inputs=(source.tensor,),
        output=node.output,
        slope=slope.astype(np.float32),
    )
    node.finish()
    return build.add_elementwise(layer, source, None)


def _computes_both(node: Node) -> bool:
    node.expect_inputs(2, 2)
    return all(isinstance(node.input(index), Activation | Integers) for index in range(2))


def _join(node: Node, build: GraphBuilder, kind: Callable[..., Layer]) -> Activation:
    """A layer of two computed tensors, of which one may be repeated to fit the other."""
    sources = node.view(0), node.view(1)
    first, second = (source.shape for source in sources)
    axes = sources[0].axes
    try:
        shape = tuple(int(size) for size in np.broadcast_shapes(first, second))
        ordered = shape if axes is None else tuple(shape[axes.index(i)] for i in range(len(axes)))
        # The values must lie on the same axes of the image, whatever ranks ONNX counts.
        fits = (
            axes == sources[1].axes
            and all(
                (size.channels, size.height, size.width) == _padded(source, len(shape))
                for source, size in ((x, build.tensors[x.tensor]) for x in sources)
            )
            and all(_fits_volume(source.shape, shape) for source in sources)
        )
    except ValueError:
        fits = False
    if not fits:
        raise NodeError(f"its operands of shapes {list(first)} and {list(second)} do not fit")
    layer = kind(
        name=node.label, inputs=tuple(source.tensor for source in sources), output=node.output
    )
    node.finish()
    return replace(build.add(layer, sources, ordered, None), shape=shape, axes=axes)


def _padded(source: Activation, rank: int) -> tuple[int, int, int] | None:
    """Channels, height and width of an operand as an operand of the given rank sees them."""
    shape = (1,) * (rank - len(source.shape)) + source.shape
    if source.axes is not None:
        shape = tuple(shape[source.axes.index(i)] for i in range(len(source.axes)))
    kind = tensor_type(shape)
    return kind.channels, kind.height, kind.width


def _fits_volume(shape: Shape, joint: Shape) -> bool:
    """Whether channels and depth, which are one axis of the image, are both repeated or neither."""
    if len(joint) < 5:
        return True
    own = ((1,) * (5 - len(shape)) + shape)[1:3]
    return own in ((1, 1), joint[1:3])


def _channels(build: GraphBuilder, source: Activation) -> int:
    return build.tensors[source.tensor].channels


def _operands(node: Node) -> tuple[Activation, NDArray[np.float64], bool]:
    """The tensor, the constant per channel, and whether the constant is the first operand."""
    constant_first = isinstance(node.input(0), Constant | QuantizedConstant)
    source = node.view(1 if constant_first else 0)
    value = _per_channel(source, _constant(node, 0 if constant_first else 1))
    return source, value, constant_first


def _constant(node: Node, index: int) -> NDArray[np.float32]:
    """A constant operand, which models from quantisers hold dequantised."""
    value = node.parameter(index)
    if isinstance(value, QuantizedConstant):
        return finite(value.name, value.real())
    return node.floats(index)


def _per_channel(source: Activation, array: NDArray[np.float32]) -> NDArray[np.float64]:
    """A constant, spread over the tensor it works on, as one number per channel."""
    rank = len(source.shape)
    narrow = array.astype(np.float64).reshape((1,) * (rank - array.ndim) + array.shape)
    try:
        np.broadcast_to(narrow, source.shape)
    except ValueError:
        raise NodeError(
            f"its constant of shape {list(array.shape)} does not fit a tensor of "
            f"{list(source.shape)}"
        ) from None
    shape = source.shape
    if source.axes is not None:
        order = [source.axes.index(axis) for axis in range(rank)]
        narrow, shape = narrow.transpose(order), tuple(shape[axis] for axis in order)
    # The dimensions of the tensor's channels stand in front; a vector [K] has no other.
    front = {1: 1, 5: 3}.get(rank, 2)
    first = narrow[(slice(None),) * front + (slice(1),) * (rank - front)]
    if not (narrow == first).all():
        raise NodeError("its constant differs within a channel; one per channel is supported")
    return np.broadcast_to(first.reshape(first.shape[:front]), shape[:front]).reshape(-1).copy()


def _scalar(node: Node, index: int) -> float:
    value = node.parameter(index)
    if isinstance(value, QuantizedConstant) or value.array.size != 1:
        raise NodeError(f"its bound '{value.name}' is not one number")
    if value.array.dtype != np.float32 or np.isnan(value.array).any():
        raise NodeError(f"its bound '{value.name}' is no float32 number")
    return float(value.array.reshape(()))
