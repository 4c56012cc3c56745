# SPDX-License-Identifier: Apache-2.0
"""Evaluating a tap list is the convolution, either way, whatever its stride, dilation and pads."""

import random
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray

from flexcc.ir.layers import Conv2d, Convolution, ConvTranspose2d, Pads
from flexcc.taps import Run, Tap, conv_axis, conv_taps, runs, transposed_axis, window_taps

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


def _scattered(conv: ConvTranspose2d, x: IntArray) -> IntArray:
    """The definition: every input pixel is added to the outputs its kernel covers."""
    pads, (sy, sx), (ey, ex) = conv.pads, conv.strides, conv.dilations
    co, ci, kh, kw = conv.weight.shape
    _, height, width = x.shape
    more = conv.output_padding
    full = np.zeros(
        (
            co,
            (height - 1) * sy + (kh - 1) * ey + 1 + more[0],
            (width - 1) * sx + (kw - 1) * ex + 1 + more[1],
        ),
        np.int64,
    )
    for c, ky, kx in product(range(co), range(kh), range(kw)):
        first = c // (co // conv.groups) * ci
        weight = conv.weight[c, :, ky, kx].astype(np.int64)
        part = np.tensordot(weight, x[first : first + ci], 1)
        full[
            c,
            ky * ey : ky * ey + (height - 1) * sy + 1 : sy,
            kx * ex : kx * ex + (width - 1) * sx + 1 : sx,
        ] += part
    return full[:, pads.top : full.shape[1] - pads.bottom, pads.left : full.shape[2] - pads.right]


def _by_taps(
    conv: Convolution,
    x: IntArray,
    shape: tuple[int, ...],
    n: int,
    block: int,
    *,
    bundle: int = 1,
    clipped: bool = False,
) -> IntArray:
    """The tap equation, word for word; reads outside the image are zero."""
    make = transposed_axis if isinstance(conv, ConvTranspose2d) else conv_axis
    y, width_axis = (
        make(
            kernel=conv.weight.shape[2 + axis],
            stride=conv.strides[axis],
            dilation=conv.dilations[axis],
            pad=(conv.pads.top, conv.pads.left)[axis],
            in_size=x.shape[1 + axis] if clipped else None,
            out_size=shape[1 + axis] if clipped else None,
        )
        for axis in range(2)
    )
    taps = window_taps(
        y=y,
        x=width_axis,
        shape=conv.weight.shape[:2],
        groups=conv.groups,
        in_block=n,
        out_block=block,
        bundle=bundle,
    )
    co, ci, *_ = conv.weight.shape
    out = np.full(shape, -(10**9), np.int64)
    for item in taps.passes:
        channels = range(item.block * block, min((item.block + 1) * block, co))
        for phase, c in product(item.phases, channels):
            py, px = divmod(phase, taps.x.out_step)
            rows = range(py, shape[1], taps.y.out_step)
            cols = range(px, shape[2], taps.x.out_step)
            group = c // (co // conv.groups)
            for (oy, row), (ox, col) in product(enumerate(rows), enumerate(cols)):
                total = 0
                for tap in taps.taps(item):
                    element = taps.elements[phase].get((tap.dy, tap.dx))
                    iy, ix = oy * taps.y.in_step + tap.dy, ox * taps.x.in_step + tap.dx
                    inside = 0 <= iy < x.shape[1] and 0 <= ix < x.shape[2]
                    first = max(tap.block * n, group * ci)
                    last = min((tap.block + 1) * n, (group + 1) * ci)
                    if element is None or not inside or first >= last:
                        continue
                    weight = conv.weight[c, first - group * ci : last - group * ci, *element]
                    total += int(x[first:last, iy, ix] @ weight.astype(np.int64))
                assert out[c, row, col] == -(10**9)
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


