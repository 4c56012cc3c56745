# SPDX-License-Identifier: Apache-2.0
"""Histograms: exact counts, whatever the order and size of the parts."""

import numpy as np
import pytest

from flexcc.quantization.histogram import Histogram


def _of(*parts: np.ndarray) -> Histogram:
    histogram = Histogram()
    for part in parts:
        histogram.add(part.astype(np.float32))
    return histogram


def test_counts_are_those_of_numpy(seed: int) -> None:
    values = np.random.default_rng(seed).normal(size=5000)
    histogram = _of(values)
    expected, _ = np.histogram(values.astype(np.float32), histogram.edges)
    assert np.array_equal(histogram.counts, expected)
    assert histogram.counts.sum() == values.size
    assert np.abs(values).max() < histogram.edges[-1] <= 2 * np.abs(values).max()


def test_growing_changes_nothing(seed: int) -> None:
    """Small values first, then large ones, is the same as both at once."""
    rng = np.random.default_rng(seed)
    small, large = rng.normal(size=1000), 1e6 * rng.normal(size=1000)
    for histogram in (_of(small, large), _of(large, small), _of(large[:500], small, large[500:])):
        whole = _of(np.concatenate([small, large]))
        assert np.array_equal(histogram.counts, whole.counts)
        assert np.array_equal(histogram.edges, whole.edges)


def test_zeros_are_counted_apart() -> None:
    histogram = _of(np.zeros(7), np.array([0.0, -0.0, 1.0, -1.0]))
    assert histogram.zeros == 9
    assert histogram.counts.sum() == 2
    assert not _of(np.zeros(3)).counts.any()


@pytest.mark.parametrize("largest", [1.0, 2.0**-140, 3e38])
def test_every_size_of_values(largest: float) -> None:
    histogram = _of(np.array([largest, -largest]))
    (low, high) = np.flatnonzero(histogram.counts)
    assert histogram.edges[low] <= -np.float32(largest) < histogram.edges[low + 1]
    assert histogram.edges[high] <= np.float32(largest) < histogram.edges[high + 1]
