# SPDX-License-Identifier: Apache-2.0
"""Kernel elements of a convolution: which of them one output sums over, and their weights.

An output of a convolution sums over every element, padding included. Outputs of a transposed
convolution with stride s fall into phases: element k adds to the outputs o of an axis where
o = k*dilation - pad (mod s), so each phase sums over elements of its own.
"""

from collections.abc import Iterable
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from flexcc.ir.layers import Convolution, ConvTranspose2d

__all__ = ["Elements", "kernel_phases", "phase_weights", "weight_sums"]

Elements = Iterable[tuple[int, int]]
"""Kernel elements as (row, column)."""


def kernel_phases(conv: Convolution) -> tuple[tuple[tuple[int, int], ...], ...]:
    """The sets of kernel elements that outputs sum over; those of no element are left out."""
    axes = []
    for axis, size in enumerate(conv.weight.shape[2:]):
        if isinstance(conv, ConvTranspose2d):
            stride, dilation = conv.strides[axis], conv.dilations[axis]
            residues = sorted((k * dilation % stride, k) for k in range(size))
            phases = [[k for _, k in group] for _, group in groupby(residues, lambda r: r[0])]
        else:
            phases = [list(range(size))]
        axes.append(phases)
    return tuple(
        tuple((row, column) for row in rows for column in columns)
        for rows in axes[0]
        for columns in axes[1]
    )


def phase_weights(
    conv: Convolution, elements: Elements | None = None
) -> NDArray[np.float32] | NDArray[np.int8]:
    """The weights [Co, Ci/groups, number] of `elements`; of all when None."""
    weight = conv.weight
    if elements is None:
        return weight.reshape(*weight.shape[:2], -1)
    places = np.array(list(elements), np.intp).reshape(-1, 2)
    return weight[:, :, places[:, 0], places[:, 1]]


def weight_sums(conv: Convolution, elements: Elements | None = None) -> NDArray[np.int64]:
    """The sum of the integer weights of `elements` (all when None), [Co].

    An accumulator of plain input integers over them is zero_point times this above the centred one.
    """
    total: NDArray[np.int64] = phase_weights(conv, elements).sum(axis=(1, 2), dtype=np.int64)
    return total
