# SPDX-License-Identifier: Apache-2.0
"""Which reshapes disappear; what remains computes the same."""

from dataclasses import replace
from textwrap import dedent

import numpy as np
import pytest

from flexcc import reference
from flexcc.ir.graph import Graph, Port
from flexcc.ir.layers import Conv2d, Layer, MaxPool2d, Reshape, Select
from flexcc.ir.printer import print_graph
from flexcc.ir.types import Integers, Quantization, TensorType
from flexcc.passes.base import run_pipeline
from flexcc.passes.fold_reshape import FoldReshape
from tests.models import random_conv, tensor


def _graph(layers: list[Layer], types: dict[str, TensorType], outputs: list[str]) -> Graph:
    def port(name: str) -> Port:
        size = types[name]
        return Port(
            tensor=name, onnx_name=name, onnx_shape=(1, size.channels * size.height * size.width)
        )

    return Graph(
        name="net",
        inputs=(port("x"),),
        outputs=tuple(map(port, outputs)),
        tensors=types,
        layers=tuple(layers),
    )


def _flat(source: str, output: str, name: str = "flat") -> Reshape:
    return Reshape(name=name, inputs=(source,), output=output)


def _dense(name: str, source: str, channels: int) -> Conv2d:
    rng = np.random.default_rng(7)
    return random_conv(rng, name, (source, tensor(channels, 1, 1)), channels=5, kernel=(1, 1))


def _fold(graph: Graph) -> Graph:
    return run_pipeline([FoldReshape()], graph)


def test_flatten_in_front_of_fully_connected_layers() -> None:
    types = {
        "x": tensor(3, 2, 4),
        "f": tensor(24, 1, 1),
        "a_out": tensor(5, 1, 1),
        "b_out": tensor(5, 1, 1),
    }
    graph = _graph(
        [_flat("x", "f"), _dense("a", "f", 24), _dense("b", "f", 24)], types, ["a_out", "b_out"]
    )
    folded = _fold(graph)
    assert print_graph(folded) == dedent("""\
        graph(%x : f32[1x3x2x4]) {
          %a_out = conv2d(%x) name=a kernel=2x4 stride=1 pad=0 : f32[1x5x1x1]
          %b_out = conv2d(%x) name=b kernel=2x4 stride=1 pad=0 : f32[1x5x1x1]
          return %a_out, %b_out
        }""")
    x = {"x": np.random.default_rng(0).normal(size=(3, 3, 2, 4))}
    before, after = (reference.run_float(g, x)["b_out"] for g in (graph, folded))
    np.testing.assert_allclose(before, after, atol=1e-12)


def test_first_and_last_reshape_move_into_the_ports() -> None:
    types = {
        "x": tensor(8, 1, 1),
        "i": tensor(2, 2, 2),
        "p": tensor(2, 2, 2),
        "y": tensor(8, 1, 1),
    }
    pool = MaxPool2d(name="p", inputs=("i",), output="p", kernel=(1, 1), strides=(1, 1))
    folded = _fold(_graph([_flat("x", "i", "head"), pool, _flat("p", "y", "tail")], types, ["y"]))
    assert print_graph(folded) == dedent("""\
        graph(%i : f32[1x2x2x2]) {
          %p = max_pool2d(%i) name=p kernel=1 stride=1 pad=0 : f32[1x2x2x2]
          return %p
        }""")
    assert folded.inputs == (Port(tensor="i", onnx_name="x", onnx_shape=(1, 8)),)
    assert folded.outputs == (Port(tensor="p", onnx_name="y", onnx_shape=(1, 8)),)


def test_chain_of_reshapes_is_one() -> None:
    types = {
        "x": tensor(3, 2, 4),
        "f": tensor(6, 2, 2),
        "g": tensor(24, 1, 1),
        "a_out": tensor(5, 1, 1),
    }
    layers = [_flat("x", "f"), _flat("f", "g", "again"), _dense("a", "g", 24)]
    folded = _fold(_graph(layers, types, ["a_out"]))
    assert [layer.name for layer in folded.layers] == ["a"]


