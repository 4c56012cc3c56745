# SPDX-License-Identifier: Apache-2.0
"""The numbers contract: from an int32 accumulator to an int8 output, exact in integers.

    y = clamp(round_half_even((acc * M + B) / 2^S) + zero_point, low, high)

The accumulator is the plain sum of input integer times weight integer, where a padded pixel holds
the input's zero point; `B` subtracts zero_point * sum(weights) again. The hardware clamps the
accumulator to 27 bits first: `require_lossless_clamp27` proves that no output notices.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from flexcc.errors import InputError
from flexcc.ir.affine import quantize_array
from flexcc.ir.layers import Clamp, Conv2d
from flexcc.ir.types import Quantization, TensorType

__all__ = [
    "ACCUMULATOR_BITS",
    "BIAS_BITS",
    "CLAMP_BITS",
    "MULTIPLIER_BITS",
    "Requantization",
    "accumulator_bounds",
    "clamp27_is_lossless",
    "numerator",
    "quantized_clamp",
    "requantization",
    "requantize",
    "require_lossless_clamp27",
    "with_accumulator_offset",
]

MULTIPLIER_BITS = 24
BIAS_BITS = 48
CLAMP_BITS = 27
ACCUMULATOR_BITS = 32
_SHIFT_MAX = 63

IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Requantization:
    """The integers that turn accumulators into outputs; the arrays are int64, one entry a channel.

    `multiplier` has 24 bits unsigned, `shift` lies in 0..63, `bias` has 48 bits signed and is in
    units of the numerator acc * multiplier. `low` and `high` lie in -128..127.
    """

    multiplier: IntArray
    shift: IntArray
    bias: IntArray
    zero_point: int
    low: int
    high: int


def requantization(conv: Conv2d, input_type: TensorType, output_type: TensorType) -> Requantization:
    """The requantisation of an integer convolution.

    The ratio is float32((sx * sw) / sy) evaluated in float32, in ONNX Runtime's order. A channel
    that no input can move from its zero point, such as one with zero weights and bias, gets
    multiplier, shift and bias 0.

    Raises:
        InputError: a ratio of 2^24 or more, a bias beyond 48 bits, an accumulator beyond 32.
    """
    source, target = _quantization(input_type), _quantization(output_type)
    if conv.weight_scale is None:
        raise ValueError(f"{conv.name}: its weights are not quantised")
    multiplier, shift = _significand_and_shift(conv, source, target)
    weight_sum = conv.weight.astype(np.int64).sum(axis=(1, 2, 3))
    bias = [
        _times(value, int(factor)) - source.zero_point * int(total) * int(factor)
        for value, factor, total in zip(conv.bias, multiplier, weight_sum, strict=True)
    ]
    silent = _silent(accumulator_bounds(conv), multiplier, shift, bias)
    _require_shift(conv.name, np.where(silent, 0, shift))
    bias = [0 if still else value for still, value in zip(silent, bias, strict=True)]
    _require_width(conv.name, bias)
    low, high = quantized_clamp(conv.clamp, target)
    return Requantization(
        multiplier=np.where(silent, 0, multiplier),
        shift=np.where(silent, 0, shift),
        bias=np.array(bias, dtype=np.int64),
        zero_point=target.zero_point,
        low=low,
        high=high,
    )


def quantized_clamp(clamp: Clamp, quantization: Quantization) -> tuple[int, int]:
    """Integer bounds of a clamp: its real bounds quantised as ONNX Runtime would, else int8's."""
    bounds = [
        -np.inf if clamp.low is None else clamp.low,
        np.inf if clamp.high is None else clamp.high,
    ]
    low, high = quantize_array(np.array(bounds, dtype=np.float32), quantization)
    return int(low), int(high)


