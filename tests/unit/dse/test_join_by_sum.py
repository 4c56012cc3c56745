# SPDX-License-Identifier: Apache-2.0
"""Concatenations of few channels as sums: the same numbers, in one word a pixel."""

from dataclasses import replace

import numpy as np
import pytest

from flexcc.dse.join_by_sum import join_by_sum
from flexcc.dse.lower import fusion_groups, lower
from flexcc.ir.graph import Graph, Port
from flexcc.ir.layers import Add, Clamp, Concat, Conv2d, Layer, MaxPool2d
from flexcc.ir.types import Quantization, TensorType
from flexcc.ir.verify import verify
from flexcc.reference.run import run

_VALUES = Quantization(scale=0.0625, zero_point=3)
_OTHER = Quantization(scale=0.5, zero_point=-7)


def _conv(name: str, channels: int, *, groups: int = 1, slopes: bool = False) -> Conv2d:
    rng = np.random.default_rng(channels)
    weight = rng.integers(-128, 128, (channels, 3 // groups, 2, 2)).astype(np.int8)
    slope = rng.uniform(-1, 1, channels).astype(np.float32) if slopes else None
    return Conv2d(
        name=name,
        inputs=("x",),
        output=f"{name}_out",
        weight=weight,
        weight_scale=rng.uniform(0.001, 0.002, channels).astype(np.float32),
        bias=rng.integers(-99, 99, channels).astype(np.int32),
        strides=(2, 2),
        slope=slope,
        groups=groups,
    )


def _graph(parts: tuple[Layer, ...], *, leaves: bool = False) -> Graph:
    def type_(channels: int, side: int) -> TensorType:
        return TensorType(channels=channels, height=side, width=side, quantization=_VALUES)

    tensors = {"x": type_(3, 8)}
    for part in parts:
        channels = part.weight.shape[0] if isinstance(part, Conv2d) else 3
        tensors[part.output] = type_(channels, 4)
    names = tuple(part.output for part in parts)
    joined = type_(sum(tensors[name].channels for name in names), 4)
    tensors["y"] = joined
    ends = ("y", names[0]) if leaves else ("y",)
    shapes = {name: (1, t.channels, t.height, t.width) for name, t in tensors.items()}
    ports = {n: Port(tensor=n, onnx_name=n, onnx_shape=shapes[n]) for n in ("x", *ends)}
    return Graph(
        name="net",
        inputs=(ports["x"],),
        outputs=tuple(ports[name] for name in ends),
        tensors=tensors,
        layers=(*parts, Concat(name="join", inputs=names, output="y")),
    )


_POOL = MaxPool2d(name="pool", inputs=("x",), output="pool_out", kernel=(2, 2), strides=(2, 2))
_FIVE = _conv("five", 5, slopes=True)


@pytest.mark.parametrize(
    "parts",
    [
        (_FIVE, _POOL),
        (_POOL, _FIVE),
        (_conv("three", 3, groups=3), _FIVE),
        (replace(_FIVE, clamp=Clamp(low=0.0, high=1.0)), _POOL),
    ],
)
def test_the_numbers_stay(parts: tuple[Layer, ...]) -> None:
    graph = _graph(parts)
    joined = join_by_sum(graph, m=8, n=8)
    verify(joined)
    assert not any(isinstance(layer, Concat) for layer in joined.layers)
    x = np.random.default_rng(1).integers(-128, 128, (1, 3, 8, 8)).astype(np.int8)
    assert np.array_equal(run(joined, {"x": x})["y"], run(graph, {"x": x})["y"])
    # Nothing is copied that was not: a stage for each part, of which one carries the sum.
    chains = fusion_groups(lower(joined))
    assert len(chains) == 2
    assert sum(chain.sum is not None for chain in chains) == 1


@pytest.mark.parametrize(
    "graph",
    [
        pytest.param(_graph((_conv("large", 6), _POOL)), id="more than a word"),
        pytest.param(_graph((_FIVE, _POOL), leaves=True), id="a part is an output"),
        pytest.param(_graph((_POOL, replace(_POOL, name="q", output="q_out"))), id="no carrier"),
        pytest.param(
            _graph((replace(_FIVE, clamp=Clamp(low=0.5)), _POOL)), id="no zero within the bounds"
        ),
    ],
)
def test_other_concatenations_stay(graph: Graph) -> None:
    assert join_by_sum(graph, m=8, n=8) is graph


def test_a_part_of_another_scale_stays() -> None:
    graph = _graph((_FIVE, _POOL))
    types = {**graph.tensors, "five_out": replace(graph.tensors["five_out"], quantization=_OTHER)}
    assert join_by_sum(replace(graph, tensors=types), m=8, n=8).layers == graph.layers


def test_what_is_pooled_behind_a_convolution_stays() -> None:
    first = replace(_conv("first", 3), strides=(1, 1), output="wide")
    pool = replace(_POOL, inputs=("wide",), kernel=(1, 1))
    graph = _graph((_FIVE, pool))
    tensors = {**graph.tensors, "wide": replace(graph.tensors["x"], height=7, width=7)}
    graph = replace(graph, tensors=tensors, layers=(first, *graph.layers))
    assert join_by_sum(graph, m=8, n=8) is graph


def test_sums_are_exact_for_every_byte() -> None:
    """A zero and any byte, at equal scales, give the byte."""
    values = np.arange(-128, 128, dtype=np.int8).reshape(1, 1, 16, 16)
    type_ = TensorType(channels=1, height=16, width=16, quantization=_VALUES)
    shape = (1, 1, 16, 16)
    ports = [Port(tensor=name, onnx_name=name, onnx_shape=shape) for name in "abc"]
    graph = Graph(
        name="net",
        inputs=(ports[0], ports[1]),
        outputs=(ports[2],),
        tensors=dict.fromkeys("abc", type_),
        layers=(Add(name="add", inputs=("a", "b"), output="c"),),
    )
    zeros = np.full_like(values, _VALUES.zero_point)
    assert np.array_equal(run(graph, {"a": values, "b": zeros})["c"], values)
