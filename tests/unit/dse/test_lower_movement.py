# SPDX-License-Identifier: Apache-2.0
"""Movements as convolutions: the same integers; what cannot be one stays."""

import numpy as np
import pytest

from flexcc import reference
from flexcc.dse.lower_movement import lower_movement
from flexcc.ir.graph import Graph, Port
from flexcc.ir.layers import Convolution, DepthToSpace, Layer, Select, SpaceToDepth
from flexcc.ir.shapes import output_shape
from flexcc.ir.types import TensorType
from flexcc.ir.verify import verify
from tests.models import tensor

SIZES = (8, 4, 6)
CHANNELS, ROWS, COLUMNS = (tuple(range(size)) for size in SIZES)
TWICE = tuple(np.repeat(ROWS, 2).tolist())
THRICE = tuple(np.repeat(COLUMNS, 3).tolist())


def _select(
    channels: tuple[int, ...] = CHANNELS,
    rows: tuple[int, ...] = ROWS,
    columns: tuple[int, ...] = COLUMNS,
    fill: float = 0.0,
) -> Select:
    return Select(
        name="move",
        inputs=("x",),
        output="y",
        channels=channels,
        rows=rows,
        columns=columns,
        fill=fill,
    )


def _graph(layer: Layer, source: TensorType) -> Graph:
    channels, height, width = output_shape(layer, [source], source)
    target = TensorType(
        channels=channels, height=height, width=width, quantization=source.quantization
    )
    tensors = {"x": source, "y": target}
    ports = {
        name: Port(
            tensor=name, onnx_name=name, onnx_shape=(1, kind.channels, kind.height, kind.width)
        )
        for name, kind in tensors.items()
    }
    return Graph(
        name="net",
        inputs=(ports["x"],),
        outputs=(ports["y"],),
        tensors=tensors,
        layers=(layer,),
    )


@pytest.mark.parametrize(
    "layer",
    [
        DepthToSpace(name="move", inputs=("x",), output="y", block=2),
        SpaceToDepth(name="move", inputs=("x",), output="y", block=2),
        _select(rows=TWICE, columns=THRICE),
        _select(rows=TWICE),
        _select(channels=(0, 4, 1, 5, 2, 6, 3, 7)),
        _select(channels=(1, 1, 0), rows=TWICE, columns=THRICE),
        _select(channels=(-1, 3, -1, 2), fill=0.75),
        _select(channels=(-1, 3), rows=TWICE, fill=-0.5),
        _select(channels=(2, 3, 4)),
        _select(rows=(1, 2), columns=(0, 1, 2, 3)),
        _select(rows=(1, 3), columns=(1, 3, 5)),
        _select(rows=(0,), columns=(5,)),
        _select(channels=(-1, 0), rows=(0, 2), fill=1.0),
        _select(rows=(-1, 0, 1, 2, 3, -1, -1), columns=(-1, *COLUMNS)),
        _select(rows=(-1, 1, 3, -1), columns=(2, 3)),
        _select(rows=TWICE[1:-1], columns=THRICE[4:-2]),
        _select(rows=TWICE[3:], columns=(1, 2)),
        _select(rows=(2, 2, 2), columns=THRICE),
    ],
    ids=lambda layer: type(layer).__name__,
)
@pytest.mark.parametrize("zero_point", [-128, -9, 127])
def test_same_integers(layer: Layer, zero_point: int) -> None:
    graph = _graph(layer, tensor(*SIZES, 0.05, zero_point))
    lowered = lower_movement(graph)
    verify(lowered)
    assert isinstance(lowered.layers[0], Convolution)
    values = np.random.default_rng(0).integers(-128, 128, (2, *SIZES)).astype(np.int8)
    values[0].flat[:256] = np.arange(-128, 128).astype(np.int8)[: values[0].size]
    before, after = (reference.run(each, {"x": values})["y"] for each in (graph, lowered))
    assert np.array_equal(before, after)


@pytest.mark.parametrize(
    "layer",
    [
        _select(rows=(3, 2, 1, 0)),
        _select(rows=(0, 1, 3)),
        _select(rows=(0, -1, 2)),
        _select(rows=(-1, *ROWS), fill=1.0),
        _select(rows=(1, 0, 1, 2, 3)),
        _select(channels=(-1, 0), rows=(-1, *ROWS), fill=1.0),
        _select(rows=TWICE, columns=(1, 3)),
        _select(rows=(0, 0, 1, 2, 2)),
        _select(rows=(-1, *TWICE)),
    ],
    ids=["mirror", "gap", "hole", "frame", "reflect", "both", "mixed", "uneven", "framed"],
)
def test_leaves_alone(layer: Layer) -> None:
    graph = _graph(layer, tensor(*SIZES, 0.05, 3))
    assert lower_movement(graph).layers == (layer,)