def test_rounding_behind_a_reshape_moves_in_front_of_it() -> None:
    half = Quantization(scale=0.5, zero_point=1)
    dense = replace(
        _dense("a", "x", 8),
        weight=np.ones((8, 8, 1, 1), np.int8),
        weight_scale=np.ones(8, np.float32),
        bias=np.zeros(8, np.int32),
    )
    types = {
        "x": tensor(8, 1, 1, 0.25),
        "a_out": tensor(8, 1, 1),
        "y": replace(tensor(2, 2, 2), quantization=half),
    }
    folded = _fold(_graph([dense, _flat("a_out", "y")], types, ["y"]))
    assert folded.tensors["a_out"].quantization == half
    assert [port.tensor for port in folded.outputs] == ["a_out"]


def test_reshape_between_image_layers_stays() -> None:
    types = {"x": tensor(2, 2, 2), "f": tensor(1, 4, 2), "y": tensor(1, 4, 2)}
    pool = MaxPool2d(name="p", inputs=("f",), output="y", kernel=(1, 1), strides=(1, 1))
    other = MaxPool2d(name="q", inputs=("x",), output="z", kernel=(1, 1), strides=(1, 1))
    graph = _graph([_flat("x", "f"), pool, other], {**types, "z": tensor(2, 2, 2)}, ["y", "z"])
    assert print_graph(_fold(graph)) == print_graph(graph)


def test_reshape_of_input_straight_to_output_stays() -> None:
    graph = _graph([_flat("x", "y")], {"x": tensor(8, 1, 1), "y": tensor(2, 2, 2)}, ["y"])
    assert print_graph(_fold(graph)) == print_graph(graph)


def _chosen(channels: tuple[int, ...], conv: Conv2d, quantization: Quantization | None) -> Graph:
    """flatten, a choice of its values, a fully connected layer."""
    count = len(channels)
    kinds = {"x": tensor(3, 2, 4), "f": tensor(24, 1, 1), "s": tensor(count, 1, 1)}
    choice = Select(
        name="choice", inputs=("f",), output="s", channels=channels, rows=(0,), columns=(0,)
    )
    types = {name: replace(kind, quantization=quantization) for name, kind in kinds.items()}
    types["a_out"] = tensor(5, 1, 1) if quantization is None else tensor(5, 1, 1, 4.0, 0)
    return _graph([_flat("x", "f"), choice, conv], types, ["a_out"])


def test_choices_behind_a_flatten_become_weights() -> None:
    channels = (5, 5, 23, 0, 7)
    graph = _chosen(channels, _dense("a", "s", len(channels)), None)
    folded = _fold(graph)
    [conv] = folded.layers
    assert isinstance(conv, Conv2d)
    assert conv.weight.shape == (5, 3, 2, 4)
    assert np.count_nonzero(conv.weight[0]) == 4
    x = {"x": np.random.default_rng(1).normal(size=(2, 3, 2, 4))}
    expected, found = (reference.run_float(each, x)["a_out"] for each in (graph, folded))
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("again", [(), (9, 17)])
def test_integers_that_are_read_twice_stay_so(again: tuple[int, ...]) -> None:
    """Then whole channels of the image are, those of the values."""
    rng = np.random.default_rng(2)
    channels = (*range(24), *again)
    dense = replace(
        _dense("a", "s", len(channels)),
        weight=rng.integers(100, 128, (5, len(channels), 1, 1)).astype(np.int8),
        weight_scale=np.ones(5, np.float32),
        bias=np.zeros(5, np.int32),
    )
    graph = _chosen(channels, dense, Quantization(scale=0.125, zero_point=3))
    folded = _fold(graph)
    *selects, conv = folded.layers
    assert isinstance(conv, Conv2d)
    assert conv.weight.shape == (5, 3 + len(again), 2, 4)
    assert [select.channels for select in selects if isinstance(select, Select)] == (
        [(0, 1, 2, 1, 2)] if again else []
    )
    x: dict[str, Integers] = {"x": rng.integers(-128, 128, (2, 3, 2, 4)).astype(np.int8)}
    values = x["x"].reshape(2, 24, 1, 1)
    for layer in graph.layers[1:]:
        kinds = [graph.tensors[name] for name in (*layer.inputs, layer.output)]
        values = reference.run_layer(layer, kinds[:1], kinds[1], [values])
    assert np.array_equal(reference.run(folded, x)["a_out"], values)
