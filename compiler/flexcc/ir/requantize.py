# SPDX-License-Identifier: Apache-2.0
"""The numbers contract: from an accumulator to an output, exact in integers.

    y = clamp(round_half_even((acc * M + B) / 2^S) + zero_point, low, high)

`requantization` is that of the centred accumulator, the sum of (input integer - zero point) times
weight integer, in which padding is 0. An accumulator of plain integers, where a padded pixel holds
the zero point, carries zero_point * sum(weights it sums over) more: `with_accumulator_offset`. The
hardware clamps narrow accumulators to 27 bits first: `flexcc.ir.clamping` proves that no output
notices.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from flexcc.errors import InputError
from flexcc.ir.accumulator import require_accumulators_fit, sum_bounds
from flexcc.ir.affine import quantize_array
from flexcc.ir.fixed_point import MULTIPLIER_BITS, fixed_point, is_tie, round_shift
from flexcc.ir.layers import Clamp, Convolution
from flexcc.ir.types import Integers, Quantization, TensorType
from flexcc.ir.widths import Widths, widths_of

__all__ = [
    "MULTIPLIER_BITS",
    "Requantization",
    "numerator",
    "quantized_clamp",
    "requantization",
    "requantize",
    "rounding_ties",
    "with_accumulator_offset",
]

_SHIFT_MAX = 63

IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Requantization:
    """The integers that turn accumulators into outputs; the arrays are int64, one entry a channel.

    `multiplier` has 24 bits unsigned, `shift` lies in 0..63, `bias` is in units of the numerator
    acc * multiplier. `low` and `high` lie within the `target_bits` of the output. The widths of
    accumulator and bias follow from the bits of input and output; the hardware's own bias is
    narrower than that of centred accumulators, which `with_accumulator_offset` proves.
    """

    multiplier: IntArray
    shift: IntArray
    bias: IntArray
    zero_point: int
    low: int
    high: int
    negative: "Requantization | None" = None
    source_bits: int = 8
    target_bits: int = 8

    @property
    def widths(self) -> Widths:
        """How wide accumulator and bias are."""
        return widths_of(self.source_bits, self.target_bits)


def requantization(
    conv: Convolution, input_type: TensorType, output_type: TensorType
) -> Requantization:
    """The requantisation of the centred accumulators of an integer convolution.

    The ratio is float32((sx * sw) / sy) evaluated in float32, in ONNX Runtime's order, unless the
    layer has a ratio of its own. A channel
    that no input can move from its zero point, such as one with zero weights and bias, gets
    multiplier, shift and bias 0, whichever kernel elements an output sums over.

    Raises:
        InputError: a ratio of 2^24 or more, a bias so wide that no zero point can bring it back to
            the hardware's, an accumulator too wide.
    """
    source, target = _quantization(input_type), _quantization(output_type)
    if conv.weight_scale is None:
        raise ValueError(f"{conv.name}: its weights are not quantised")
    multiplier, shift = _significand_and_shift(conv, source, target)
    bias = [_times(value, int(factor)) for value, factor in zip(conv.bias, multiplier, strict=True)]
    require_accumulators_fit(conv, source)
    widths = widths_of(source.bits, target.bits)
    # Centred inputs may be 0, so an output that sums over fewer elements stays within the bounds.
    centred = sum_bounds(conv, source.low - source.zero_point, source.high - source.zero_point)
    silent = _silent(centred, multiplier, shift, bias)
    low, high = quantized_clamp(conv.clamp, target)
    negative = None
    if conv.slope is not None:
        ratio = np.ldexp(multiplier.astype(np.float64), -shift.astype(np.int32))
        ratio *= conv.slope
        factor, bits = _signed_fixed_point(conv, ratio)
        below = [_times(value, int(times)) for value, times in zip(conv.bias, factor, strict=True)]
        silent &= _silent(centred, factor, bits, below)
        negative = Requantization(
            multiplier=np.where(silent, 0, factor),
            shift=_heard_shift(conv.name, silent, bits),
            bias=_heard_bias(conv.name, silent, below, widths),
            zero_point=target.zero_point,
            low=low,
            high=high,
            source_bits=source.bits,
            target_bits=target.bits,
        )
    return Requantization(
        multiplier=np.where(silent, 0, multiplier),
        shift=_heard_shift(conv.name, silent, shift),
        bias=_heard_bias(conv.name, silent, bias, widths),
        zero_point=target.zero_point,
        low=low,
        high=high,
        negative=negative,
        source_bits=source.bits,
        target_bits=target.bits,
    )


def quantized_clamp(clamp: Clamp, quantization: Quantization) -> tuple[int, int]:
    """Integer bounds of a clamp: its real bounds quantised as ONNX Runtime would."""
    bounds = [
        -np.inf if clamp.low is None else clamp.low,
        np.inf if clamp.high is None else clamp.high,
    ]
    low, high = quantize_array(np.array(bounds, dtype=np.float32), quantization)
    return int(low), int(high)


def numerator(
    acc: NDArray[np.signedinteger], rq: Requantization, channel_axis: int = 0
) -> IntArray:
    """The exact acc * M + B, which fits 64 bits.

    A narrow centred accumulator has a bit more than the plain one; a wide one's bounds hold both.
    """
    bits = rq.widths.centred
    if acc.size and max(-int(acc.min()) - 1, int(acc.max())) >= 1 << (bits - 1):
        raise ValueError(f"an accumulator lies beyond {bits} bits")
    view = _along(acc.ndim, channel_axis)
    result = acc.astype(np.int64)
    result *= rq.multiplier.reshape(view)
    result += rq.bias.reshape(view)
    return result


def requantize(
    acc: NDArray[np.signedinteger], rq: Requantization, channel_axis: int = 0
) -> Integers:
    """The outputs of accumulators of any shape, their channels along `channel_axis`."""
    total = numerator(acc, rq, channel_axis)
    steps = round_shift(total, rq.shift.reshape(_along(acc.ndim, channel_axis)))
    steps += rq.zero_point
    dtype = np.int8 if rq.target_bits == 8 else np.int16
    result: Integers = np.clip(steps, rq.low, rq.high, out=steps).astype(dtype)
    if rq.negative is not None:
        np.copyto(result, requantize(acc, rq.negative, channel_axis), where=total < 0)
    return result


def rounding_ties(
    acc: NDArray[np.signedinteger],
    rq: Requantization,
    channel_axis: int = 0,
    within: float = 0.0,
) -> NDArray[np.bool_]:
    """Which accumulators lie between two outputs, exactly or `within` a part of an output step."""
    total = numerator(acc, rq, channel_axis)
    result = is_tie(total, rq.shift.reshape(_along(acc.ndim, channel_axis)), within)
    if rq.negative is not None:
        below = rounding_ties(acc, rq.negative, channel_axis, within)
        np.copyto(result, below, where=total < 0)
    return result


def with_accumulator_offset(
    name: str, rq: Requantization, offset: int | IntArray
) -> Requantization:
    """The same outputs from accumulators that carry `offset` more; `name` is the layer's.

    The hardware's accumulators carry zero_point * `weight_sums` and its packing offsets.

    Raises:
        InputError: a bias beyond the hardware's.
    """
    offsets = np.broadcast_to(np.asarray(offset, dtype=np.int64), rq.bias.shape)
    bias = [
        int(value) - int(factor) * int(extra)
        for value, factor, extra in zip(rq.bias, rq.multiplier, offsets, strict=True)
    ]
    _require_width(name, bias, rq.widths.bias, rq.widths.bias)
    below = None if rq.negative is None else with_accumulator_offset(name, rq.negative, offset)
    return replace(rq, bias=np.array(bias, dtype=np.int64), negative=below)


def _significand_and_shift(
    conv: Convolution, source: Quantization, target: Quantization
) -> tuple[IntArray, IntArray]:
    """Ratio = significand / 2^shift, the significand of 24 bits; 0 / 2^0 when it underflows."""
    if conv.ratio is not None:
        own, bits = fixed_point(conv.ratio)
        channels = conv.weight.shape[0]
        return np.full(channels, own, np.int64), np.full(channels, bits, np.int64)
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


def _signed_fixed_point(conv: Convolution, ratio: NDArray[np.float64]) -> tuple[IntArray, IntArray]:
    """The ratios below zero as multipliers of 24 bits and a sign, and shifts."""
    try:
        pairs = [fixed_point(abs(value)) for value in ratio]
    except ValueError as error:
        raise InputError(
            f"{conv.name}: with its slope below zero, {error}; quantise the layer again"
        ) from None
    factor = [round(np.sign(value)) * pair[0] for value, pair in zip(ratio, pairs, strict=True)]
    return np.array(factor, np.int64), np.array([pair[1] for pair in pairs], np.int64)


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


def _heard_shift(name: str, silent: NDArray[np.bool_], shift: IntArray) -> IntArray:
    """The shifts, 0 in silent channels, if they fit."""
    heard = np.where(silent, 0, shift)
    if (heard > _SHIFT_MAX).any():
        channel = int(np.argmax(heard))
        raise InputError(
            f"{name}: channel {channel} needs a shift of {heard[channel]} bits, only {_SHIFT_MAX} "
            "are there; quantise the layer with a larger weight scale"
        )
    return heard


def _heard_bias(
    name: str, silent: NDArray[np.bool_], bias: Sequence[int], widths: Widths
) -> IntArray:
    """The biases, 0 in silent channels, if they fit."""
    heard = [0 if still else value for still, value in zip(silent, bias, strict=True)]
    _require_width(name, heard, widths.centred_bias, widths.bias)
    return np.array(heard, dtype=np.int64)


def _require_width(name: str, bias: Sequence[int], width: int, told: int) -> None:
    limit = 1 << (width - 1)
    beyond = [channel for channel, value in enumerate(bias) if not -limit <= value < limit]
    if beyond:
        bits = max(bias[channel].bit_length() for channel in beyond) + 1
        others = f" (and {len(beyond) - 1} more)" if len(beyond) > 1 else ""
        raise InputError(
            f"{name}: the bias of channel {beyond[0]}{others} needs {bits} bits, only {told} "
            "are there; quantise the layer with a larger weight scale"
        )


def _along(rank: int, axis: int) -> tuple[int, ...]:
    return tuple(-1 if index == axis % rank else 1 for index in range(rank))
