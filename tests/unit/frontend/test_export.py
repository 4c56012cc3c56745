# SPDX-License-Identifier: Apache-2.0
"""Canonical ONNX: what it looks like, and that importing it gives the graph back."""

from dataclasses import replace

import numpy as np
import pytest

from flexcc import reference
from flexcc.frontend import import_model
from flexcc.frontend.export import export_model
from flexcc.ir.graph import Graph, Port
from flexcc.ir.layers import Clamp, Clip, Conv2d, Convolution, MaxPool2d
from flexcc.ir.printer import print_graph
from flexcc.passes import lower
from tests.models import (
    chain,
    random_conv,
    random_float_graph,
    random_integer_graph,
    tensor,
    transposed,
)
from tests.onnx_models import assert_imports_like_onnx_runtime


def _operators(graph: Graph) -> list[str]:
    return [node.op_type for node in export_model(graph).model.graph.node]


@pytest.mark.parametrize("trial", range(10))
def test_float_graphs_come_back(seed: int, trial: int) -> None:
    rng = np.random.default_rng([seed, trial])
    graph = random_float_graph(rng, depth=5, transpose=trial % 2 == 1)
    model = export_model(graph).model
    again = assert_imports_like_onnx_runtime(model, rng)
    assert print_graph(again) == print_graph(graph)


@pytest.mark.parametrize("trial", range(10))
def test_integer_graphs_come_back(seed: int, trial: int) -> None:
    rng = np.random.default_rng([seed, trial])
    graph = random_integer_graph(rng, depth=5, transpose=trial % 2 == 1)
    again = lower(import_model(export_model(graph).model))
    assert len(again.layers) == len(graph.layers)
    x = rng.integers(-128, 128, (2, *graph.inputs[0].onnx_shape[1:])).astype(np.int8)
    first, second = (reference.run(each, {"x": x}) for each in (graph, again))
    for ours, theirs in zip(graph.layers, again.layers, strict=True):
        assert ours.name == theirs.name
        assert np.array_equal(first[ours.output], second[theirs.output])
        if isinstance(ours, Convolution) and isinstance(theirs, Convolution):
            assert type(ours) is type(theirs)
            assert np.array_equal(ours.weight, theirs.weight)
            assert np.array_equal(ours.bias, theirs.bias)
            assert ours.weight_scale is not None
            assert theirs.weight_scale is not None
            assert np.array_equal(ours.weight_scale, theirs.weight_scale)
    for tensor_name in ("x", *(layer.output for layer in graph.layers[:-1])):
        assert graph.tensors[tensor_name] == again.tensors[tensor_name]


def _integer_conv(clamp: Clamp, zero_point: int) -> Graph:
    source, target = tensor(2, 3, 3, 0.5), tensor(2, 3, 3, 0.25, zero_point)
    conv = replace(
        random_conv(np.random.default_rng(0), "c", ("x", source), channels=2, kernel=(1, 1)),
        weight=np.ones((2, 2, 1, 1), np.int8),
        weight_scale=np.ones(2, np.float32),
        bias=np.zeros(2, np.int32),
        clamp=clamp,
    )
    return replace(chain(source, [conv]), tensors={"x": source, "c_out": target})


def test_clamp_that_rounding_implies_is_left_out() -> None:
    qdq = ["QuantizeLinear", "DequantizeLinear"]
    parameters = ["DequantizeLinear"] * 2
    plain = [*qdq, *parameters, "Conv", *qdq, "Identity"]
    assert _operators(_integer_conv(Clamp(), 0)) == plain
    assert _operators(_integer_conv(Clamp(low=0.0), -128)) == plain
    for clamp, kind in ((Clamp(low=0.0), "Relu"), (Clamp(low=0.0, high=6.0), "Clip")):
        expected = [*qdq, *parameters, "Conv", *qdq, kind, *qdq, "Identity"]
        assert _operators(_integer_conv(clamp, -127)) == expected


def test_bias_between_steps_stays_real() -> None:
    graph = _integer_conv(Clamp(), 0)
    (conv,) = graph.layers
    assert isinstance(conv, Conv2d)
    graph = replace(graph, layers=(replace(conv, bias=np.array([0.5, -1.25])),))
    (again,) = lower(import_model(export_model(graph).model)).layers
    assert isinstance(again, Conv2d)
    assert again.bias.tolist() == [0.5, -1.25]


def test_names_of_ports_and_values_never_clash(seed: int) -> None:
    """Ports of other shapes, tensors and layers that are called as the exporter's own values."""
    rng = np.random.default_rng(seed)
    source = tensor(2, 3, 3)
    first = replace(
        random_conv(rng, "x", ("x", source), channels=2, kernel=(1, 1), clamp=Clamp(low=0.0)),
        output="x.weight",
    )
    second = replace(
        random_conv(rng, "x.weight", ("x.weight", source), channels=2, kernel=(1, 1)),
        output="x.weight.q",
    )
    graph = chain(source, [first, second])
    graph = replace(
        graph,
        inputs=(Port(tensor="x", onnx_name="x", onnx_shape=(1, 18)),),
        outputs=(
            Port(tensor="x.weight.q", onnx_name="x.weight.q", onnx_shape=(18,)),
            Port(tensor="x.weight", onnx_name="x.bias", onnx_shape=(1, 2, 3, 3)),
        ),
    )
    again = assert_imports_like_onnx_runtime(export_model(graph).model, rng)
    assert [(port.onnx_name, port.onnx_shape) for port in (*again.inputs, *again.outputs)] == [
        ("x", (1, 18)),
        ("x.weight.q", (18,)),
        ("x.bias", (1, 2, 3, 3)),
    ]


def test_names_of_integers_are_told(seed: int) -> None:
    graph = random_integer_graph(np.random.default_rng(seed), depth=5)
    exported = export_model(graph)
    made = {
        node.output[0] for node in exported.model.graph.node if node.op_type == "QuantizeLinear"
    }
    assert exported.integers.keys() == graph.tensors.keys()
    assert set(exported.integers.values()) <= made


def test_weight_scales_that_onnx_cannot_hold_are_a_fault(seed: int) -> None:
    rng = np.random.default_rng(seed)
    source = tensor(4, 3, 3, 0.5)
    conv = random_conv(rng, "up", ("x", source), channels=4, kernel=(2, 2), groups=2)
    integer = replace(
        conv,
        weight=np.ones((4, 2, 2, 2), np.int8),
        weight_scale=np.array([1, 2, 1, 3], np.float32),
        bias=np.zeros(4, np.int32),
    )
    graph = chain(source, [transposed(integer)])
    types = {"x": source, "up_out": tensor(4, 4, 4, 0.5)}
    with pytest.raises(ValueError, match="up: its groups do not share their weight scales"):
        export_model(replace(graph, tensors=types))


def test_source_layers_are_refused() -> None:
    clip = Clip(name="r", inputs=("x",), output="y", clamp=Clamp(low=0.0))
    with pytest.raises(TypeError, match="r: Clip has no canonical form"):
        export_model(chain(tensor(1, 2, 2), [clip]))


def test_pool_of_an_input_comes_back() -> None:
    pool = MaxPool2d(name="p", inputs=("x",), output="y", kernel=(2, 2), strides=(2, 2))
    graph = chain(tensor(1, 4, 4), [pool])
    assert print_graph(lower(import_model(export_model(graph).model))) == print_graph(graph)
