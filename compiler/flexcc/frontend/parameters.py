# SPDX-License-Identifier: Apache-2.0
"""Weights and biases of convolutions and matrix products, float or quantised."""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from flexcc.frontend.node import Node, NodeError, finite
from flexcc.frontend.values import Activation, Constant, QuantizedConstant
from flexcc.ir.types import Quantization

__all__ = ["Bias", "Weights", "read_bias", "read_weights"]

Scalar = TypeVar("Scalar", bound=np.generic)
Bias = NDArray[np.float32] | NDArray[np.int32] | NDArray[np.float64]

# A bias scale this close to input scale * weight scale is that product, rounded elsewhere.
_SAME_SCALE = 2.0**-20


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Weights:
    """Weights; `scale` has a value per output channel when they are integers, else it is None.

    Integers are less their zero point: int8, or int16 if some are beyond.
    """

    values: NDArray[np.float32] | NDArray[np.int8] | NDArray[np.int16]
    scale: NDArray[np.float32] | None


def read_weights(
    node: Node,
    index: int,
    source: Activation,
    *,
    channel_axis: int = 0,
    move_channels: bool = True,
) -> Weights:
    """The weight input of a node, whose output channels `channel_axis` counts.

    That axis moves to the front, unless `move_channels` is False. The weights of a node with a
    quantised input are integers, those of the others float32.
    """
    value = node.parameter(index)
    if value_rank(value) <= channel_axis:
        raise NodeError(f"its weights '{value.name}' have rank {value_rank(value)}")
    front = 0 if move_channels else channel_axis
    if source.quantization is None:
        real = value.real() if isinstance(value, QuantizedConstant) else value.array
        floats = finite(value.name, real)
        return Weights(values=np.moveaxis(floats, channel_axis, front), scale=None)
    if not isinstance(value, QuantizedConstant):
        raise NodeError(f"its input is quantised, its weights '{value.name}' are not")
    integers = _centred(value)
    channels = integers.shape[channel_axis]
    if value.scale.size > 1 and value.axis != channel_axis:
        raise NodeError(
            f"its weights '{value.name}' are quantised along axis {value.axis}; only per tensor or "
            f"per output channel (axis {channel_axis}) is supported"
        )
    moved: NDArray[np.int8] | NDArray[np.int16] = np.moveaxis(integers, channel_axis, front)
    return Weights(
        values=moved.copy(),
        scale=np.broadcast_to(value.scale, channels).copy(),
    )


def read_bias(node: Node, index: int, source: Activation, weights: Weights) -> Bias:
    """The optional bias input as Conv2d wants it; zeros if absent.

    A quantised node's bias is int32 when its scale is that of the accumulator; otherwise it is
    brought to accumulator steps in float64.
    """
    channels = weights.values.shape[0]
    if not node.has_input(index):
        if weights.scale is None:
            return np.zeros(channels, np.float32)
        return np.zeros(channels, np.int32)
    value = node.parameter(index)
    array = value.integers if isinstance(value, QuantizedConstant) else value.array
    try:
        np.broadcast_to(array, (1, channels))
    except ValueError:
        raise NodeError(
            f"its bias '{value.name}' has shape {list(array.shape)} for {channels} channels"
        ) from None
    if weights.scale is None or source.quantization is None:
        real = value.real() if isinstance(value, QuantizedConstant) else value.array
        return _spread(finite(value.name, real), channels)
    if isinstance(value, Constant):
        steps: NDArray[np.float64] = _spread(finite(value.name, value.array), channels) / _step(
            source.quantization, weights.scale
        )
        return steps
    return _quantized_bias(value, source.quantization, weights.scale)


def value_rank(value: Constant | QuantizedConstant) -> int:
    """Number of dimensions of a constant."""
    return value.integers.ndim if isinstance(value, QuantizedConstant) else value.array.ndim


def _quantized_bias(
    value: QuantizedConstant, source: Quantization, weight_scale: NDArray[np.float32]
) -> NDArray[np.int32] | NDArray[np.float64]:
    if value.integers.dtype != np.int32 or value.zero_point.any():
        raise NodeError(f"its bias '{value.name}' must be int32 with zero point 0")
    if value.scale.size > 1 and value_rank(value) > 1:
        raise NodeError(f"its bias '{value.name}' must be 1-D to have a scale per channel")
    step = _step(source, weight_scale)
    integers = _spread(value.integers.astype(np.int32), weight_scale.size)
    if (np.abs(value.scale / step - 1) <= _SAME_SCALE).all():
        return integers
    exact: NDArray[np.float64] = integers * (value.scale / step)
    return exact


def _step(source: Quantization, weight_scale: NDArray[np.float32]) -> NDArray[np.float64]:
    """The real value of one accumulator step, per channel."""
    return np.float64(source.scale) * weight_scale.astype(np.float64)


def _spread(array: NDArray[Scalar], channels: int) -> NDArray[Scalar]:
    result: NDArray[Scalar] = np.broadcast_to(array, (1, channels))[0].copy()
    return result


def _centred(value: QuantizedConstant) -> NDArray[np.int8] | NDArray[np.int16]:
    """The weights less their zero point, which lie between -255 and 255."""
    if value.integers.dtype != np.int8:
        raise NodeError(f"its weights '{value.name}' are {value.integers.dtype}, not int8")
    centred = value.centred()
    if centred.min(initial=0) < -128 or centred.max(initial=0) > 127:
        return centred.astype(np.int16)
    return centred.astype(np.int8)
