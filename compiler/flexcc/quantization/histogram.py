# SPDX-License-Identifier: Apache-2.0
"""A histogram that grows with its data: bins of equal width, a power of two, around zero."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["Histogram"]

_HALF_BITS = 12
_HALF = 1 << _HALF_BITS


class Histogram:
    """Counts of finite values in 8,192 bins over -reach..reach.

    The reach is a power of two: when values lie beyond, pairs of bins become one until they do
    not. So the result does not depend on how the values came in parts.
    """

    def __init__(self) -> None:
        self.zeros = 0
        self.counts = np.zeros(2 * _HALF, np.int64)
        self._exponent: int | None = None

    def add(self, values: NDArray[np.float32]) -> None:
        """Counts all of `values`; zeros go to `zeros`, not into a bin."""
        flat = values.reshape(-1)
        largest = float(np.abs(flat).max(initial=0))
        self.zeros += flat.size - int(np.count_nonzero(flat))
        if largest == 0:
            return
        exponent = int(np.frexp(largest)[1])
        if self._exponent is None:
            self._exponent = exponent
        while self._exponent < exponent:
            self._halve()
        steps = np.ldexp(flat[flat != 0].astype(np.float64), _HALF_BITS - self._exponent)
        bins = np.floor(steps).astype(np.intp) + _HALF
        self.counts += np.bincount(bins, minlength=2 * _HALF)

    @property
    def edges(self) -> NDArray[np.float64]:
        """The limits of the bins, one more than there are bins."""
        exponent = 0 if self._exponent is None else self._exponent
        return np.ldexp(np.arange(-_HALF, _HALF + 1, dtype=np.float64), exponent - _HALF_BITS)

    @property
    def centres(self) -> NDArray[np.float64]:
        """The middle of each bin."""
        edges = self.edges
        result: NDArray[np.float64] = (edges[1:] + edges[:-1]) / 2
        return result

    def _halve(self) -> None:
        assert self._exponent is not None
        pairs = self.counts.reshape(-1, 2).sum(axis=1)
        self.counts = np.zeros(2 * _HALF, np.int64)
        self.counts[_HALF // 2 : _HALF // 2 + _HALF] = pairs
        self._exponent += 1
