# SPDX-License-Identifier: Apache-2.0
"""Rounds the weights and bias of a convolution to integers that the accelerator can hold."""

import logging
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from flexcc.ir.layers import Conv2d
from flexcc.ir.requantize import (
    BIAS_BITS,
    MULTIPLIER_BITS,
    clamp27_is_lossless,
    requantization,
)
from flexcc.ir.types import Quantization, TensorType

__all__ = ["quantize_convolution"]

logger = logging.getLogger(__name__)

# A float32 scale grows from the smallest to the largest in fewer doublings.
_DOUBLINGS_MAX = 280


def quantize_convolution(
    conv: Conv2d, source: Quantization, target: Quantization, scale: NDArray[np.float32]
) -> Conv2d:
    """The integer convolution with these weight scales, which grow where they must.

    The scale of a channel is doubled until its bias, with the zero-point correction, leaves room
    for the accelerator's own offsets and until clamping its accumulator to 27 bits loses nothing.
    A channel whose weights all round to zero gets a scale that suits its bias.

    Raises:
        InputError: a scale that does not fit the others.
    """
    scale = np.broadcast_to(scale, conv.weight.shape[:1]).astype(np.float32)
    motionless = ~_rounded(conv, scale).any(axis=(1, 2, 3))
    # A bias of 2^-8 output steps is exact enough; the scale must stay a normal float32.
    step = max(np.float32(target.scale / (256 * source.scale)), np.finfo(np.float32).tiny)
    scale = np.where(motionless, np.float32(step), scale)
    for doubling in range(_DOUBLINGS_MAX):
        wide = _too_wide(conv, source, scale)
        fits = ~wide
        if fits.all():
            result = _integer(conv, source, scale)
            fits = _clamp_is_lossless(result, source, target)
        if fits.all():
            if doubling:
                logger.warning(
                    "%s: weight scales of some channels were enlarged, by up to 2^%d, so that "
                    "their biases fit the accelerator",
                    conv.name,
                    doubling,
                )
            return result
        scale = np.where(fits, scale, scale * np.float32(2))
    raise AssertionError(f"{conv.name}: no weight scale makes its bias fit")


def _rounded(conv: Conv2d, scale: NDArray[np.float32]) -> NDArray[np.int8]:
    steps: NDArray[np.float32] = np.rint(
        conv.weight.astype(np.float32) / scale[:, None, None, None]
    )
    return np.clip(steps, -127, 127).astype(np.int8)


def _bias_steps(
    conv: Conv2d, source: Quantization, scale: NDArray[np.float32]
) -> NDArray[np.float64]:
    with np.errstate(over="ignore"):
        return np.rint(conv.bias / (np.float64(source.scale) * scale))


def _too_wide(conv: Conv2d, source: Quantization, scale: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Channels whose bias does not fit, with room for an offset of a few steps per weight."""
    weight = _rounded(conv, scale).astype(np.int64)
    bias = _bias_steps(conv, source, scale) - source.zero_point * weight.sum(axis=(1, 2, 3))
    room = 160 * weight[0].size + (1 << 16)
    limit = 1 << (BIAS_BITS - 1 - MULTIPLIER_BITS)
    result: NDArray[np.bool_] = np.abs(bias) > limit - min(room, limit // 2)
    return result


def _integer(conv: Conv2d, source: Quantization, scale: NDArray[np.float32]) -> Conv2d:
    return replace(
        conv,
        weight=_rounded(conv, scale),
        weight_scale=scale,
        bias=_bias_steps(conv, source, scale).astype(np.int32),
    )


def _clamp_is_lossless(
    conv: Conv2d, source: Quantization, target: Quantization
) -> NDArray[np.bool_]:
    types = [
        TensorType(channels=1, height=1, width=1, quantization=quantization)
        for quantization in (source, target)
    ]
    return clamp27_is_lossless(conv, requantization(conv, types[0], types[1]))
