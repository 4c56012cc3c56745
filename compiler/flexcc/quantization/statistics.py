# SPDX-License-Identifier: Apache-2.0
"""What calibration keeps of the values of each tensor."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flexcc.quantization.histogram import Histogram

__all__ = ["TensorStatistics", "collect"]

Vector = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TensorStatistics:
    """The values of one tensor over all samples; arrays hold one entry per channel.

    `mean` and `mean_square` are over pixels and samples. `histogram` is None unless asked for.
    """

    lows: Vector
    highs: Vector
    mean: Vector
    mean_square: Vector
    histogram: Histogram | None

    @property
    def low(self) -> float:
        """The smallest value."""
        return float(self.lows.min())

    @property
    def high(self) -> float:
        """The largest value."""
        return float(self.highs.max())


def collect(
    images: Iterable[Mapping[str, NDArray[np.float32]]], *, histograms: bool
) -> dict[str, TensorStatistics]:
    """Statistics by tensor of at least one image, each all tensors [1,C,H,W] by name."""
    sums: dict[str, _Sums] = {}
    for image in images:
        for name, values in image.items():
            sums.setdefault(name, _Sums(values.shape[1], histograms=histograms)).add(values)
    return {name: each.finish() for name, each in sums.items()}


class _Sums:
    """Running statistics of one tensor."""

    def __init__(self, channels: int, *, histograms: bool) -> None:
        self._count = 0
        self._lows = np.full(channels, np.inf)
        self._highs = np.full(channels, -np.inf)
        self._sum = np.zeros(channels)
        self._square = np.zeros(channels)
        self._histogram = Histogram() if histograms else None

    def add(self, values: NDArray[np.float32]) -> None:
        """Takes in one image [1,C,H,W]."""
        rows = values.reshape(values.shape[1], -1)
        self._count += rows.shape[1]
        self._lows = np.minimum(self._lows, rows.min(axis=1))
        self._highs = np.maximum(self._highs, rows.max(axis=1))
        wide = rows.astype(np.float64)
        self._sum += wide.sum(axis=1)
        self._square += np.square(wide).sum(axis=1)
        if self._histogram is not None:
            self._histogram.add(values)

    def finish(self) -> TensorStatistics:
        """The statistics of all that was taken in."""
        return TensorStatistics(
            lows=self._lows,
            highs=self._highs,
            mean=self._sum / self._count,
            mean_square=self._square / self._count,
            histogram=self._histogram,
        )
