# SPDX-License-Identifier: Apache-2.0
"""Which clips become a convolution's clamp, and which must stay."""

from dataclasses import replace
from itertools import product
from textwrap import dedent

import numpy as np
import pytest

from flexcc import reference
from flexcc.ir.graph import Graph, Port
from flexcc.ir.layers import Add, Clamp, Clip, Conv2d, Layer, MaxPool2d, Mul, PRelu, Reshape
from flexcc.ir.printer import print_graph
from flexcc.ir.types import Quantization
from flexcc.passes.base import run_pipeline
from flexcc.passes.fuse_activation import FuseActivation
from tests.models import chain, random_conv, tensor, transposed

SOURCE = tensor(3, 4, 4)


def _conv(name: str = "conv1", source: str = "x", channels: int = 3) -> Conv2d:
    rng = np.random.default_rng(0)
    return random_conv(rng, name, (source, tensor(channels, 4, 4)), channels=3, kernel=(1, 1))


def _relu(source: str, name: str = "relu1", output: str = "y") -> Clip:
    return Clip(name=name, inputs=(source,), output=output, clamp=Clamp(low=0.0))


def _pool(source: str, output: str) -> MaxPool2d:
    return MaxPool2d(name="pool1", inputs=(source,), output=output, kernel=(2, 2), strides=(2, 2))


def _fused(graph: Graph) -> str:
    return print_graph(run_pipeline([FuseActivation()], graph))


def test_relu_after_convolution() -> None:
    assert _fused(chain(SOURCE, [_conv(), _relu("conv1_out")])) == dedent("""\
        graph(%x : f32[1x3x4x4]) {
          %y = conv2d(%x) name=conv1 kernel=1 stride=1 pad=0 clamp=0..inf : f32[1x3x4x4]
          return %y
        }""")


def test_relu_after_transposed_convolution() -> None:
    assert _fused(chain(SOURCE, [transposed(_conv()), _relu("conv1_out")])) == dedent("""\
        graph(%x : f32[1x3x4x4]) {
          %y = conv_transpose2d(%x) name=conv1 kernel=1 stride=1 pad=0 clamp=0..inf : f32[1x3x4x4]
          return %y
        }""")


def test_relu_behind_pool_moves_in_front_of_it() -> None:
    graph = chain(SOURCE, [_conv(), _pool("conv1_out", "p"), _relu("p")])
    assert _fused(graph) == dedent("""\
        graph(%x : f32[1x3x4x4]) {
          %p = conv2d(%x) name=conv1 kernel=1 stride=1 pad=0 clamp=0..inf : f32[1x3x4x4]
          %y = max_pool2d(%p) name=pool1 kernel=2 stride=2 pad=0 : f32[1x3x2x2]
          return %y
        }""")


def test_relu_behind_flatten_moves_in_front_of_it() -> None:
    flat = Reshape(name="flat", inputs=("conv1_out",), output="f")
    graph = replace(
        chain(SOURCE, [_conv(), _relu("conv1_out")]),
        layers=(_conv(), flat, _relu("f")),
        tensors={
            "x": SOURCE,
            "conv1_out": SOURCE,
            "f": tensor(48, 1, 1),
            "y": tensor(48, 1, 1),
        },
    )
    assert _fused(graph) == dedent("""\
        graph(%x : f32[1x3x4x4]) {
          %f = conv2d(%x) name=conv1 kernel=1 stride=1 pad=0 clamp=0..inf : f32[1x3x4x4]
          %y = reshape(%f) name=flat : f32[1x48x1x1]
          return %y
        }""")


def test_relu_with_several_users_fuses() -> None:
    graph = chain(
        SOURCE,
        [_conv(), _relu("conv1_out", output="r"), _conv("conv2", "r"), _conv("conv3", "r")],
    )
    both = replace(
        graph, outputs=(Port(tensor="conv2_out", onnx_name="o", onnx_shape=(48,)), *graph.outputs)
    )
    text = _fused(both)
    assert "clip" not in text
    assert text.count("(%r)") == 2


def _branches(*readers: Layer) -> Graph:
    graph = chain(SOURCE, [_conv(), *readers])
    ports = [Port(tensor=r.output, onnx_name=r.name, onnx_shape=(48,)) for r in readers]
    return replace(graph, outputs=tuple(ports))


