# SPDX-License-Identifier: Apache-2.0
"""Selections in front of sums that a load makes: none is written, and the numbers stay."""

from dataclasses import replace

import numpy as np
import pytest

from flexcc.dse.lower import fusion_groups, lower
from flexcc.dse.lower_movement import lower_movement
from flexcc.dse.mapping import stage_of
from flexcc.ir.graph import Graph, Port
from flexcc.ir.layers import Add, Conv2d, ConvTranspose2d, Select
from flexcc.ir.types import Quantization, TensorType
from flexcc.reference.run import run
from flexcc.second import Second
from tests.models import transposed

CHANNELS, SIDE = 16, 6
_VALUES = Quantization(scale=0.0625, zero_point=3)
_ALL, _SAME = tuple(range(CHANNELS)), tuple(range(SIDE))
_TWICE = tuple(pixel // 2 for pixel in _SAME)


def _conv() -> Conv2d:
    rng = np.random.default_rng(3)
    return Conv2d(
        name="conv",
        inputs=("x",),
        output="conv_out",
        weight=rng.integers(-128, 128, (CHANNELS, 4, 1, 1)).astype(np.int8),
        weight_scale=np.full(CHANNELS, 0.001, np.float32),
        bias=rng.integers(-99, 99, CHANNELS).astype(np.int32),
    )


def _graph(
    channels: tuple[int, ...] = _ALL,
    rows: tuple[int, ...] = _SAME,
    columns: tuple[int, ...] = _SAME,
    *,
    carrier: Conv2d | ConvTranspose2d | None = None,
    fill: float = 0.0,
) -> Graph:
    """A convolution of `x`, to which a selection from `s` is added."""
    carrier = carrier or _conv()
    grown = carrier.strides if isinstance(carrier, ConvTranspose2d) else (1, 1)
    sizes = {
        "x": (4, SIDE // grown[0], SIDE // grown[1]),
        "s": (max(channels) + 1, max(rows) + 1, max(columns) + 1),
        **dict.fromkeys(("conv_out", "selected", "y"), (CHANNELS, SIDE, SIDE)),
    }
    tensors = {
        name: TensorType(channels=c, height=h, width=w, quantization=_VALUES)
        for name, (c, h, w) in sizes.items()
    }
    ports = {n: Port(tensor=n, onnx_name=n, onnx_shape=(1, *sizes[n])) for n in ("x", "s", "y")}
    select = Select(
        name="select",
        inputs=("s",),
        output="selected",
        channels=channels,
        rows=rows,
        columns=columns,
        fill=fill,
    )
    add = Add(name="add", inputs=("selected", "conv_out"), output="y")
    return Graph(
        name="net",
        inputs=(ports["x"], ports["s"]),
        outputs=(ports["y"],),
        tensors=tensors,
        layers=(select, carrier, add),
    )


_PADDED = (*range(8), *(-1,) * 8)
_TALL = transposed(replace(_conv(), strides=(2, 1)), (1, 0))


@pytest.mark.parametrize(
    ("graph", "second"),
    [
        (_graph(_PADDED), Second(tensor="s", channels=8)),
        (_graph(rows=_TWICE), Second(tensor="s", channels=CHANNELS, repeats=2)),
        (_graph(_PADDED, rows=_TWICE), Second(tensor="s", channels=8, repeats=2)),
        (
            _graph(rows=_TWICE, carrier=_TALL),
            Second(tensor="s", channels=CHANNELS, repeats=2),
        ),
    ],
)
def test_a_load_makes_the_selection(graph: Graph, second: Second) -> None:
    lowered = lower(lower_movement(graph), array=(8, 8))
    (chain,) = fusion_groups(lowered)
    assert stage_of(lowered, chain).second == second
    assert _equal(graph, lowered)


def test_columns_are_repeated_before_rows() -> None:
    """A copy of the smaller image repeats its columns, the load its rows."""
    graph = _graph(rows=_TWICE, columns=_TWICE)
    lowered = lower(lower_movement(graph), array=(8, 8))
    stages = [stage_of(lowered, chain) for chain in fusion_groups(lowered)]
    assert [stage.name for stage in stages] == ["select_columns", "conv"]
    assert stages[0].output.height == SIDE // 2
    assert stages[1].second == Second(tensor="selected_columns", channels=CHANNELS, repeats=2)
    assert _equal(graph, lowered)


@pytest.mark.parametrize(
    ("graph", "array"),
    [
        pytest.param(_graph(_PADDED), (16, 8), id="half a half of zeros"),
        pytest.param(_graph(_PADDED), (8, 16), id="half a word of zeros"),
        pytest.param(_graph((*range(1, 9), *(-1,) * 8)), (8, 8), id="other channels"),
        pytest.param(_graph(_PADDED, fill=1.0), (8, 8), id="no zeros"),
        pytest.param(_graph(rows=(0, 0, 0, 0, 1, 1)), (8, 8), id="cut off"),
        pytest.param(
            _graph(rows=(0, 0, 0, 1, 1, 1), carrier=_TALL),
            (8, 8),
            id="phases that repeat other rows",
        ),
    ],
)
def test_other_selections_are_copied(graph: Graph, array: tuple[int, int]) -> None:
    lowered = lower(lower_movement(graph), array=array)
    seconds = [stage_of(lowered, chain).second for chain in fusion_groups(lowered)]
    assert len(seconds) == 2
    assert not any(isinstance(layer, Select) for layer in lowered.layers)
    assert _equal(graph, lowered)


def test_without_fusion_it_is_copied() -> None:
    lowered = lower(lower_movement(_graph(_PADDED)))
    assert not any(isinstance(layer, Select) for layer in lowered.layers)


def test_what_others_read_is_copied() -> None:
    graph = _graph(_PADDED)
    port = replace(graph.outputs[0], tensor="selected", onnx_name="selected")
    graph = replace(graph, outputs=(*graph.outputs, port))
    lowered = lower(lower_movement(graph), array=(8, 8))
    assert not any(isinstance(layer, Select) for layer in lowered.layers)


def _equal(graph: Graph, lowered: Graph) -> bool:
    rng = np.random.default_rng(1)
    values = {
        port.tensor: rng.integers(-128, 128, port.onnx_shape).astype(np.int8)
        for port in graph.inputs
    }
    return np.array_equal(run(graph, values)["y"], run(lowered, values)["y"])