def _random_transposed(rng: random.Random) -> tuple[ConvTranspose2d, IntArray]:
    conv, x, *_ = _random_case(rng)
    x = x[:, : rng.randint(1, 4), : rng.randint(1, 4)]
    strides = rng.randint(1, 5), rng.randint(1, 5)
    spans = [
        (size - 1) * stride + (k - 1) * d + 1
        for size, stride, k, d in zip(
            x.shape[1:], strides, conv.weight.shape[2:], conv.dilations, strict=True
        )
    ]
    sides = [(rng.randint(0, (s - 1) // 2), rng.randint(0, (s - 1) // 2)) for s in spans]
    (top, bottom), (left, right) = sides
    transposed = ConvTranspose2d(
        name="t",
        inputs=("x",),
        output="y",
        weight=conv.weight,
        bias=conv.bias,
        strides=strides,
        pads=Pads(top=top, left=left, bottom=bottom, right=right),
        dilations=conv.dilations,
        groups=conv.groups,
        output_padding=(rng.randint(0, strides[0] - 1), rng.randint(0, strides[1] - 1)),
    )
    return transposed, x


@pytest.mark.parametrize("seed", range(60))
def test_taps_are_the_convolution(seed: int) -> None:
    conv, x, n, m = _random_case(random.Random(seed))
    expected = _direct(conv, x)
    for clipped in (False, True):
        actual = _by_taps(conv, x, expected.shape, n, m, clipped=clipped)
        assert np.array_equal(actual, expected)


@pytest.mark.parametrize("seed", range(100))
def test_taps_are_the_transposed_convolution(seed: int) -> None:
    rng = random.Random(seed)
    conv, x = _random_transposed(rng)
    expected = _scattered(conv, x)
    n, block, bundle = (rng.choice([1, 2, 4, 8]) for _ in range(3))
    for clipped in (False, True):
        actual = _by_taps(conv, x, expected.shape, n, block, bundle=bundle, clipped=clipped)
        assert np.array_equal(actual, expected)


def test_a_phase_has_only_the_taps_that_hit_real_input() -> None:
    axis = transposed_axis(kernel=3, stride=2, dilation=1, pad=1)
    assert [len(phase.taps) for phase in axis.phases] == [1, 2]
    empty = transposed_axis(kernel=2, stride=4, dilation=1, pad=0)
    assert [len(phase.taps) for phase in empty.phases] == [1, 1, 0, 0]
    stretched = transposed_axis(kernel=3, stride=2, dilation=2, pad=0)
    assert [len(phase.taps) for phase in stretched.phases] == [3, 0]


def test_taps_that_read_only_padding_are_left_out() -> None:
    def count(size: int) -> int:
        axis = conv_axis(kernel=3, stride=1, dilation=16, pad=16, in_size=size, out_size=size)
        return len(axis.phases[0].taps)

    assert [count(size) for size in (1, 16, 17)] == [1, 1, 3]


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
    taps = conv_taps(_conv(20, 10, 1), in_block=4, out_block=8)
    assert [(item.block, item.phases, item.number) for item in taps.passes] == [
        (block, (0,), 0) for block in range(3)
    ]
    assert list(runs(taps.lists[0])) == [
        Run(tap=Tap(dy=0, dx=dx, block=0), blocks=3) for dx in (0, 1)
    ]


def test_grouped_blocks_name_only_the_channels_of_their_groups() -> None:
    def blocks(out_block: int) -> list[set[int]]:
        taps = conv_taps(_conv(24, 8, 3), in_block=4, out_block=out_block)
        return [{tap.block for tap in taps.taps(item)} for item in taps.passes]

    assert blocks(8) == [{0, 1}, {2, 3}, {4, 5}]
    assert blocks(16) == [{0, 1, 2, 3}, {4, 5}]


def test_runs_break_at_gaps_between_blocks() -> None:
    taps = tuple(Tap(dy=0, dx=0, block=b) for b in (0, 1, 3))
    assert [(run.tap.block, run.blocks) for run in runs(taps)] == [(0, 2), (3, 1)]


def test_taps_without_weights_are_left_out() -> None:
    conv = _conv(16, 8, 1)
    weight = conv.weight.copy()
    weight[:8, 4:, 0, 0] = 0  # the first output block takes channels 4..7 of the right tap only
    weight[8:, :, 0, 1] = 0
    taps = conv_taps(replace(conv, weight=weight), in_block=4, out_block=8)
    assert [[(tap.dx, tap.block) for tap in taps.taps(item)] for item in taps.passes] == [
        [(0, 0), (1, 0), (1, 1)],
        [(0, 0), (0, 1)],
    ]
    empty = conv_taps(replace(conv, weight=np.zeros_like(weight)), in_block=4, out_block=8)
    assert [item.number for item in empty.passes] == [None, None]