def test_stays_when_the_convolution_has_another_user() -> None:
    graph = _branches(_relu("conv1_out"), _conv("conv2", "conv1_out"))
    assert _fused(graph) == print_graph(graph)


def test_stays_when_the_convolution_is_an_output() -> None:
    graph = chain(SOURCE, [_conv(), _relu("conv1_out")])
    port = Port(tensor="conv1_out", onnx_name="c", onnx_shape=(48,))
    graph = replace(graph, outputs=(*graph.outputs, port))
    assert _fused(graph) == print_graph(graph)


def test_stays_when_the_pool_has_another_user() -> None:
    graph = chain(SOURCE, [_conv(), _pool("conv1_out", "p"), _relu("p"), _conv("conv2", "p")])
    port = Port(tensor="y", onnx_name="y", onnx_shape=(12,))
    graph = replace(
        graph,
        outputs=(port, *graph.outputs),
        tensors={**graph.tensors, "conv2_out": tensor(3, 2, 2)},
    )
    graph = replace(
        graph,
        outputs=(port, Port(tensor="conv2_out", onnx_name="c", onnx_shape=(12,))),
    )
    assert _fused(graph) == print_graph(graph)


def test_stays_on_a_graph_input() -> None:
    graph = chain(SOURCE, [_relu("x")])
    assert _fused(graph) == print_graph(graph)


def _quantized(between: Quantization | None, after: Quantization, *, pooled: bool) -> Graph:
    """conv, clip, conv or conv, pool, clip with the given roundings."""
    conv = replace(
        _conv(),
        weight=np.ones((3, 3, 1, 1), np.int8),
        weight_scale=np.ones(3, np.float32),
        bias=np.zeros(3, np.int32),
    )
    size = tensor(3, 2, 2) if pooled else SOURCE
    layers: list[Layer] = [conv, _relu("p" if pooled else "conv1_out")]
    if pooled:
        layers.insert(1, _pool("conv1_out", "p"))
    graph = chain(SOURCE, layers)
    types = {
        "x": replace(SOURCE, quantization=after),
        "conv1_out": replace(SOURCE, quantization=between),
        "y": replace(size, quantization=after),
    }
    if pooled:
        types["p"] = replace(size, quantization=between)
    return replace(graph, tensors=types)


ONE, TWO = Quantization(scale=1.0, zero_point=0), Quantization(scale=2.0, zero_point=0)


@pytest.mark.parametrize("pooled", [False, True])
def test_rounding_behind_the_clip_or_the_same_on_both_sides_fuses(pooled: bool) -> None:
    same = run_pipeline([FuseActivation()], _quantized(ONE, ONE, pooled=pooled))
    assert "clip" not in print_graph(same)
    assert {tensor.quantization for tensor in same.tensors.values()} == {ONE}
    if not pooled:
        behind = run_pipeline([FuseActivation()], _quantized(None, ONE, pooled=False))
        assert print_graph(behind) == print_graph(same)


@pytest.mark.parametrize("pooled", [False, True])
def test_rounding_to_another_scale_stays(pooled: bool) -> None:
    graph = _quantized(ONE, TWO, pooled=pooled)
    assert _fused(graph) == print_graph(graph)


def test_chains_of_clips_compute_the_same() -> None:
    bounds = [None, -1.0, 0.0, 0.5, 2.0]
    clamps = [
        Clamp(low=low, high=high)
        for low, high in product(bounds, bounds)
        if low is None or high is None or low <= high
    ]
    x = {"x": np.random.default_rng(1).normal(scale=3, size=(1, 3, 4, 4))}
    for first, second in product(clamps, clamps):
        graph = chain(
            SOURCE,
            [
                _conv(),
                Clip(name="a", inputs=("conv1_out",), output="a", clamp=first),
                Clip(name="b", inputs=("a",), output="y", clamp=second),
            ],
        )
        fused = run_pipeline([FuseActivation()], graph)
        assert len(fused.layers) == 1
        before, after = (reference.run_float(g, x)["y"] for g in (graph, fused))
        assert np.array_equal(before, after)