def numerator(
    acc: NDArray[np.signedinteger], rq: Requantization, channel_axis: int = 0
) -> IntArray:
    """The exact acc * M + B: below 2^55 + 2^47 in magnitude for an accumulator of 32 bits."""
    if acc.dtype != np.int32 and acc.size and max(-int(acc.min()) - 1, int(acc.max())) >= 1 << 31:
        raise ValueError("an accumulator lies beyond 32 bits")
    view = _along(acc.ndim, channel_axis)
    result = acc.astype(np.int64)
    result *= rq.multiplier.reshape(view)
    result += rq.bias.reshape(view)
    return result


def requantize(
    acc: NDArray[np.signedinteger], rq: Requantization, channel_axis: int = 0
) -> NDArray[np.int8]:
    """The outputs of accumulators of any shape, their channels along `channel_axis`."""
    total = numerator(acc, rq, channel_axis)
    view = _along(acc.ndim, channel_axis)
    shift = rq.shift.reshape(view)
    # Adding half a step less one, plus the quotient's lowest bit, rounds ties to even.
    odd = total >> shift
    odd &= rq.shift.reshape(view) > 0
    total += np.where(rq.shift > 0, (1 << np.maximum(rq.shift - 1, 0)) - 1, 0).reshape(view)
    total += odd
    total >>= shift
    total += rq.zero_point
    return np.clip(total, rq.low, rq.high, out=total).astype(np.int8)


def accumulator_bounds(conv: Conv2d, low: int = -128, high: int = 127) -> tuple[IntArray, IntArray]:
    """Smallest and largest accumulator of each channel when inputs lie in low..high.

    Both are attained by some input, so they are exact. Padded pixels lie within the range too.

    Raises:
        InputError: a bound beyond 32 bits signed.
    """
    weight = conv.weight.astype(np.int64)
    positive = np.maximum(weight, 0).sum(axis=(1, 2, 3))
    negative = np.minimum(weight, 0).sum(axis=(1, 2, 3))
    bounds = positive * low + negative * high, positive * high + negative * low
    limit = 1 << (ACCUMULATOR_BITS - 1)
    beyond = (bounds[0] < -limit) | (bounds[1] >= limit)
    if beyond.any():
        raise InputError(
            f"{conv.name}: {_reach(*bounds, beyond)}, beyond {ACCUMULATOR_BITS} bits; "
            "split the layer over its input channels"
        )
    return bounds


def with_accumulator_offset(
    name: str, rq: Requantization, offset: int | IntArray
) -> Requantization:
    """The same outputs from accumulators that carry `offset` more; `name` is the layer's.

    Raises:
        InputError: a bias beyond 48 bits.
    """
    offsets = np.broadcast_to(np.asarray(offset, dtype=np.int64), rq.bias.shape)
    bias = [
        int(value) - int(factor) * int(extra)
        for value, factor, extra in zip(rq.bias, rq.multiplier, offsets, strict=True)
    ]
    _require_width(name, bias)
    return replace(rq, bias=np.array(bias, dtype=np.int64))


def clamp27_is_lossless(
    conv: Conv2d, rq: Requantization, offset: int | IntArray = 0
) -> NDArray[np.bool_]:
    """Per channel, whether clamping (accumulator + offset) to 27 bits signed changes no output.

    `rq` is that of the plain accumulator. Requantisation never falls as the accumulator rises, so
    it is constant beyond the clamp exactly when its two ends there agree.
    """
    limit = 1 << (CLAMP_BITS - 1)
    ends = np.stack(accumulator_bounds(conv))
    offsets = np.asarray(offset, dtype=np.int64)
    clamped = np.clip(ends + offsets, -limit, limit - 1) - offsets
    equal = requantize(ends, rq, 1) == requantize(clamped, rq, 1)
    result: NDArray[np.bool_] = equal.all(axis=0)
    return result


