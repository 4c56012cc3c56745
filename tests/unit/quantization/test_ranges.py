# SPDX-License-Identifier: Apache-2.0
"""Ranges: what each method covers, against direct searches over the values."""

import numpy as np
import pytest
from numpy.typing import NDArray

from flexcc.quantization.options import CalibrationMethod, QuantizationOptions
from flexcc.quantization.ranges import Range, tensor_range
from flexcc.quantization.statistics import TensorStatistics, collect


def _statistics(values: NDArray[np.float64]) -> TensorStatistics:
    image = values.astype(np.float32).reshape(1, 1, 1, -1)
    return collect([{"x": image}], histograms=True)["x"]


def _range(values: NDArray[np.float64], method: CalibrationMethod, percentile: float = 99) -> Range:
    options = QuantizationOptions(method=method, percentile=percentile)
    return tensor_range(_statistics(values), options, 8)


def _error(values: NDArray[np.float64], covered: Range) -> float:
    step = (covered.high - covered.low) / 255
    rounded = np.rint(np.clip(values, covered.low, covered.high) / step) * step
    return float(np.square(rounded - values).mean())


def test_min_max_covers_all_and_zero() -> None:
    assert _range(np.array([2.0, 5.0]), CalibrationMethod.MIN_MAX) == Range(low=0.0, high=5.0)
    assert _range(np.array([-3.0, -1.0]), CalibrationMethod.MIN_MAX) == Range(low=-3.0, high=0.0)


@pytest.mark.parametrize("method", list(CalibrationMethod))
@pytest.mark.parametrize("values", [[0.0, 0.0], [1.5], [-4.0, -4.0], [-1.0, 1.0]])
def test_few_values_are_covered(method: CalibrationMethod, values: list[float]) -> None:
    covered = _range(np.array(values), method)
    assert covered == Range(low=min(0.0, *values), high=max(0.0, *values))


def test_percentile_leaves_its_share_at_each_end(seed: int) -> None:
    values = np.random.default_rng(seed).normal(size=100_000)
    covered = _range(values, CalibrationMethod.PERCENTILE, 99)
    assert np.mean(values < covered.low) == pytest.approx(0.005, rel=0.05)
    assert np.mean(values > covered.high) == pytest.approx(0.005, rel=0.05)


def test_percentile_counts_zeros(seed: int) -> None:
    values = np.maximum(np.random.default_rng(seed).normal(size=100_000), 0)
    covered = _range(values, CalibrationMethod.PERCENTILE, 98)
    assert covered.low == 0
    assert np.mean(values > covered.high) == pytest.approx(0.01, rel=0.05)


@pytest.mark.parametrize("one_sided", [False, True])
def test_least_error_beats_the_whole_range(seed: int, one_sided: bool) -> None:
    values = np.random.default_rng(seed).laplace(size=200_000)
    values = np.maximum(values, 0) if one_sided else values
    whole = _range(values, CalibrationMethod.MIN_MAX)
    chosen = _range(values, CalibrationMethod.MSE)
    assert _error(values, chosen) < 0.95 * _error(values, whole)
    ends = np.linspace(0.2, 1, 40)
    best = min(
        _error(values, Range(low=a * whole.low, high=b * whole.high)) for a in ends for b in ends
    )
    assert _error(values, chosen) < 1.1 * best
