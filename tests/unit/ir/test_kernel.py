# SPDX-License-Identifier: Apache-2.0
"""Kernel elements that outputs sum over, against following every product to its output."""

from dataclasses import replace

import numpy as np
import pytest

from flexcc.ir.kernel import kernel_phases, phase_weights, weight_sums
from flexcc.ir.layers import Conv2d, Pads
from tests.models import transposed

CONV = Conv2d(
    name="c",
    inputs=("x",),
    output="y",
    weight=np.random.default_rng(1).integers(-128, 128, (3, 2, 3, 4)).astype(np.int8),
    weight_scale=np.ones(3, np.float32),
    bias=np.zeros(3, np.int32),
    pads=Pads(top=1, left=2),
)


def test_a_convolution_has_one_phase_of_all_elements() -> None:
    (phase,) = kernel_phases(replace(CONV, strides=(2, 2)))
    assert sorted(phase) == [(row, column) for row in range(3) for column in range(4)]


@pytest.mark.parametrize("strides", [(1, 1), (2, 2), (1, 3), (3, 5)])
@pytest.mark.parametrize("dilations", [(1, 1), (2, 1), (3, 2)])
def test_phases_are_the_elements_that_meet_in_an_output(
    strides: tuple[int, int], dilations: tuple[int, int]
) -> None:
    conv = transposed(replace(CONV, strides=strides, dilations=dilations))
    met: dict[tuple[int, int], set[tuple[int, int]]] = {}
    for y, x, row, column in np.ndindex(9, 9, 3, 4):
        at = y * strides[0] + row * dilations[0], x * strides[1] + column * dilations[1]
        met.setdefault(at, set()).add((row, column))
    inner = {frozenset(elements) for elements in met.values()}
    phases = [frozenset(elements) for elements in kernel_phases(conv)]
    # Outputs near the border meet fewer elements.
    assert {e for e in inner if not any(e < other for other in inner)} == set(phases)
    assert sum(map(len, phases)) == 12


def test_sums_are_those_of_the_elements() -> None:
    assert np.array_equal(weight_sums(CONV), CONV.weight.astype(int).sum((1, 2, 3)))
    some = [(0, 3), (2, 1)]
    expected = CONV.weight[:, :, [0, 2], [3, 1]]
    assert np.array_equal(phase_weights(CONV, some), expected)
    assert np.array_equal(weight_sums(CONV, some), expected.astype(int).sum((1, 2)))
    assert weight_sums(CONV, []).tolist() == [0, 0, 0]
