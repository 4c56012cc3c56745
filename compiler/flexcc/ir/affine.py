# SPDX-License-Identifier: Apache-2.0
"""Between real numbers and the integers of a tensor, in ONNX Runtime's float32 arithmetic."""

import numpy as np
from numpy.typing import NDArray

from flexcc.ir.types import Integers, Quantization

__all__ = ["dequantize_array", "quantize_array"]


def quantize_array(values: NDArray[np.floating], quantization: Quantization) -> Integers:
    """QuantizeLinear: saturate(round_half_even(values / scale) + zero_point).

    Infinities saturate.

    Raises:
        ValueError: a value is NaN.
    """
    with np.errstate(over="ignore"):
        steps = np.rint(values.astype(np.float32) / np.float32(quantization.scale))
    if np.isnan(steps).any():
        raise ValueError("NaN cannot be quantised")
    zero_point = quantization.zero_point
    steps = np.clip(steps, quantization.low - zero_point, quantization.high - zero_point)
    result: Integers = (steps.astype(np.int32) + np.int32(zero_point)).astype(quantization.dtype)
    return result


def dequantize_array(values: Integers, quantization: Quantization) -> NDArray[np.float32]:
    """DequantizeLinear: scale * (values - zero_point), float32."""
    centred = values.astype(np.int32) - quantization.zero_point
    result: NDArray[np.float32] = centred.astype(np.float32) * np.float32(quantization.scale)
    return result
