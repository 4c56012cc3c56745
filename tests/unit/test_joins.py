# SPDX-License-Identifier: Apache-2.0
"""Channels of joined tensors lie where their parts do, and weights of the lanes between are 0."""

import numpy as np
import pytest

from flexcc.blocks import dense_block, input_blocks, zero_taps
from flexcc.ir.layers import Conv2d
from flexcc.joins import channel_slots, plane_count

PARTS = (5, 4, 9)


def _conv(groups: int = 1) -> Conv2d:
    rng = np.random.default_rng(2)
    weight = rng.integers(1, 100, (18, 18 // groups, 1, 1)).astype(np.int8)
    return Conv2d(
        name="c",
        inputs=("x",),
        output="y",
        weight=weight,
        bias=np.zeros(18, np.int32),
        groups=groups,
    )


def test_every_part_begins_a_plane() -> None:
    assert channel_slots(PARTS, 4) == (*range(5), *range(8, 12), *range(12, 21))
    assert plane_count(PARTS, 4) == 2 + 1 + 3
    assert channel_slots((7,), 4) == tuple(range(7))


@pytest.mark.parametrize("groups", [1, 9, 18])
def test_weights_of_lanes_without_a_channel_are_zero(groups: int) -> None:
    conv = _conv(groups)
    lanes = 24
    dense = np.zeros((20, lanes), np.int8)
    for channel in range(18):
        first = channel // (18 // groups) * (18 // groups)
        for number in range(18 // groups):
            slot = channel_slots(PARTS, 4)[first + number]
            dense[channel, slot] = conv.weight[channel, number, 0, 0]
    for block in range(5):
        rows = slice(block * 4, block * 4 + 4)
        found = dense_block(conv, block, in_block=4, out_block=4, parts=PARTS)
        assert np.array_equal(found.reshape(4, lanes), dense[rows])
        read = input_blocks(conv.weight.shape, groups, range(18)[rows], in_block=4, parts=PARTS)
        used = np.flatnonzero(dense[rows].reshape(4, 6, 4).any(axis=(0, 2)))
        assert (read[0], read[-1]) == (used[0], used[-1])


def test_parts_without_weights_cost_no_taps() -> None:
    conv = _conv()
    conv.weight[:, 5:9] = 0
    assert zero_taps(conv, in_block=4, out_block=8, parts=PARTS) == (frozenset({(2, 0, 0)}),) * 3
    assert zero_taps(conv, in_block=32, out_block=8, parts=PARTS) == (frozenset({(1, 0, 0)}),) * 3
    assert zero_taps(conv, in_block=32, out_block=8) == ()


@pytest.mark.parametrize("groups", [1, 2, 9, 18])
@pytest.mark.parametrize("parts", [PARTS, ()])
def test_zero_taps_are_the_zeros_of_dense_blocks(groups: int, parts: tuple[int, ...]) -> None:
    conv = _conv(groups)
    conv.weight[np.random.default_rng(3).random(conv.weight.shape) < 0.9] = 0
    expected = []
    for block in range(5):
        rows = range(18)[block * 4 : block * 4 + 4]
        dense = dense_block(conv, block, in_block=4, out_block=4, parts=parts)
        shape = conv.weight.shape
        read = input_blocks(shape, groups, rows, in_block=4, parts=parts)
        expected.append(frozenset((b, 0, 0) for b in read if not dense[:, b].any()))
    assert any(expected)
    assert zero_taps(conv, in_block=4, out_block=4, parts=parts) == tuple(expected)
