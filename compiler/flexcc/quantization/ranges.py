# SPDX-License-Identifier: Apache-2.0
"""The range of real values that a tensor's integers cover, from its statistics.

A range always holds zero, for padding is zero. What lies beyond saturates.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flexcc.quantization.histogram import Histogram
from flexcc.quantization.options import CalibrationMethod, QuantizationOptions
from flexcc.quantization.statistics import TensorStatistics

__all__ = ["Range", "least_error_range", "percentile_range", "tensor_range"]

# Ends that the least-error search tries, as parts of the largest value.
_PARTS = np.arange(1, 129) / 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """low <= 0 <= high."""

    low: float
    high: float

    def __or__(self, other: "Range") -> "Range":
        return Range(low=min(self.low, other.low), high=max(self.high, other.high))


def tensor_range(statistics: TensorStatistics, options: QuantizationOptions, bits: int) -> Range:
    """The range of a tensor by the method of the options, never wider than its values.

    With 16 bits nothing is gained by leaving out values: it is the whole range.
    """
    whole = Range(low=min(statistics.low, 0.0), high=max(statistics.high, 0.0))
    if statistics.histogram is None or options.method is CalibrationMethod.MIN_MAX or bits > 8:
        return whole
    if options.method is CalibrationMethod.PERCENTILE:
        return percentile_range(statistics.histogram, options.percentile, whole)
    return least_error_range(statistics.histogram, whole)


def percentile_range(histogram: Histogram, percentile: float, whole: Range) -> Range:
    """The range that leaves (100 - percentile)/2 % of the values beyond each end."""
    counts, edges = histogram.counts, histogram.edges
    beyond = (histogram.zeros + int(counts.sum())) * (100.0 - percentile) / 200.0
    below = np.concatenate([[0], np.cumsum(counts)])
    # The outermost edges with no more than the share beyond them.
    low = edges[np.flatnonzero(below <= beyond)[-1]]
    high = edges[np.flatnonzero(below[-1] - below <= beyond)[0]]
    return Range(
        low=max(whole.low, min(float(low), 0.0)), high=min(whole.high, max(float(high), 0.0))
    )


def least_error_range(histogram: Histogram, whole: Range, steps: int = 255) -> Range:
    """The range whose rounding and saturation have the least mean square together.

    The upper end is chosen first, then the lower one.
    """
    highs = _PARTS * whole.high
    high = highs[np.argmin([_error(histogram, whole.low, end, steps) for end in highs])]
    lows = _PARTS * whole.low
    low = lows[np.argmin([_error(histogram, end, high, steps) for end in lows])]
    return Range(low=float(low), high=float(high))


def _error(histogram: Histogram, low: float, high: float, steps: int) -> float:
    """Sum of squares of what quantisation to `steps` steps takes from the values counted."""
    centres: NDArray[np.float64] = histogram.centres
    beyond = centres - np.clip(centres, low, high)
    inside = beyond == 0
    rounding = ((high - low) / steps) ** 2 / 12 * int(histogram.counts[inside].sum())
    return float(rounding + (np.square(beyond) * histogram.counts).sum())
