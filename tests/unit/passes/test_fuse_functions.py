# SPDX-License-Identifier: Apache-2.0
"""Which arithmetic on one tensor becomes a table."""

from dataclasses import replace

import numpy as np
import pytest

from flexcc import reference
from flexcc.ir.functions import Expression, X, apply
from flexcc.ir.graph import Graph, Port
from flexcc.ir.layers import Add, ChannelAffine, Clamp, Clip, Layer, MaxPool2d, Mul, PRelu, Table
from flexcc.passes.base import run_pipeline
from flexcc.passes.fuse_functions import FuseFunctions, function_of
from tests.models import chain, tensor

SOURCE = tensor(2, 3, 4)


def _table(source: str, output: str, function: Expression) -> Table:
    return Table(name=f"t_{output}", inputs=(source,), output=output, function=function)


def _affine(source: str, output: str, scale: float, offset: float) -> ChannelAffine:
    return ChannelAffine(
        name=f"a_{output}",
        inputs=(source,),
        output=output,
        scale=np.full(2, scale),
        offset=np.full(2, offset),
    )


def _fused(graph: Graph) -> Graph:
    """The rewritten graph, proven to compute the same."""
    result = run_pipeline([FuseFunctions()], graph)
    x = np.random.default_rng(0).normal(size=(1, 2, 3, 4))
    before, after = (reference.run_float(each, {"x": x}) for each in (graph, result))
    for port in graph.outputs:
        np.testing.assert_allclose(before[port.tensor], after[port.tensor], rtol=1e-6, atol=1e-7)
    return result


def _functions(graph: Graph) -> list[str]:
    return [str(layer.function) for layer in graph.layers if isinstance(layer, Table)]


def test_silu() -> None:
    gate = _table("x", "s", apply("Sigmoid", X))
    graph = _fused(chain(SOURCE, [gate, Mul(name="m", inputs=("x", "s"), output="y")]))
    assert [layer.name for layer in graph.layers] == ["m"]
    assert _functions(graph) == ["Mul(x, Sigmoid(x))"]


def test_hard_swish_in_pieces() -> None:
    layers: list[Layer] = [
        _affine("x", "a", 1.0, 3.0),
        Clip(name="c", inputs=("a",), output="c", clamp=Clamp(low=0.0, high=6.0)),
        Mul(name="m", inputs=("x", "c"), output="m"),
        _affine("m", "y", 0.125, 0.0),
    ]
    graph = _fused(chain(SOURCE, layers))
    assert _functions(graph) == ["Mul(Mul(x, Min(Relu(Add(x, 3)), 6)), 0.125)"]
    assert len(graph.layers) == 1


def test_nearest_shared_tensor_is_taken() -> None:
    layers: list[Layer] = [
        _table("x", "e", apply("Tanh", X)),
        _table("e", "f", apply("Abs", X)),
        Add(name="s", inputs=("f", "e"), output="y", subtract=True, clamp=Clamp(high=0.5)),
    ]
    graph = chain(SOURCE, layers)
    shared = Port(tensor="e", onnx_name="e", onnx_shape=(1, 2, 3, 4))
    graph = _fused(replace(graph, outputs=(*graph.outputs, shared)))
    assert _functions(graph) == ["Tanh(x)", "Min(Sub(Abs(x), x), 0.5)"]
    assert graph.layers[1].inputs == ("e",)


def test_pieces_that_others_read_stay() -> None:
    gate = _table("x", "s", apply("Sigmoid", X))
    graph = chain(SOURCE, [gate, Mul(name="m", inputs=("x", "s"), output="y")])
    shared = Port(tensor="s", onnx_name="s", onnx_shape=(1, 2, 3, 4))
    graph = _fused(replace(graph, outputs=(*graph.outputs, shared)))
    assert _functions(graph) == ["Sigmoid(x)", "Mul(x, Sigmoid(x))"]


def test_slopes_count_if_all_channels_share_one() -> None:
    even, uneven = (
        PRelu(name="p", inputs=("x",), output="y", slope=np.array([0.5, slope], np.float32))
        for slope in (0.5, 0.25)
    )
    assert str(function_of(even)) == "LeakyRelu(x, alpha=0.5)"
    assert function_of(uneven) is None
    assert function_of(replace(_affine("x", "y", 1.0, 0.0), offset=np.array([0.0, 1.0]))) is None


@pytest.mark.parametrize("quantised", ["s", "x"])
def test_rounding_in_between_is_kept(quantised: str) -> None:
    """A rounded gate is a tensor of its own; a rounded input is only read."""
    gate = _table("x", "s", apply("Sigmoid", X))
    graph = chain(SOURCE, [gate, Mul(name="m", inputs=("x", "s"), output="y")])
    types = {name: tensor(2, 3, 4, 0.5) for name in ("x", "y", quantised)}
    integer = replace(graph, tensors={**graph.tensors, **types})
    result = run_pipeline([FuseFunctions()], integer)
    assert len(result.layers) == (2 if quantised == "s" else 1)


def test_other_layers_end_the_search() -> None:
    layers: list[Layer] = [
        MaxPool2d(name="p", inputs=("x",), output="p", kernel=(1, 1), strides=(1, 1)),
        Mul(name="m", inputs=("x", "p"), output="y"),
    ]
    graph = chain(SOURCE, layers)
    assert _fused(graph).layers == graph.layers


def test_functions_stay_readable() -> None:
    """Sums of a tensor with itself, forty times over, do not become one table."""
    layers: list[Layer] = []
    source = "x"
    for index in range(40):
        layers.append(Add(name=f"n{index}", inputs=(source, source), output=f"y{index}"))
        source = f"y{index}"
    graph = run_pipeline([FuseFunctions()], chain(SOURCE, layers))
    assert 5 < len(graph.layers) < 40
    assert all(len(text) < 1000 for text in _functions(graph))
