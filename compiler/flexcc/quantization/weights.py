# SPDX-License-Identifier: Apache-2.0
"""Rounds the weights and bias of a convolution to integers that the accelerator can hold."""

import logging
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from flexcc.ir.clamping import clamp_is_lossless
from flexcc.ir.kernel import kernel_phases, weight_sums
from flexcc.ir.layers import Convolution, ConvTranspose2d
from flexcc.ir.requantize import (
    MULTIPLIER_BITS,
    requantization,
    with_accumulator_offset,
)
from flexcc.ir.types import Quantization, TensorType
from flexcc.ir.widths import widths_of
from flexcc.quantization.exact_ratios import exact_ratios, exact_slope
from flexcc.quantization.moments import Moments
from flexcc.quantization.rounding import Rounding, mean_shift, nearest

__all__ = ["bias_fits", "quantize_convolution"]

logger = logging.getLogger(__name__)

# A float32 scale grows from the smallest to the largest in fewer doublings.
_DOUBLINGS_MAX = 280


def quantize_convolution(
    conv: Convolution,
    source: Quantization,
    target: Quantization,
    scale: NDArray[np.float32],
    *,
    rounding: Rounding = nearest,
    moments: Moments | None = None,
) -> Convolution:
    """The integer convolution with these weight scales, which grow where they must.

    `scale` has one per output channel, or one for all. The groups of a transposed convolution share
    the largest scale of each of their channels, for ONNX has one for all of them.
    The scale of a channel is doubled until its bias, with the zero-point correction, leaves room
    for the accelerator's own offsets and until clamping its accumulator loses nothing.
    A channel whose weights all round to zero gets a scale that suits its bias. With `moments` the
    bias makes up for the mean of what rounding takes from the outputs.

    Raises:
        InputError: a scale that does not fit the others.
    """
    sharing = conv.groups if isinstance(conv, ConvTranspose2d) else 1
    scale = _shared(conv, np.broadcast_to(scale, conv.weight.shape[:1]), sharing)
    motionless = _in_all_groups((nearest(conv, scale) == 0).all(axis=(1, 2, 3)), sharing)
    # A bias of 2^-8 output steps is exact enough; the scale must stay a normal float32.
    step = max(np.float32(target.scale / (256 * source.scale)), np.finfo(np.float32).tiny)
    scale = np.where(motionless, np.float32(step), scale)
    scale = exact_ratios(conv, scale, source, target)
    if conv.slope is not None:
        conv = replace(conv, slope=exact_slope(conv.slope))
    for doubling in range(_DOUBLINGS_MAX):
        result = _integer(conv, source, scale, rounding(conv, scale), moments)
        fits = _in_all_groups(~_too_wide(result, source, target), sharing)
        if fits.all():
            result = replace(result, bias=result.bias.astype(np.int32))
            fits = _in_all_groups(_clamp_is_lossless(result, source, target), sharing)
        if fits.all():
            if doubling:
                logger.info(
                    "%s: weight scales of some channels were enlarged, by up to 2^%d, so that "
                    "their biases fit the accelerator",
                    conv.name,
                    doubling,
                )
            return result
        scale = np.where(fits, scale, scale * np.float32(2))
    raise AssertionError(f"{conv.name}: no weight scale makes its bias fit")


def bias_fits(conv: Convolution, source: Quantization, target: Quantization) -> NDArray[np.bool_]:
    """Whether the accelerator can hold the bias of each channel of an integer convolution."""
    wide = _too_wide(conv, source, target)
    kept = replace(conv, bias=np.where(wide, 0, conv.bias).astype(np.int32))
    result: NDArray[np.bool_] = ~wide & _clamp_is_lossless(kept, source, target)
    return result


def _shared(conv: Convolution, scale: NDArray[np.float32], groups: int) -> NDArray[np.float32]:
    """Per channel the largest scale of that channel of any group; that of no weights is any."""
    dead = (conv.weight == 0).all(axis=(1, 2, 3))
    used = np.where(dead, 0, scale).reshape(groups, -1).max(axis=0)
    return np.tile(np.where(used == 0, scale[: used.size], used), groups).astype(np.float32)


def _in_all_groups(channels: NDArray[np.bool_], groups: int) -> NDArray[np.bool_]:
    """Whether something holds for the same channel of all groups, per channel."""
    return np.tile(channels.reshape(groups, -1).all(axis=0), groups)


def _integer(
    conv: Convolution,
    source: Quantization,
    scale: NDArray[np.float32],
    integers: NDArray[np.int8],
    moments: Moments | None,
) -> Convolution:
    """The convolution of these weights; its bias in steps may lie beyond every integer."""
    bias = conv.bias.astype(np.float64)
    if moments is not None:
        bias += mean_shift(conv, integers, scale, moments)
    with np.errstate(over="ignore"):
        steps = np.rint(bias / (np.float64(source.scale) * scale))
    return replace(conv, weight=integers, weight_scale=scale, bias=steps)


def _too_wide(conv: Convolution, source: Quantization, target: Quantization) -> NDArray[np.bool_]:
    """Channels whose bias does not fit, with room for an offset of a few steps per weight."""
    room = 160 * conv.weight[0].size + (1 << 16)
    limit = 1 << (widths_of(source.bits, target.bits).bias - 1 - MULTIPLIER_BITS)
    result = np.abs(conv.bias) > np.iinfo(np.int32).max
    for elements in kernel_phases(conv):
        carried = source.zero_point * weight_sums(conv, elements)
        result |= np.abs(conv.bias - carried) > limit - min(room, limit // 2)
    return result


def _clamp_is_lossless(
    conv: Convolution, source: Quantization, target: Quantization
) -> NDArray[np.bool_]:
    types = [
        TensorType(channels=1, height=1, width=1, quantization=quantization)
        for quantization in (source, target)
    ]
    centred = requantization(conv, types[0], types[1])
    result = np.ones(conv.weight.shape[:1], np.bool_)
    for elements in kernel_phases(conv):
        carried = source.zero_point * weight_sums(conv, elements)
        plain = with_accumulator_offset(conv.name, centred, carried)
        result &= clamp_is_lossless(conv, plain, elements=elements)
    return result
