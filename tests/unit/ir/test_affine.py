# SPDX-License-Identifier: Apache-2.0
"""Real numbers become int8 as QuantizeLinear says, and back."""

import numpy as np
import pytest

from flexcc.ir.affine import dequantize_array, quantize_array
from flexcc.ir.types import Quantization

HALF = Quantization(scale=0.5, zero_point=3)


def test_ties_round_to_even_before_the_zero_point_is_added() -> None:
    values = np.array([0.25, 0.75, 1.25, -0.25, -0.75], np.float32)
    assert quantize_array(values, HALF).tolist() == [3, 5, 5, 3, 1]


def test_values_out_of_range_saturate() -> None:
    values = np.array([1e30, -1e30, np.inf, -np.inf, 62.0, -65.5], np.float32)
    assert quantize_array(values, HALF).tolist() == [127, -128, 127, -128, 127, -128]


def test_nan_is_refused() -> None:
    with pytest.raises(ValueError, match="NaN"):
        quantize_array(np.array([np.nan], np.float32), HALF)


def test_every_integer_survives_the_round_trip() -> None:
    integers = np.arange(-128, 128, dtype=np.int8)
    for scale in (0.1, 3.7e-5, 1e20):
        for zero_point in (-128, -1, 0, 127):
            quantization = Quantization(scale=float(np.float32(scale)), zero_point=zero_point)
            real = dequantize_array(integers, quantization)
            assert real.dtype == np.float32
            assert np.array_equal(quantize_array(real, quantization), integers)
