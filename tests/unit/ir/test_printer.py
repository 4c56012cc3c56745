# SPDX-License-Identifier: Apache-2.0
"""The canonical text of a graph."""

from dataclasses import replace
from textwrap import dedent
from typing import Any

import numpy as np
import pytest

from flexcc.ir.functions import X, apply
from flexcc.ir.layers import (
    Add,
    AveragePool2d,
    ChannelAffine,
    ChannelMax,
    Clamp,
    Clip,
    Concat,
    Coordinates,
    DepthToSpace,
    Interpolate2d,
    Layer,
    LocalNorm,
    MaxPool2d,
    Mul,
    Pads,
    PRelu,
    Reshape,
    Select,
    SpaceToDepth,
    Table,
)
from flexcc.ir.printer import print_graph, print_layer
from tests.models import chain, random_conv, tensor, transposed

NAMES: Any = {"name": "n", "inputs": ("x",), "output": "y"}


def test_graph() -> None:
    rng = np.random.default_rng(0)
    source = tensor(8, 4, 4)
    pads = Pads(top=1, left=1, bottom=1, right=1)
    conv = random_conv(
        rng, "conv1", ("x", source), channels=8, kernel=(3, 3), pads=pads, clamp=Clamp(low=0.0)
    )
    pool = MaxPool2d(name="pool1", inputs=("conv1_out",), output="y", kernel=(2, 1), strides=(2, 2))
    graph = chain(source, [conv, pool])
    assert print_graph(graph) == dedent("""\
        graph(%x : f32[1x8x4x4]) {
          %conv1_out = conv2d(%x) name=conv1 kernel=3 stride=1 pad=1 clamp=0..inf : f32[1x8x4x4]
          %y = max_pool2d(%conv1_out) name=pool1 kernel=2x1 stride=2 pad=0 : f32[1x8x2x2]
          return %y
        }""")
    quantized = replace(graph, tensors={**graph.tensors, "y": tensor(8, 2, 2, 0.1, -3)})
    assert " : i8[1x8x2x2] scale=0.100000001 zero_point=-3\n" in print_graph(quantized)


def test_attributes_that_differ_from_the_usual_are_shown() -> None:
    rng = np.random.default_rng(0)
    conv = random_conv(
        rng,
        "c",
        ("x", tensor(4, 9, 9)),
        channels=4,
        kernel=(1, 3),
        groups=2,
        pads=Pads(left=1),
        dilations=(1, 2),
        strides=(1, 2),
        clamp=Clamp(high=6.0),
    )
    assert print_layer(conv) == (
        "%c_out = conv2d(%x) name=c kernel=1x3 stride=1x2 pad=0,1,0,0 dilation=1x2 groups=2 "
        "clamp=-inf..6"
    )
    assert print_layer(transposed(replace(conv, clamp=Clamp()), (0, 1))) == (
        "%c_out = conv_transpose2d(%x) name=c kernel=1x3 stride=1x2 pad=0,1,0,0 dilation=1x2 "
        "output_padding=0x1 groups=2"
    )


def test_source_layers() -> None:
    clip = Clip(name="r", inputs=("x",), output="y", clamp=Clamp(low=-1.5, high=1.5))
    assert print_layer(clip) == "%y = clip(%x) name=r clamp=-1.5..1.5"
    affine = ChannelAffine(name="a", inputs=("x",), output="y", scale=np.ones(4), offset=np.ones(4))
    assert print_layer(affine) == "%y = channel_affine(%x) name=a"
    assert print_layer(Reshape(name="f", inputs=("x",), output="y")) == "%y = reshape(%x) name=f"


def test_layers_of_several_inputs_and_functions() -> None:
    add = Add(name="a", inputs=("x", "y"), output="z", clamp=Clamp(low=0.0))
    assert print_layer(add) == "%z = add(%x, %y) name=a clamp=0..inf"
    less = replace(add, subtract=True, clamp=Clamp())
    assert print_layer(less) == "%z = subtract(%x, %y) name=a"
    gate = Mul(name="m", inputs=("x", "y"), output="z")
    assert print_layer(gate) == "%z = mul(%x, %y) name=m"
    table = Table(name="t", inputs=("x",), output="y", function=apply("Elu", X, alpha=0.5))
    assert print_layer(table) == "%y = table(%x) name=t function=Elu(x, alpha=0.5)"


def test_slopes_are_one_number_or_their_range() -> None:
    bend = PRelu(name="p", inputs=("x",), output="y", slope=np.array([0.5, 0.5], np.float32))
    assert print_layer(bend) == "%y = prelu(%x) name=p slope=0.5"
    conv = random_conv(
        np.random.default_rng(0),
        "c",
        ("x", tensor(1, 1, 1)),
        channels=2,
        kernel=(1, 1),
        slope=np.array([-0.25, 0.5], np.float32),
    )
    assert print_layer(conv).endswith("kernel=1 stride=1 pad=0 slope=-0.25..0.5")


@pytest.mark.parametrize(
    ("layer", "text"),
    [
        (
            AveragePool2d(**NAMES, kernel=(2, 3), strides=(1, 1), pads=Pads(top=1)),
            "average_pool2d(%x) name=n kernel=2x3 stride=1 pad=1,0,0,0",
        ),
        (
            AveragePool2d(
                **NAMES,
                kernel=(2, 2),
                strides=(2, 2),
                pads=Pads(top=1),
                counted=Pads(top=1),
                clamp=Clamp(low=0.0),
            ),
            "average_pool2d(%x) name=n kernel=2 stride=2 pad=1,0,0,0 counted=1,0,0,0 clamp=0..inf",
        ),
        (
            Interpolate2d(**NAMES, height=4, width=6, coordinates=Coordinates.HALF_PIXEL),
            "interpolate2d(%x) name=n size=4x6 coordinates=half_pixel",
        ),
        (
            LocalNorm(**NAMES, size=5, alpha=1e-4, beta=0.75, bias=2, clamp=Clamp(low=0.0)),
            "local_norm(%x) name=n size=5 alpha=0.0001 beta=0.75 bias=2 clamp=0..inf",
        ),
        (ChannelMax(**NAMES), "channel_max(%x) name=n"),
        (Concat(name="n", inputs=("x", "z"), output="y", axis=2), "concat(%x, %z) name=n axis=2"),
        (DepthToSpace(**NAMES, block=2), "depth_to_space(%x) name=n block=2"),
        (SpaceToDepth(**NAMES, block=3), "space_to_depth(%x) name=n block=3"),
        (
            Select(**NAMES, channels=(0, 1, 2, 7), rows=(5, 3, 1), columns=(0, 0, 1, 1)),
            "select(%x) name=n channels=0..2,7 rows=5..1:-2 columns=0*2,1*2",
        ),
        (
            Select(**NAMES, channels=(4,), rows=(-1, 0), columns=(0, 5, 1), fill=0.5),
            "select(%x) name=n channels=4 rows=-1..0 columns=0,5,1 fill=0.5",
        ),
    ],
)
def test_further_layers(layer: Layer, text: str) -> None:
    assert print_layer(layer) == f"%y = {text}"
