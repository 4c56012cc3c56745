# SPDX-License-Identifier: Apache-2.0
"""Reads and beats of window layers against windows written out pixel by pixel."""

import random

import numpy as np
import pytest

from flexcc.ir.layers import Conv2d, Pads
from flexcc.windows import WindowAxis, column_beats, read_of, window_taps_needed


def _layer(kernel: tuple[int, int] = (3, 3), *, channels: int = 4, **fields: object) -> Conv2d:
    settings: dict[str, object] = {
        "weight": np.ones((channels, 1, *kernel), np.int8),
        "groups": channels,
    } | fields
    return Conv2d(
        name="dw",
        inputs=("x",),
        output="y",
        weight_scale=np.ones(channels, np.float32),
        bias=np.zeros(channels, np.int32),
        **settings,  # type: ignore[arg-type]
    )


def _random_axis(rng: random.Random) -> tuple[WindowAxis, int]:
    """An axis and the size of its output."""
    while True:
        kernel, stride = rng.randint(1, 3), rng.randint(1, 2)
        before, behind = rng.randrange(kernel), rng.randrange(kernel)
        size = rng.randint(1, 40)
        if size + before + behind >= kernel:
            outputs = (size + before + behind - kernel) // stride + 1
            return WindowAxis(kernel=kernel, stride=stride, pad=before, size=size), outputs


@pytest.mark.parametrize("seed", range(200))
def test_what_is_read_is_what_the_windows_hold(seed: int) -> None:
    rng = random.Random(seed)
    axis, outputs = _random_axis(rng)
    start = rng.randrange(outputs)
    count = rng.randint(1, outputs - start)
    ends = [
        output * axis.stride - axis.pad + axis.kernel - 1 for output in range(start, start + count)
    ]
    pixels = {p for end in ends for p in range(end - axis.kernel + 1, end + 1)}
    inside = sorted(p for p in pixels if 0 <= p < axis.size)

    read = read_of(start, count, 1, axis)
    assert (read.start, read.start + read.count - 1) == (inside[0], inside[-1])
    assert read.start + read.first == ends[0]
    assert read.start + read.count - 1 + read.extra == ends[-1]

    size = rng.choice([1, 2, 4, 8, 16])
    beats = column_beats(read, axis, size)
    lanes = np.arange(beats.first_beat * size, (beats.first_beat + beats.beats) * size)
    assert set(inside) <= set(lanes.tolist())
    assert beats.tail_lanes == np.count_nonzero(lanes >= axis.size)
    # Pixels of the output's row as the engine makes them, by the column in which they end.
    walked = np.arange((beats.beats + beats.extra_beats) * size) + lanes[0]
    made = walked if axis.stride == 1 else walked[beats.odd :: 2]
    first = beats.drop_beats * size + beats.first_pixel
    assert made[first : first + count].tolist() == ends
    assert -(-len(made) // size) - beats.drop_beats == beats.out_beats
    assert beats.first_pixel < size


def test_plain_layers_skip_rows_and_others_cannot() -> None:
    plain = WindowAxis(kernel=1, stride=1, pad=0, size=9)
    assert read_of(1, 4, 2, plain) == read_of(1, 4, 2, None)
    with pytest.raises(ValueError, match="every 2th"):
        read_of(1, 4, 2, WindowAxis(kernel=3, stride=1, pad=1, size=9))


def test_nothing_is_read_for_padding_alone() -> None:
    axis = WindowAxis(kernel=3, stride=1, pad=1, size=9)
    assert column_beats(read_of(0, 0, 1, axis), axis, 4).beats == 0


def test_layers_that_the_engine_takes() -> None:
    assert window_taps_needed(_layer(pads=Pads(top=2, left=1, bottom=2, right=2))) == 9
    assert window_taps_needed(_layer((1, 1))) == 1
    assert window_taps_needed(_layer((1, 1), strides=(1, 2))) == 9
    assert window_taps_needed(_layer((1, 3), dilations=(5, 1))) == 9


@pytest.mark.parametrize(
    "layer",
    [
        _layer((4, 3)),
        _layer(strides=(1, 3)),
        _layer(pads=Pads(top=3)),
        _layer((1, 3), pads=Pads(bottom=1)),
        _layer(dilations=(1, 2)),
        _layer(groups=2, weight=np.ones((4, 2, 3, 3), np.int8)),
        _layer(groups=2, weight=np.ones((4, 1, 3, 3), np.int8)),
    ],
)
def test_layers_that_stay_on_the_array(layer: Conv2d) -> None:
    assert window_taps_needed(layer) is None
