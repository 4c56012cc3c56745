# SPDX-License-Identifier: Apache-2.0
"""Shapes agree with counting the window positions one by one."""

from itertools import product

import numpy as np
import pytest

from flexcc.ir.layers import ChannelAffine, Clamp, Clip, Conv2d, MaxPool2d, Pads, Reshape
from flexcc.ir.shapes import extent, output_shape, transposed_extent, window_misses_input
from tests.models import tensor, transposed


def _starts(size: int, kernel: int, stride: int, dilation: int, pads: tuple[int, int]) -> list[int]:
    last = size + pads[1] - (kernel - 1) * dilation - 1
    return list(range(-pads[0], last + 1, stride))


def test_extent_counts_the_windows() -> None:
    for case in product(range(1, 9), (1, 2, 3), (1, 2, 3), (1, 2), product((0, 1, 2), (0, 1, 3))):
        assert max(extent(*case), 0) == len(_starts(*case)), case


def test_transposed_extent_undoes_extent() -> None:
    for case in product(range(1, 9), (1, 2, 3), (1, 2, 3), (1, 2), product((0, 1, 2), (0, 1, 3))):
        outputs = transposed_extent(*case)
        if outputs > 0:
            assert extent(outputs, *case[1:]) == case[0], case


def test_window_misses_input_when_all_its_taps_are_padding() -> None:
    for case in product(range(1, 7), (1, 2, 3), (1, 2, 3), (1, 2), product((0, 2, 3), (0, 1, 3))):
        size, kernel, _, dilation, _ = case
        taps = [[s + k * dilation for k in range(kernel)] for s in _starts(*case)]
        missed = any(not any(0 <= tap < size for tap in window) for window in taps)
        assert window_misses_input(*case) == missed, case


def _conv(**fields: object) -> Conv2d:
    values: dict[str, object] = {
        "weight": np.zeros((6, 2, 3, 2), np.float32),
        "bias": np.zeros(6, np.float32),
        **fields,
    }
    return Conv2d(name="c", inputs=("x",), output="y", **values)  # type: ignore[arg-type]


def test_output_shape_of_each_layer() -> None:
    source, other = tensor(4, 10, 9), tensor(36, 10, 1)
    conv = _conv(groups=2, strides=(2, 1), pads=Pads(top=1, right=2), dilations=(2, 1))
    assert output_shape(conv, [source], other) == (6, 4, 10)
    up = transposed(_conv(groups=2, strides=(2, 1), pads=Pads(top=1, right=2)), (1, 0))
    assert output_shape(up, [source], other) == (6, 9 * 2 + 3 - 1 + 1, 8 + 2 - 2)
    pool = MaxPool2d(name="p", inputs=("x",), output="y", kernel=(3, 2), strides=(3, 2))
    assert output_shape(pool, [source], other) == (4, 3, 4)
    clip = Clip(name="r", inputs=("x",), output="y", clamp=Clamp(low=0.0))
    assert output_shape(clip, [source], other) == (4, 10, 9)
    affine = ChannelAffine(name="a", inputs=("x",), output="y", scale=np.ones(4), offset=np.ones(4))
    assert output_shape(affine, [source], other) == (4, 10, 9)
    assert output_shape(Reshape(name="f", inputs=("x",), output="y"), [source], other) == (
        36,
        10,
        1,
    )


def test_impossible_layers_say_why() -> None:
    with pytest.raises(ValueError, match="expect 2 channels, its input has 4"):
        output_shape(_conv(), [tensor(4, 10, 9)], tensor(6, 8, 8))
    with pytest.raises(ValueError, match=r"window 3x2 with dilation 4x1 is larger than .* 8x9"):
        output_shape(_conv(dilations=(4, 1)), [tensor(2, 8, 9)], tensor(6, 1, 1))
    with pytest.raises(ValueError, match="expect 2 channels, its input has 4"):
        output_shape(transposed(_conv()), [tensor(4, 10, 9)], tensor(6, 8, 8))
    with pytest.raises(ValueError, match="its pads leave 0x2 outputs of 1x1"):
        output_shape(transposed(_conv(pads=Pads(top=3))), [tensor(2, 1, 1)], tensor(6, 1, 1))
    with pytest.raises(ValueError, match="cannot turn"):
        output_shape(
            Reshape(name="f", inputs=("x",), output="y"), [tensor(4, 2, 1)], tensor(4, 2, 2)
        )
    with pytest.raises(ValueError, match="3 factors for 4 channels"):
        output_shape(
            ChannelAffine(name="a", inputs=("x",), output="y", scale=np.ones(3), offset=np.ones(3)),
            [tensor(4, 1, 1)],
            tensor(4, 1, 1),
        )
