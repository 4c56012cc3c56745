# SPDX-License-Identifier: Apache-2.0
"""What can be chosen about quantisation."""

from dataclasses import dataclass
from enum import Enum

__all__ = ["CalibrationMethod", "Precision", "QuantizationOptions", "WeightRounding"]


class CalibrationMethod(Enum):
    """How the range of a tensor follows from its values on the samples."""

    MIN_MAX = "minmax"
    PERCENTILE = "percentile"
    MSE = "mse"


class WeightRounding(Enum):
    """How weights become integers: each by itself, or making up for each other on the samples."""

    NEAREST = "nearest"
    COMPENSATED = "compensated"


class Precision(Enum):
    """The bits of activations: all 8, 16 wherever the accelerator can have them, or as needed."""

    A8 = "a8"
    A16 = "a16"
    AUTO = "auto"


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantizationOptions:
    """The choices.

    `percentile` is the share of values, in %, that lie within a tensor's range; it serves
    CalibrationMethod.PERCENTILE alone. `equalize` brings the channels of a tensor to like ranges
    first. `correct_bias` makes up for the mean of what rounding the weights takes away. `sqnr_db`
    is the signal-to-noise ratio that Precision.AUTO keeps at every output, if the weights let it.
    `settle_bias` lets biases make up for what rounding activations takes, too, layer by layer.
    """

    method: CalibrationMethod = CalibrationMethod.MIN_MAX
    percentile: float = 99.99
    precision: Precision = Precision.A8
    rounding: WeightRounding = WeightRounding.NEAREST
    equalize: bool = True
    correct_bias: bool = True
    settle_bias: bool = False
    sqnr_db: float = 20.0
