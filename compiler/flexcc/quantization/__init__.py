# SPDX-License-Identifier: Apache-2.0
"""Post-training quantisation: float graphs and samples become integer graphs."""

from flexcc.quantization.assignment_text import assignment_text
from flexcc.quantization.options import (
    CalibrationMethod,
    Precision,
    QuantizationOptions,
    WeightRounding,
)
from flexcc.quantization.quantize import QuantizedModel, quantize

__all__ = [
    "CalibrationMethod",
    "Precision",
    "QuantizationOptions",
    "QuantizedModel",
    "WeightRounding",
    "assignment_text",
    "quantize",
]
