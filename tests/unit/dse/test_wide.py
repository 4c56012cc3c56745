# SPDX-License-Identifier: Apache-2.0
"""Activations of 16 bits: what may have them, and what they cost."""

from dataclasses import replace

import numpy as np
import pytest

from flexcc.dse.mapping import Chain, stage_of
from flexcc.dse.resources import lane_multipliers
from flexcc.dse.wide import require_wide_convolutions
from flexcc.errors import InputError
from flexcc.ir.graph import Graph, Port
from flexcc.ir.layers import Conv2d, MaxPool2d
from flexcc.ir.types import Quantization, TensorType
from flexcc.targets.device import Family
from flexcc.tiles import stage_lists

_NARROW = Quantization(scale=0.5, zero_point=3)
_WIDE = Quantization(scale=0.002, zero_point=700, bits=16)


def _graph(wide: frozenset[str] = frozenset(), slope: float | None = None) -> Graph:
    """x, a convolution to y, another one to z, pooled to p."""

    def conv(name: str, source: str, output: str) -> Conv2d:
        return Conv2d(
            name=name,
            inputs=(source,),
            output=output,
            weight=np.ones((8, 8, 1, 2), np.int8),
            weight_scale=np.full(8, 0.01, np.float32),
            bias=np.zeros(8, np.int32),
            slope=None if slope is None else np.full(8, slope, np.float32),
        )

    pool = MaxPool2d(name="pool", inputs=("z",), output="p", kernel=(2, 2), strides=(2, 2))
    sizes = {"x": (4, 6), "y": (4, 5), "z": (4, 4), "p": (2, 2)}
    tensors = {
        name: TensorType(
            channels=8,
            height=height,
            width=width,
            quantization=_WIDE if name in wide else _NARROW,
        )
        for name, (height, width) in sizes.items()
    }
    ports = [Port(tensor=t, onnx_name=t, onnx_shape=(1, 8, *sizes[t])) for t in ("x", "p")]
    return Graph(
        name="test",
        inputs=(ports[0],),
        outputs=(ports[1],),
        tensors=tensors,
        layers=(conv("first", "x", "y"), conv("second", "y", "z"), pool),
    )


def test_convolutions_may_have_16_bits_on_either_side() -> None:
    require_wide_convolutions(_graph())
    require_wide_convolutions(_graph(frozenset({"y"})))


@pytest.mark.parametrize(
    ("wide", "slope", "message"),
    [
        ({"x"}, None, "x: it is an input of 16 bits, and inputs have 8; quantise with --precision"),
        ({"z", "p"}, None, "pool: it has activations of 16 bits, and only convolutions can"),
        ({"y"}, 0.5, "first: it has activations of 16 bits, and its slope below zero"),
    ],
)
def test_what_cannot_is_named(wide: set[str], slope: float | None, message: str) -> None:
    with pytest.raises(InputError, match=message):
        require_wide_convolutions(_graph(frozenset(wide), slope))


def test_a_wide_input_takes_every_tap_twice_and_a_wide_output_every_pass() -> None:
    plain, graph = _graph(), _graph(frozenset({"y"}))
    for name, twice in (("first", 1), ("second", 0)):
        narrow, wide = (
            stage_lists(stage_of(own, Chain(conv=name)), m=4, n=8) for own in (plain, graph)
        )
        assert len(wide.passes) == len(narrow.passes) * (1 + twice)
        assert wide.steps == tuple(k * (2 - twice) for k in narrow.steps)
    planes = [
        item.plane for item in stage_lists(stage_of(graph, Chain(conv="first")), m=4, n=8).passes
    ]
    assert planes == ["upper", "upper", "lower", "lower"]
    stage = stage_of(graph, Chain(conv="second"))
    (taps,) = stage_lists(stage, m=8, n=8).taps.lists
    assert [(tap.dx, tap.block, tap.lower) for tap in taps] == [
        (0, 0, False),
        (1, 0, False),
        (0, 1, True),
        (1, 1, True),
    ]
    assert stage.sources == ("y:upper", "y:lower")


def test_lanes_of_16_bits_take_half_as_many_multipliers_more() -> None:
    counts = [
        lane_multipliers(p=4, q=2, family=Family.XCUP, sums=False, wide=wide)
        for wide in (False, True)
    ]
    assert counts == [16, 24]


def test_the_same_graph_keeps_its_name_of_planes() -> None:
    graph = _graph(frozenset({"y"}))
    stage = stage_of(graph, Chain(conv="first"))
    assert stage.stored_tensors == ("y:upper", "y:lower")
    narrow = replace(stage, output=replace(stage.output, quantization=_NARROW))
    assert narrow.stored_tensors == ("y",)
