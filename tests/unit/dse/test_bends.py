# SPDX-License-Identifier: Apache-2.0
"""Two slopes behind a sum: which layers go there, and what the engine costs."""

from dataclasses import replace

import numpy as np
import pytest

from flexcc.backend.plan import ArrayBend
from flexcc.backend.planner import build_plan
from flexcc.dse.lower import fusion_groups, lower
from flexcc.dse.mapping import Chain
from flexcc.dse.resources import multipliers
from flexcc.dse.solver import explore
from flexcc.ir.functions import X, apply
from flexcc.ir.graph import Graph, Port
from flexcc.ir.layers import Add, Conv2d, Convolution, MaxPool2d, Table
from flexcc.ir.types import Quantization, TensorType
from flexcc.targets.device import Family, load_device
from tests.models import transposed
from tests.networks import ACCELERATORS

CHANNELS = 8
_VALUES = Quantization(scale=0.0625, zero_point=3)


def _conv(name: str, source: str) -> Conv2d:
    rng = np.random.default_rng(3)
    return Conv2d(
        name=name,
        inputs=(source,),
        output=f"{name}_out",
        weight=rng.integers(-128, 128, (CHANNELS, CHANNELS, 1, 1)).astype(np.int8),
        weight_scale=np.full(CHANNELS, 0.001, np.float32),
        bias=rng.integers(-99, 99, CHANNELS).astype(np.int32),
    )


def _prelu(source: str) -> Conv2d:
    return Conv2d(
        name="prelu",
        inputs=(source,),
        output="prelu_out",
        weight=np.ones((CHANNELS, 1, 1, 1), np.int8),
        weight_scale=np.ones(CHANNELS, np.float32),
        bias=np.zeros(CHANNELS, np.int32),
        slope=np.linspace(-0.25, 0.75, CHANNELS).astype(np.float32),
        groups=CHANNELS,
    )


def _graph(carrier: Convolution, prelu: Conv2d, *, sum_leaves: bool = False) -> Graph:
    """A convolution, to which its input is added, and what follows the sum."""
    layers = (carrier, Add(name="add", inputs=("conv_out", "x"), output="add_out"), prelu)
    shape = TensorType(channels=CHANNELS, height=8, width=16, quantization=_VALUES)
    tensors = dict.fromkeys(("x", "conv_out", "add_out", "prelu_out"), shape)
    outputs = ("prelu_out", "add_out") if sum_leaves else ("prelu_out",)
    ports = {
        name: Port(tensor=name, onnx_name=name, onnx_shape=(1, CHANNELS, 8, 16))
        for name in ("x", *outputs)
    }
    return Graph(
        name="net",
        inputs=(ports["x"],),
        outputs=tuple(ports[name] for name in outputs),
        tensors=tensors,
        layers=layers,
    )


def test_prelu_runs_behind_a_sum() -> None:
    graph = lower(_graph(_conv("conv", "x"), _prelu("add_out")))
    assert fusion_groups(graph) == (Chain(conv="conv", sum="add", bend="prelu"),)


_CARRIER, _PRELU = _conv("conv", "x"), _prelu("add_out")


@pytest.mark.parametrize(
    ("carrier", "prelu", "sum_leaves"),
    [
        # The carrier's own slopes stand where those of the sum would.
        (replace(_CARRIER, slope=np.full(CHANNELS, 0.5, np.float32)), _PRELU, False),
        # Others need the sum as it is.
        (_CARRIER, _PRELU, True),
        # Above zero channels differ, or values are multiplied first.
        (_CARRIER, replace(_PRELU, weight_scale=np.linspace(1, 2, 8, dtype=np.float32)), False),
        (_CARRIER, replace(_PRELU, weight=np.full((CHANNELS, 1, 1, 1), 2, np.int8)), False),
        # It has no slopes.
        (_CARRIER, replace(_PRELU, slope=None), False),
    ],
)
def test_what_does_not_fit_stays_a_stage(carrier: Conv2d, prelu: Conv2d, sum_leaves: bool) -> None:
    graph = lower(_graph(carrier, prelu, sum_leaves=sum_leaves))
    assert [chain.bend for chain in fusion_groups(graph)] == [None, None]


def test_a_pooling_is_not_put_behind_a_transposed_layer() -> None:
    """Its phases cannot be pooled, so the slopes begin a stage of their own, which can."""
    graph = _graph(_CARRIER, _PRELU)
    pool = MaxPool2d(name="pool", inputs=("prelu_out",), output="y", kernel=(2, 2), strides=(2, 2))
    tensors = {**graph.tensors, "y": replace(graph.tensors["x"], height=4, width=8)}
    port = Port(tensor="y", onnx_name="y", onnx_shape=(1, CHANNELS, 4, 8))
    graph = replace(graph, tensors=tensors, layers=(*graph.layers, pool), outputs=(port,))
    assert fusion_groups(lower(graph)) == (
        Chain(conv="conv", sum="add", bend="prelu", pool="pool"),
    )
    layers = (transposed(_CARRIER), *graph.layers[1:])
    assert fusion_groups(lower(replace(graph, layers=layers))) == (
        Chain(conv="conv", sum="add"),
        Chain(conv="prelu", pool="pool"),
    )


def test_neither_is_one_behind_a_table() -> None:
    graph = _graph(transposed(_CARRIER), _PRELU)
    table = Table(name="table", inputs=("prelu_out",), output="t", function=apply("Sigmoid", X))
    pool = MaxPool2d(name="pool", inputs=("t",), output="y", kernel=(1, 1), strides=(1, 1))
    tensors = {**graph.tensors, "t": graph.tensors["x"], "y": graph.tensors["x"]}
    port = replace(graph.outputs[0], tensor="y", onnx_name="y")
    layers = (*graph.layers, table, pool)
    graph = replace(graph, tensors=tensors, layers=layers, outputs=(port,))
    assert fusion_groups(lower(graph)) == (
        Chain(conv="conv", sum="add"),
        Chain(conv="prelu", table="table", pool="pool"),
    )


def test_the_record_holds_what_channels_share() -> None:
    """One stage, whose second records are the slopes of the sums."""
    found = explore(_graph(_CARRIER, _PRELU), load_device("u250"), (8, 4, 8))
    accelerator = found.mapping.accelerator
    assert accelerator.bends
    assert accelerator.slopes
    (stage,) = build_plan(found.graph, found.mapping).stages
    # Values keep their scale: 2^23 / 2^23, and the zero point is taken away first.
    assert stage.bend == ArrayBend(
        mult=1 << 23, shift=23, zero_point=3, low=-128, high=127, bias=-3 << 23
    )
    assert all(tile.array.bent and tile.array.summed for tile in stage.tiles)


def test_lanes_behind_sums_multiply_too() -> None:
    plain = replace(ACCELERATORS[0], slopes=True, sums=True)
    bent = replace(plain, bends=True)
    assert multipliers(bent, Family.XCUP) - multipliers(plain, Family.XCUP) == 2 * 4 * 2
    with pytest.raises(ValueError, match="bends needs sums and slopes"):
        replace(plain, sums=False, bends=True)
