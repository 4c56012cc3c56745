# SPDX-License-Identifier: Apache-2.0
"""Evaluating a tap list is the convolution, whatever its stride, dilation, pads and groups."""

import random
from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray

from flexcc.ir.layers import Conv2d, Pads
from flexcc.taps import Run, Tap, conv_taps, runs

IntArray = NDArray[np.int64]


def _direct(conv: Conv2d, x: IntArray) -> IntArray:
    """The definition: pad, then one dot product per output pixel and channel."""
    pads, (sy, sx), (ey, ex) = conv.pads, conv.strides, conv.dilations
    padded = np.pad(x, ((0, 0), (pads.top, pads.bottom), (pads.left, pads.right)))
    co, ci, kh, kw = conv.weight.shape
    height = (padded.shape[1] - (kh - 1) * ey - 1) // sy + 1
    width = (padded.shape[2] - (kw - 1) * ex - 1) // sx + 1
    out = np.zeros((co, height, width), np.int64)
    for c, oy, ox in product(range(co), range(height), range(width)):
        first = c // (co // conv.groups) * ci
        patch = padded[
            first : first + ci,
            oy * sy : oy * sy + (kh - 1) * ey + 1 : ey,
            ox * sx : ox * sx + (kw - 1) * ex + 1 : ex,
        ]
        out[c, oy, ox] = np.sum(patch * conv.weight[c].astype(np.int64))
    return out


def _by_taps(conv: Conv2d, x: IntArray, shape: tuple[int, ...], n: int, m: int) -> IntArray:
    """The tap equation, word for word; reads outside the image are zero."""
    taps = conv_taps(conv, in_block=n, out_block=m)
    co, ci, *_ = conv.weight.shape
    out = np.full(shape, -(10**9), np.int64)
    for phase in taps.phases:
        rows = range(phase.py, shape[1], taps.y.out_step)
        cols = range(phase.px, shape[2], taps.x.out_step)
        for c, (oy, row), (ox, col) in product(range(co), enumerate(rows), enumerate(cols)):
            group = c // (co // conv.groups)
            total = 0
            for tap in phase.taps(c // m):
                iy, ix = oy * taps.y.in_step + tap.dy, ox * taps.x.in_step + tap.dx
                for channel in range(tap.block * n, min((tap.block + 1) * n, x.shape[0])):
                    own = channel - group * ci
                    inside = 0 <= iy < x.shape[1] and 0 <= ix < x.shape[2]
                    if inside and 0 <= own < ci:
                        total += int(x[channel, iy, ix]) * int(conv.weight[c, own, tap.ky, tap.kx])
            out[c, row, col] = total
    return out


def _random_case(rng: random.Random) -> tuple[Conv2d, IntArray, int, int]:
    values = np.random.default_rng(rng.getrandbits(32))
    groups = rng.choice([1, 1, 2, 3])
    ci, co = rng.randint(1, 5), groups * rng.randint(1, 4)
    kernel = (rng.randint(1, 5), rng.randint(1, 5))
    dilations = (rng.randint(1, 3), rng.randint(1, 3))
    size = [(k - 1) * d + 1 + rng.randint(0, 4) for k, d in zip(kernel, dilations, strict=True)]
    conv = Conv2d(
        name="c",
        inputs=("x",),
        output="y",
        weight=values.integers(-128, 128, (co, ci, *kernel)).astype(np.int8),
        bias=np.zeros(co, np.int32),
        strides=(rng.randint(1, 5), rng.randint(1, 5)),
        pads=Pads(**{side: rng.randint(0, 3) for side in ("top", "left", "bottom", "right")}),
        dilations=dilations,
        groups=groups,
    )
    x = values.integers(-128, 128, (ci * groups, *size))
    return conv, x, rng.choice([1, 2, 4, 8]), rng.choice([1, 2, 4, 8])


@pytest.mark.parametrize("seed", range(60))
def test_taps_are_the_convolution(seed: int) -> None:
    conv, x, n, m = _random_case(random.Random(seed))
    expected = _direct(conv, x)
    assert np.array_equal(_by_taps(conv, x, expected.shape, n, m), expected)


def _conv(co: int, ci: int, groups: int) -> Conv2d:
    weight = np.ones((co, ci, 1, 2), np.int8)
    return Conv2d(
        name="c",
        inputs=("x",),
        output="y",
        weight=weight,
        bias=np.zeros(co, np.int32),
        groups=groups,
    )


def test_dense_blocks_share_one_list_and_its_runs_cover_all_blocks() -> None:
    phase = conv_taps(_conv(20, 10, 1), in_block=4, out_block=8).phases[0]
    assert phase.of_block == (0, 0, 0)
    assert list(runs(phase.lists[0])) == [
        Run(tap=Tap(dy=0, dx=dx, block=0, ky=0, kx=dx), blocks=3) for dx in (0, 1)
    ]


def test_grouped_blocks_name_only_the_channels_of_their_groups() -> None:
    phase = conv_taps(_conv(24, 8, 3), in_block=4, out_block=8).phases[0]
    assert [{tap.block for tap in phase.taps(b)} for b in range(3)] == [{0, 1}, {2, 3}, {4, 5}]
    across = conv_taps(_conv(24, 8, 3), in_block=4, out_block=16).phases[0]
    assert [{tap.block for tap in across.taps(b)} for b in range(2)] == [{0, 1, 2, 3}, {4, 5}]


def test_runs_break_at_gaps_between_blocks() -> None:
    taps = tuple(Tap(dy=0, dx=0, block=b, ky=0, kx=0) for b in (0, 1, 3))
    assert [(run.tap.block, run.blocks) for run in runs(taps)] == [(0, 2), (3, 1)]