def require_lossless_clamp27(conv: Conv2d, rq: Requantization, offset: int | IntArray = 0) -> None:
    """Proves that the hardware's clamp changes no output of the layer.

    Raises:
        InputError: the clamp shows in some channel, or the sum with the offset leaves 32 bits.
    """
    low, high = accumulator_bounds(conv)
    limit = 1 << (ACCUMULATOR_BITS - 1)
    beyond = (low + offset < -limit) | (high + offset >= limit)
    if beyond.any():
        raise InputError(
            f"{conv.name}: {_reach(low, high, beyond)}, with its packing offset beyond "
            f"{ACCUMULATOR_BITS} bits; split the layer over its input channels"
        )
    lossy = ~clamp27_is_lossless(conv, rq, offset)
    if lossy.any():
        raise InputError(
            f"{conv.name}: {_reach(low, high, lossy)}, and clamping it to {CLAMP_BITS} bits would "
            "change outputs; quantise the layer with a larger weight scale"
        )


def _reach(low: IntArray, high: IntArray, channels: NDArray[np.bool_]) -> str:
    channel = int(np.flatnonzero(channels)[0])
    return f"the accumulator of channel {channel} can reach {low[channel]}..{high[channel]}"


def _significand_and_shift(
    conv: Conv2d, source: Quantization, target: Quantization
) -> tuple[IntArray, IntArray]:
    """Ratio = significand / 2^shift, the significand of 24 bits; 0 / 2^0 when it underflows."""
    with np.errstate(over="ignore", under="ignore"):
        product = np.float32(source.scale) * np.asarray(conv.weight_scale, dtype=np.float32)
        ratio = product / np.float32(target.scale)
    fraction, exponent = np.frexp(ratio.astype(np.float64))
    shift = np.where(ratio > 0, MULTIPLIER_BITS - exponent.astype(np.int64), 0)
    beyond = ~np.isfinite(ratio) | (shift < 0)
    if beyond.any():
        channel = int(np.flatnonzero(beyond)[0])
        raise InputError(
            f"{conv.name}: one step of channel {channel}'s accumulator is {ratio[channel]:.3g} "
            f"output steps, 2^{MULTIPLIER_BITS} or more; the scales of its input, weights and "
            "output do not belong together, quantise the layer again"
        )
    return np.ldexp(fraction, MULTIPLIER_BITS).astype(np.int64), shift


def _quantization(tensor: TensorType) -> Quantization:
    if tensor.quantization is None:
        raise ValueError("the tensor is not quantised")
    return tensor.quantization


def _times(value: np.generic, factor: int) -> int:
    """Bias times multiplier; a bias that is no integer is rounded after the product."""
    return round(Fraction(value.item()) * factor)


def _silent(
    bounds: tuple[IntArray, IntArray], multiplier: IntArray, shift: IntArray, bias: Sequence[int]
) -> NDArray[np.bool_]:
    """Channels whose numerator always rounds to zero: it stays below half of 2^shift."""
    return np.array(
        [
            max(abs(int(end) * int(factor) + value) for end in ends) * 2 < 1 << int(bits)
            for *ends, factor, bits, value in zip(*bounds, multiplier, shift, bias, strict=True)
        ]
    )


def _require_shift(name: str, shift: IntArray) -> None:
    if (shift > _SHIFT_MAX).any():
        channel = int(np.argmax(shift))
        raise InputError(
            f"{name}: channel {channel} needs a shift of {shift[channel]} bits, only {_SHIFT_MAX} "
            "are there; quantise the layer with a larger weight scale"
        )


def _require_width(name: str, bias: Sequence[int]) -> None:
    limit = 1 << (BIAS_BITS - 1)
    beyond = [channel for channel, value in enumerate(bias) if not -limit <= value < limit]
    if beyond:
        bits = max(bias[channel].bit_length() for channel in beyond) + 1
        others = f" (and {len(beyond) - 1} more)" if len(beyond) > 1 else ""
        raise InputError(
            f"{name}: the bias of channel {beyond[0]}{others} needs {bits} bits, only {BIAS_BITS} "
            "are there; quantise the layer with a larger weight scale"
        )


def _along(rank: int, axis: int) -> tuple[int, ...]:
    return tuple(-1 if index == axis % rank else 1 for index in range(rank))