def _bend(source: str, *slope: float, output: str = "y", name: str = "bend") -> PRelu:
    values = np.resize(np.array(slope, np.float32), 3)
    return PRelu(name=name, inputs=(source,), output=output, slope=values)


def _slopes(layers: list[Layer]) -> tuple[list[str], list[list[float]]]:
    """Names of the layers left and the slopes in them, the graph proven to compute the same."""
    graph = chain(SOURCE, layers)
    result = run_pipeline([FuseActivation()], graph)
    x = np.random.default_rng(0).normal(size=(1, 3, 4, 4))
    last = graph.outputs[0].tensor
    before, after = (reference.run_float(each, {"x": x})[last] for each in (graph, result))
    np.testing.assert_allclose(before, after, rtol=1e-6)
    slopes = [
        layer.slope.tolist()
        for layer in result.layers
        if isinstance(layer, Conv2d | PRelu) and layer.slope is not None
    ]
    return [layer.name for layer in result.layers], slopes


def test_slopes_join_convolutions_and_slopes() -> None:
    first = [0.5, -0.25, 0.0]
    assert _slopes([_conv(), _bend("conv1_out", *first)]) == (["conv1"], [first])
    twice = [_bend("x", *first, output="b"), _bend("b", 0.5, 8.0, 4.0, name="again")]
    assert _slopes(list(twice)) == (["bend"], [[0.25, -0.25, 0.0]])


def test_a_clamp_ends_what_a_slope_can_join() -> None:
    bounded = replace(_conv(), clamp=Clamp(low=-1.0))
    assert _slopes([bounded, _bend("conv1_out", 0.5)])[0] == ["conv1", "bend"]
    top = replace(_conv(), clamp=Clamp(high=1.0))
    assert _slopes([top, _bend("conv1_out", 0.5)])[0] == ["conv1", "bend"]
    never = replace(_conv(), clamp=Clamp(low=0.0))
    assert _slopes([never, _bend("conv1_out", 0.5)]) == (["conv1"], [])
    relu = [_relu("x", output="r"), _bend("r", 0.5)]
    assert _slopes(list(relu)) == (["relu1"], [])


def test_clamps_follow_slopes() -> None:
    layers = [_conv(), _bend("conv1_out", -0.5, output="b"), _relu("b")]
    assert _slopes(layers) == (["conv1"], [[-0.5, -0.5, -0.5]])


def test_rising_slopes_move_in_front_of_pools() -> None:
    pool = _pool("conv1_out", "p")
    assert _slopes([_conv(), pool, _bend("p", 0.5, 0.0, 0.25)])[1] == [[0.5, 0.0, 0.25]]
    assert _slopes([_conv(), pool, _bend("p", 0.5, -0.1, 0.25)])[0] == ["conv1", "pool1", "bend"]


def test_even_slopes_move_in_front_of_reshapes() -> None:
    for slope, names in (([0.5], ["conv1", "flat"]), ([0.5, 0.25], ["conv1", "flat", "bend"])):
        flat = Reshape(name="flat", inputs=("conv1_out",), output="f")
        bend = replace(_bend("f"), slope=np.resize(np.array(slope, np.float32), 48))
        graph = chain(SOURCE, [_conv(), _bend("conv1_out", 1.0)])
        types = {"f": tensor(48, 1, 1), "y": tensor(48, 1, 1), "conv1_out": SOURCE, "x": SOURCE}
        graph = replace(graph, layers=(_conv(), flat, bend), tensors=types)
        result = run_pipeline([FuseActivation()], graph)
        assert [layer.name for layer in result.layers] == names
        x = np.random.default_rng(0).normal(size=(1, 3, 4, 4))
        before, after = (reference.run_float(each, {"x": x})["y"] for each in (graph, result))
        assert np.array_equal(before, after)


def test_sums_and_products_take_clips_but_no_slopes() -> None:
    add = Add(name="sum", inputs=("x", "x"), output="s")
    assert _fused(chain(SOURCE, [add, _relu("s")])) == dedent("""\
        graph(%x : f32[1x3x4x4]) {
          %y = add(%x, %x) name=sum clamp=0..inf : f32[1x3x4x4]
          return %y
        }""")
    mul = Mul(name="product", inputs=("x", "x"), output="s")
    assert _slopes([mul, _bend("s", 0.5)])[0] == ["product", "bend"]
