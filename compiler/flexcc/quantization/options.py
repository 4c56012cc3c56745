# SPDX-License-Identifier: Apache-2.0
"""What can be chosen about quantisation."""

from dataclasses import dataclass
from enum import Enum

__all__ = ["CalibrationMethod", "Precision", "QuantizationOptions"]


class CalibrationMethod(Enum):
    """How the range of a tensor follows from its values on the samples."""

    MIN_MAX = "minmax"
    PERCENTILE = "percentile"
    MSE = "mse"


class Precision(Enum):
    """The bits of activations: all 8, or 16 wherever the accelerator can have them."""

    A8 = "a8"
    A16 = "a16"


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantizationOptions:
    """The choices; `percentile` is the share of values, in %, that lie within a tensor's range.

    `percentile` serves CalibrationMethod.PERCENTILE alone.
    """

    method: CalibrationMethod = CalibrationMethod.MIN_MAX
    percentile: float = 99.99
    precision: Precision = Precision.A8
