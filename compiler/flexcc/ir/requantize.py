# SPDX-License-Identifier: Apache-2.0
"""The numbers contract: from an int32 accumulator to an int8 output, exact in integers.

    y = clamp(round_half_even((acc * M + B) / 2^S) + zero_point, low, high)

`requantization` is that of the centred accumulator, the sum of (input integer - zero point) times
weight integer, in which padding is 0. An accumulator of plain integers, where a padded pixel holds
the zero point, carries zero_point * sum(weights it sums over) more: `with_accumulator_offset`. The
hardware clamps the accumulator to 27 bits first: `require_lossless_clamp27` proves that no output
notices.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from flexcc.errors import InputError
from flexcc.ir.affine import quantize_array
from flexcc.ir.fixed_point import MULTIPLIER_BITS, fixed_point, is_tie, round_shift
from flexcc.ir.kernel import Elements, kernel_phases, phase_weights
from flexcc.ir.layers import Clamp, Convolution
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
    "require_accumulators_fit",
    "require_lossless_clamp27",
    "rounding_ties",
    "with_accumulator_offset",
]

BIAS_BITS = 48
CLAMP_BITS = 27
ACCUMULATOR_BITS = 32
_SHIFT_MAX = 63
_CENTRED_BIAS_BITS = 60

IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Requantization:
    """The integers that turn accumulators into outputs; the arrays are int64, one entry a channel.

    `multiplier` has 24 bits unsigned, `shift` lies in 0..63, `bias` is in units of the numerator
    acc * multiplier. `low` and `high` lie in -128..127. The hardware's own bias has 48 bits signed,
    which `with_accumulator_offset` proves; that of centred accumulators has 60.
    """

    multiplier: IntArray
    shift: IntArray
    bias: IntArray
    zero_point: int
    low: int
    high: int
    negative: "Requantization | None" = None


def requantization(
    conv: Convolution, input_type: TensorType, output_type: TensorType
) -> Requantization:
    """The requantisation of the centred accumulators of an integer convolution.

    The ratio is float32((sx * sw) / sy) evaluated in float32, in ONNX Runtime's order. A channel
    that no input can move from its zero point, such as one with zero weights and bias, gets
    multiplier, shift and bias 0, whichever kernel elements an output sums over.

    Raises:
        InputError: a ratio of 2^24 or more, a bias beyond 60 bits, which no zero point can bring
            back to 48, an accumulator beyond 32.
    """
    source, target = _quantization(input_type), _quantization(output_type)
    if conv.weight_scale is None:
        raise ValueError(f"{conv.name}: its weights are not quantised")
    multiplier, shift = _significand_and_shift(conv, source, target)
    bias = [_times(value, int(factor)) for value, factor in zip(conv.bias, multiplier, strict=True)]
    require_accumulators_fit(conv)
    # Centred inputs may be 0, so an output that sums over fewer elements stays within the bounds.
    centred = _bounds(conv, -128 - source.zero_point, 127 - source.zero_point, None)
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
            bias=_heard_bias(conv.name, silent, below),
            zero_point=target.zero_point,
            low=low,
            high=high,
        )
    return Requantization(
        multiplier=np.where(silent, 0, multiplier),
        shift=_heard_shift(conv.name, silent, shift),
        bias=_heard_bias(conv.name, silent, bias),
        zero_point=target.zero_point,
        low=low,
        high=high,
        negative=negative,
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
    """The exact acc * M + B: below 2^56 + 2^47 in magnitude for an accumulator of 33 bits.

    A centred accumulator has a bit more than the plain one, which fits 32.
    """
    if acc.dtype != np.int32 and acc.size and max(-int(acc.min()) - 1, int(acc.max())) >= 1 << 32:
        raise ValueError("an accumulator lies beyond 33 bits")
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
    steps = round_shift(total, rq.shift.reshape(_along(acc.ndim, channel_axis)))
    steps += rq.zero_point
    result = np.clip(steps, rq.low, rq.high, out=steps).astype(np.int8)
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


def accumulator_bounds(
    conv: Convolution, low: int = -128, high: int = 127, *, elements: Elements | None = None
) -> tuple[IntArray, IntArray]:
    """Smallest and largest accumulator of each channel when inputs lie in low..high.

    The accumulator sums over the kernel `elements`, over all when None. Both bounds are attained
    by some input, so they are exact. Padded pixels lie within the range too.

    Raises:
        InputError: a bound beyond 32 bits signed.
    """
    bounds = _bounds(conv, low, high, elements)
    limit = 1 << (ACCUMULATOR_BITS - 1)
    beyond = (bounds[0] < -limit) | (bounds[1] >= limit)
    if beyond.any():
        raise InputError(
            f"{conv.name}: {_reach(*bounds, beyond)}, beyond {ACCUMULATOR_BITS} bits; "
            "split the layer over its input channels"
        )
    return bounds


def require_accumulators_fit(conv: Convolution) -> None:
    """Proves that no output of the layer overflows its accumulator.

    Raises:
        InputError: an accumulator of plain integers beyond 32 bits.
    """
    for elements in kernel_phases(conv):
        accumulator_bounds(conv, elements=elements)


def with_accumulator_offset(
    name: str, rq: Requantization, offset: int | IntArray
) -> Requantization:
    """The same outputs from accumulators that carry `offset` more; `name` is the layer's.

    The hardware's accumulators carry zero_point * `weight_sums` and its packing offsets.

    Raises:
        InputError: a bias beyond 48 bits.
    """
    offsets = np.broadcast_to(np.asarray(offset, dtype=np.int64), rq.bias.shape)
    bias = [
        int(value) - int(factor) * int(extra)
        for value, factor, extra in zip(rq.bias, rq.multiplier, offsets, strict=True)
    ]
    _require_width(name, bias, BIAS_BITS)
    below = None if rq.negative is None else with_accumulator_offset(name, rq.negative, offset)
    return replace(rq, bias=np.array(bias, dtype=np.int64), negative=below)


def clamp27_is_lossless(
    conv: Convolution,
    rq: Requantization,
    offset: int | IntArray = 0,
    *,
    elements: Elements | None = None,
) -> NDArray[np.bool_]:
    """Per channel, whether clamping the hardware's accumulator to 27 bits signed changes no output.

    That accumulator is the plain sum over the kernel `elements` (all when None) plus `offset`, and
    `rq` is its own requantisation. It never falls as the accumulator rises, or never rises where
    a slope is negative, so it is constant beyond the clamp when its two ends there agree and lie on
    one side of the bend.
    """
    limit = 1 << (CLAMP_BITS - 1)
    ends = np.stack(accumulator_bounds(conv, elements=elements))
    ends += np.asarray(offset, dtype=np.int64)
    clamped = np.clip(ends, -limit, limit - 1)
    equal = requantize(ends, rq, 1) == requantize(clamped, rq, 1)
    if rq.negative is not None:
        equal &= (numerator(ends, rq, 1) < 0) == (numerator(clamped, rq, 1) < 0)
    result: NDArray[np.bool_] = equal.all(axis=0)
    return result


def require_lossless_clamp27(
    conv: Convolution,
    rq: Requantization,
    offset: int | IntArray = 0,
    *,
    elements: Elements | None = None,
) -> None:
    """Proves that the hardware's clamp changes no output that sums over the kernel `elements`.

    The arguments are those of `clamp27_is_lossless`.

    Raises:
        InputError: the clamp shows in some channel, or the sum with the offset leaves 32 bits.
    """
    low, high = accumulator_bounds(conv, elements=elements)
    limit = 1 << (ACCUMULATOR_BITS - 1)
    beyond = (low + offset < -limit) | (high + offset >= limit)
    if beyond.any():
        raise InputError(
            f"{conv.name}: {_reach(low, high, beyond)}, with its packing offset beyond "
            f"{ACCUMULATOR_BITS} bits; split the layer over its input channels"
        )
    lossy = ~clamp27_is_lossless(conv, rq, offset, elements=elements)
    if lossy.any():
        raise InputError(
            f"{conv.name}: {_reach(low, high, lossy)}, and clamping it to {CLAMP_BITS} bits would "
            "change outputs; quantise the layer with a larger weight scale"
        )


def _bounds(
    conv: Convolution, low: int, high: int, elements: Elements | None
) -> tuple[IntArray, IntArray]:
    weight = phase_weights(conv, elements)
    positive: IntArray = np.maximum(weight, 0).sum(axis=(1, 2), dtype=np.int64)
    negative: IntArray = np.minimum(weight, 0).sum(axis=(1, 2), dtype=np.int64)
    return positive * low + negative * high, positive * high + negative * low


def _reach(low: IntArray, high: IntArray, channels: NDArray[np.bool_]) -> str:
    channel = int(np.flatnonzero(channels)[0])
    return f"the accumulator of channel {channel} can reach {low[channel]}..{high[channel]}"


def _significand_and_shift(
    conv: Convolution, source: Quantization, target: Quantization
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


def _heard_bias(name: str, silent: NDArray[np.bool_], bias: Sequence[int]) -> IntArray:
    """The biases, 0 in silent channels, if they fit."""
    heard = [0 if still else value for still, value in zip(silent, bias, strict=True)]
    _require_width(name, heard, _CENTRED_BIAS_BITS)
    return np.array(heard, dtype=np.int64)


def _require_width(name: str, bias: Sequence[int], width: int) -> None:
    limit = 1 << (width - 1)
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
