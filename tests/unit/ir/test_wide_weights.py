# SPDX-License-Identifier: Apache-2.0
"""Weights of nine bits as weights of eight that are read more often."""

import numpy as np
import pytest

from flexcc.ir.wide_weights import narrowed


@pytest.mark.parametrize("groups", [1, 2, 3])
@pytest.mark.parametrize("largest", [127, 128, 200, 254, 255])
def test_the_parts_sum_to_the_weights(groups: int, largest: int) -> None:
    rng = np.random.default_rng([groups, largest])
    weight = rng.integers(-100, 101, (6, 4, 2, 3)).astype(np.int16)
    weight[2, 1, 0, 0], weight[4, 3, 1, 2] = largest, -largest
    narrow, channels = narrowed(weight, groups)
    together = np.zeros((6, 4, 2, 3), np.int64)
    # Relative channels: those of the first group.
    for index, channel in enumerate(channels[: narrow.shape[1]]):
        together[:, channel] += narrow[:, index]
    assert np.array_equal(together, weight)
    expected = [0, 1, 2, 3]
    expected += [channel for channel, limit in ((1, 127), (3, 128)) if largest > limit]
    expected += [1] if largest > 254 else []
    assert channels == tuple(c + 4 * group for group in range(groups) for c in expected)
