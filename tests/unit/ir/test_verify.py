# SPDX-License-Identifier: Apache-2.0
"""Each way to break a graph is found, and all of them are told at once."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from flexcc.ir.functions import Apply, Expression, Number, X, apply
from flexcc.ir.graph import Graph, Port
from flexcc.ir.layers import (
    Add,
    AveragePool2d,
    ChannelAffine,
    ChannelMax,
    Clamp,
    Clip,
    Concat,
    Conv2d,
    Coordinates,
    DepthToSpace,
    Interpolate2d,
    Layer,
    LocalNorm,
    MaxPool2d,
    Mul,
    Pads,
    Rearrange,
    Select,
    SpaceToDepth,
    Table,
)
from flexcc.ir.packing import AxisPacking, Packing, block, block_axis
from flexcc.ir.types import Quantization
from flexcc.ir.verify import VerifyError, verify
from tests.models import chain, random_conv, tensor, transposed


def _float_graph() -> Graph:
    rng = np.random.default_rng(0)
    conv = random_conv(rng, "conv1", ("x", tensor(3, 8, 8)), channels=4, kernel=(3, 3))
    pool = MaxPool2d(name="pool1", inputs=("conv1_out",), output="y", kernel=(2, 2), strides=(2, 2))
    return chain(tensor(3, 8, 8), [conv, pool])


def _integer_graph() -> Graph:
    graph = _float_graph()
    conv, pool = graph.layers
    assert isinstance(conv, Conv2d)
    return replace(
        graph,
        tensors={
            "x": tensor(3, 8, 8, 0.5, -1),
            "conv1_out": tensor(4, 6, 6, 0.25),
            "y": tensor(4, 3, 3, 0.25),
        },
        layers=(
            replace(
                conv,
                weight=np.ones((4, 3, 3, 3), np.int8),
                weight_scale=np.ones(4, np.float32),
                bias=np.zeros(4, np.int32),
            ),
            pool,
        ),
    )


def _with_layer(graph: Graph, index: int, **fields: object) -> Graph:
    layers: list[Layer] = list(graph.layers)
    layers[index] = replace(layers[index], **fields)  # type: ignore[arg-type]
    return replace(graph, layers=tuple(layers))


def _with_tensor(graph: Graph, name: str, **fields: object) -> Graph:
    changed = replace(graph.tensors[name], **fields)  # type: ignore[arg-type]
    return replace(graph, tensors={**graph.tensors, name: changed})


def _with_output(graph: Graph, **fields: object) -> Graph:
    changed = replace(graph.outputs[0], **fields)  # type: ignore[arg-type]
    return replace(graph, outputs=(changed,))


def test_valid_graphs_pass() -> None:
    verify(_float_graph())
    verify(_integer_graph())
    exact_bias = _with_layer(_integer_graph(), 0, bias=np.full(4, 0.5))
    verify(exact_bias)
    verify(_two_forms(_integer_graph()))


def _packed(graph: Graph, name: str, packing: Packing) -> Graph:
    return replace(graph, tensors={**graph.tensors, name: graph.tensors[name].packed(packing)})


def _two_forms(graph: Graph, **fields: object) -> Graph:
    """The graph with a second form of its input, which nothing reads."""
    form = replace(graph.tensors["x"].packed(block(8, 8, 2, 2)), **fields)  # type: ignore[arg-type]
    port = replace(graph.inputs[0], tensor="form")
    return replace(graph, inputs=(*graph.inputs, port), tensors={**graph.tensors, "form": form})


def _twice(graph: Graph) -> Graph:
    """The graph with its input once more, in the same form."""
    port = replace(graph.inputs[0], tensor="form")
    tensors = {**graph.tensors, "form": graph.tensors["x"]}
    return replace(graph, inputs=(*graph.inputs, port), tensors=tensors)


SHIFTED = Packing(
    y=AxisPacking(lanes=1, distance=1, step=1, offset=1, size=6, extent=6), x=block_axis(6, 1)
)

Breaker = Callable[[Graph], Graph]
NAN = np.full((4, 3, 3, 3), np.nan, np.float32)

STRUCTURE: list[tuple[Breaker, str]] = [
    (lambda g: _with_layer(g, 1, name="conv1"), "conv1: 2 layers have this name"),
    (lambda g: _with_layer(g, 1, name=""), "a layer has no name"),
    (lambda g: replace(g, inputs=()), "there is no input"),
    (lambda g: replace(g, outputs=()), "there is no output"),
    (lambda g: replace(g, outputs=g.outputs * 2), "y: two outputs have this name"),
    (lambda g: replace(g, inputs=g.inputs * 2), "%x: it is the tensor of two inputs"),
    (lambda g: replace(g, layers=g.layers[::-1]), "pool1: it reads %conv1_out before anything"),
    (lambda g: _with_layer(g, 1, output="x"), "pool1: it writes %x, which is written already"),
    (lambda g: _with_layer(g, 1, inputs=("x", "x")), "pool1: it has 2 inputs"),
    (lambda g: _with_output(g, tensor="z"), "y: nothing writes its tensor %z"),
    (lambda g: _with_layer(g, 1, output="z"), "%z: it has no type"),
    (lambda g: _with_layer(g, 1, output="z"), "%y: nothing writes it"),
    (lambda g: _with_output(g, onnx_shape=(1, 4, 3, 4)), "y: its shape (1, 4, 3, 4) does not hold"),
    (lambda g: _with_tensor(g, "x", height=0), "%x: a dimension is not positive"),
    (lambda g: _with_tensor(g, "conv1_out", height=5), "conv1: it computes the shape (4, 6, 6)"),
    (lambda g: _with_tensor(g, "x", channels=2, height=12), "conv1: its weights expect 3 channels"),
    (lambda g: _with_layer(g, 0, strides=(0, 1)), "conv1: strides (0, 1) and dilations"),
    (lambda g: _with_layer(g, 1, dilations=(1, 0)), "pool1: strides (2, 2) and dilations (1, 0)"),
    (lambda g: _with_layer(g, 0, pads=Pads(left=-1)), "conv1: Pads(top=0, left=-1"),
    (lambda g: _with_layer(g, 1, kernel=(0, 2)), "pool1: its kernel (0, 2) is not positive"),
    (lambda g: _with_layer(g, 0, groups=3), "conv1: 4 output channels do not divide into 3"),
    (lambda g: _with_layer(g, 0, weight=NAN[0]), "conv1: its weights have shape (3, 3, 3)"),
    (lambda g: _with_layer(g, 0, clamp=Clamp(low=1.0, high=0.0)), "is no interval"),
    (lambda g: _with_layer(g, 0, clamp=Clamp(low=float("nan"))), "is no interval"),
    (lambda g: _with_layer(g, 0, slope=np.ones(3, np.float32)), "conv1: its slope has shape (3,)"),
    (lambda g: _with_layer(g, 0, slope=NAN[:, 0, 0, 0]), "conv1: its slope is not finite"),
]

FLOAT: list[tuple[Breaker, str]] = [
    (lambda g: _with_layer(g, 0, weight=NAN), "conv1: a weight is not finite"),
    (lambda g: _with_layer(g, 0, weight=NAN.astype(np.float64)), "its weights are float64, not f"),
    (lambda g: _with_layer(g, 0, bias=NAN[:, 0, 0, 0]), "conv1: its bias is not finite"),
    (lambda g: _with_layer(g, 0, bias=np.zeros(3, np.float32)), "conv1: its bias has shape (3,)"),
    (lambda g: _with_layer(g, 0, bias=np.zeros(4, np.int32)), "conv1: its bias is int32, not f"),
]

INTEGER: list[tuple[Breaker, str]] = [
    (lambda g: _with_tensor(g, "y", quantization=None), "%y: it is not quantised, but other"),
    (lambda g: _with_tensor(g, "x", quantization=None), "conv1: its input and its weights are not"),
    (
        lambda g: _with_tensor(g, "y", quantization=Quantization(scale=0.5, zero_point=0)),
        "pool1: its input and output do not share one quantisation",
    ),
    (
        lambda g: _with_tensor(g, "x", quantization=Quantization(scale=0.5, zero_point=128)),
        "%x: its zero point 128 is no int8",
    ),
    (
        lambda g: _with_tensor(g, "x", quantization=Quantization(scale=0.1, zero_point=0)),
        "%x: its scale 0.1 is no positive float32",
    ),
    (
        lambda g: _with_tensor(g, "x", quantization=Quantization(scale=-0.5, zero_point=0)),
        "%x: its scale -0.5 is no positive float32",
    ),
    (lambda g: _with_layer(g, 0, weight=NAN), "conv1: its weights are float32, not int8"),
    (lambda g: _packed(g, "conv1_out", block(6, 6, 2, 2)), "conv1: it computes the shape (4, 6, 6"),
    (lambda g: _packed(g, "conv1_out", SHIFTED), "%conv1_out: a layer writes it, but its packing"),
    (
        lambda g: _with_tensor(g, "x", packing=block(8, 8, 2, 2)),
        "%x: its 3 channels do not divide into 4 lanes",
    ),
    (
        lambda g: _with_tensor(_packed(g, "x", block(8, 8, 2, 2)), "x", height=5),
        "%x: its pixels are not the 4x4 of its packing",
    ),
    (
        lambda g: _with_tensor(_packed(g, "x", block(8, 8, 2, 2)), "x", quantization=None),
        "%x: it is packed and not quantised",
    ),
    (lambda g: _twice(_packed(g, "x", block(8, 8, 2, 2))), "x: two inputs have this name"),
    (lambda g: _two_forms(g, channels=4), "x: the tensors of this input are packings of different"),
    (
        lambda g: _with_layer(g, 0, bias=np.zeros(4, np.int64)),
        "conv1: its bias is int64, not int32",
    ),
    (
        lambda g: _with_layer(g, 0, weight_scale=np.zeros(4, np.float32)),
        "conv1: a weight scale is not positive",
    ),
    (
        lambda g: _with_layer(g, 0, weight_scale=np.ones(1, np.float32)),
        "conv1: its weight scale has shape (1,)",
    ),
]


@pytest.mark.parametrize(("breaker", "message"), STRUCTURE)
@pytest.mark.parametrize("make", [_float_graph, _integer_graph])
def test_broken_structure(make: Callable[[], Graph], breaker: Breaker, message: str) -> None:
    with pytest.raises(VerifyError) as raised:
        verify(breaker(make()))
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("make", "breaker", "message"),
    [(_float_graph, *case) for case in FLOAT] + [(_integer_graph, *case) for case in INTEGER],
)
def test_broken_numbers(make: Callable[[], Graph], breaker: Breaker, message: str) -> None:
    with pytest.raises(VerifyError) as raised:
        verify(breaker(make()))
    assert message in str(raised.value)


def test_window_over_padding_only() -> None:
    # Height 3 of 7 padded rows: the taps of dilation 4 both miss the only row.
    pool = MaxPool2d(
        name="p",
        inputs=("x",),
        output="y",
        kernel=(2, 1),
        strides=(1, 1),
        pads=Pads(top=1, bottom=1),
        dilations=(2, 1),
    )
    with pytest.raises(VerifyError, match="p: one of its windows covers nothing but padding"):
        verify(chain(tensor(1, 1, 1), [pool]))


def test_all_problems_are_told_at_once() -> None:
    graph = _with_layer(_float_graph(), 0, weight=NAN, clamp=Clamp(low=2.0, high=1.0))
    with pytest.raises(VerifyError) as raised:
        verify(_with_layer(graph, 1, kernel=(0, 1)))
    assert str(raised.value).splitlines()[0] == "graph net is not valid:"
    assert len(str(raised.value).splitlines()) == 4


def test_float_tensor_may_stand_before_a_source_layer() -> None:
    graph = _integer_graph()
    conv = graph.layers[0]
    clip = Clip(name="relu", inputs=("conv1_out",), output="r", clamp=Clamp(low=0.0))
    mixed = replace(
        graph,
        tensors={**graph.tensors, "conv1_out": tensor(4, 6, 6), "r": tensor(4, 6, 6, 0.25)},
        layers=(conv, clip, replace(graph.layers[1], inputs=("r",))),
    )
    verify(mixed)
    also_read = MaxPool2d(
        name="pool2", inputs=("conv1_out",), output="z", kernel=(1, 1), strides=(1, 1)
    )
    with pytest.raises(VerifyError, match="%conv1_out: it is not quantised"):
        verify(
            replace(
                mixed,
                tensors={**mixed.tensors, "z": tensor(4, 6, 6)},
                layers=(*mixed.layers, also_read),
            )
        )


def test_transposed_convolutions() -> None:
    conv = _float_graph().layers[0]
    assert isinstance(conv, Conv2d)
    graph = chain(tensor(3, 8, 8), [transposed(replace(conv, strides=(2, 2)), (1, 0))])
    verify(graph)
    with pytest.raises(VerifyError, match=r"conv1: its output padding \(0, -1\) holds a negative"):
        verify(_with_layer(graph, 0, output_padding=(0, -1)))
    with pytest.raises(VerifyError, match=r"conv1: it computes the shape \(4, 17, 18\)"):
        verify(_with_layer(graph, 0, output_padding=(0, 1)))
    with pytest.raises(VerifyError, match="conv1: its weights are int8, not float32"):
        verify(_with_layer(graph, 0, weight=np.ones((4, 3, 3, 3), np.int8)))


def test_channel_affine() -> None:
    affine = ChannelAffine(
        name="bn", inputs=("x",), output="y", scale=np.ones(3), offset=np.zeros(3)
    )
    graph = chain(tensor(3, 2, 2), [affine])
    verify(graph)
    with pytest.raises(VerifyError, match="bn: its offset has shape"):
        verify(_with_layer(graph, 0, offset=np.zeros(2)))
    with pytest.raises(VerifyError, match="bn: its scale is not finite"):
        verify(_with_layer(graph, 0, scale=np.array([1, np.inf, 1.0])))
    with pytest.raises(VerifyError, match="bn: its scale is float32, not float64"):
        verify(_with_layer(graph, 0, scale=np.ones(3, np.float32)))


def test_digraph_and_users_follow_the_tensors() -> None:
    graph = _float_graph()
    conv = graph.layers[0]
    assert isinstance(conv, Conv2d)
    assert graph.producer("x") is None
    assert graph.producer("conv1_out") is conv
    assert [layer.name for layer in graph.users("conv1_out")] == ["pool1"]
    assert list(graph.digraph().edges) == [("conv1", "pool1")]


def _joined(layer: Layer) -> Graph:
    """A layer of the two inputs x [2,3,4] and g [2,1,1]."""
    types = {"x": tensor(2, 3, 4), "g": tensor(2, 1, 1), "y": tensor(2, 3, 4)}
    ports = {
        name: Port(tensor=name, onnx_name=name, onnx_shape=(1, t.channels, t.height, t.width))
        for name, t in types.items()
    }
    return Graph(
        name="net",
        inputs=(ports["x"], ports["g"]),
        outputs=(ports["y"],),
        tensors=types,
        layers=(layer,),
    )


def test_layers_of_two_inputs() -> None:
    verify(_joined(Mul(name="m", inputs=("x", "g"), output="y")))
    verify(_joined(Add(name="a", inputs=("g", "x"), output="y", subtract=True)))
    verify(_joined(Add(name="a", inputs=("x", "x"), output="y")))
    with pytest.raises(VerifyError, match="a: it has 1 inputs, not 2"):
        verify(_joined(Add(name="a", inputs=("x",), output="y")))
    with pytest.raises(VerifyError, match=r"a: it computes the shape \(2, 1, 1\), but %y"):
        verify(_joined(Add(name="a", inputs=("g", "g"), output="y")))
    graph = _with_tensor(_joined(Add(name="a", inputs=("x", "g"), output="y")), "g", height=2)
    tall = replace(graph.inputs[1], onnx_shape=(1, 2, 2, 1))
    with pytest.raises(VerifyError, match=r"operands \(2, 3, 4\) and \(2, 2, 1\) do not fit"):
        verify(replace(graph, inputs=(graph.inputs[0], tall)))


@pytest.mark.parametrize(
    ("function", "problem"),
    [
        (apply("Add", X, Number(float("inf"))), "the number inf"),
        (Apply("Sqrt", (X, X)), "Sqrt of 2 operands"),
        (apply("Abs", Apply("Softmax", (X,))), "Softmax of 1 operands"),
        (Apply("Elu", (X,)), r"Elu with the attributes \{\}"),
        (apply("Elu", X, alpha=float("nan")), "alpha=nan"),
    ],
)
def test_functions(function: Expression, problem: str) -> None:
    types = {"x": tensor(2, 3, 4), "y": tensor(2, 3, 4)}
    table = Table(name="t", inputs=("x",), output="y", function=function)
    graph = replace(_joined(table), tensors=types)
    with pytest.raises(VerifyError, match=f"t: its function holds .*{problem}"):
        verify(replace(graph, inputs=graph.inputs[:1]))


ONE: Any = {"name": "n", "inputs": ("x",), "output": "y"}
EVERYTHING: Any = {"channels": (0, 1), "rows": (0, 1, 2), "columns": (0, 1, 2, 3)}


@pytest.mark.parametrize(
    ("layer", "problem"),
    [
        (AveragePool2d(**ONE, kernel=(0, 1), strides=(1, 1)), "its kernel (0, 1) is not positive"),
        (
            AveragePool2d(**ONE, kernel=(1, 1), strides=(0, 1)),
            "strides (0, 1) and dilations (1, 1)",
        ),
        (
            AveragePool2d(**ONE, kernel=(2, 2), strides=(1, 1), counted=Pads(top=1)),
            "it counts Pads(top=1",
        ),
        (
            AveragePool2d(**ONE, kernel=(1, 1), strides=(2, 1), pads=Pads(top=1, bottom=1)),
            "one of its windows covers nothing but padding",
        ),
        (
            Interpolate2d(**ONE, height=0, width=1, coordinates=Coordinates.HALF_PIXEL),
            "its size 0x1 is not positive",
        ),
        (LocalNorm(**ONE, size=4, alpha=1, beta=1, bias=1), "its size 4 is not odd and positive"),
        (LocalNorm(**ONE, size=-1, alpha=1, beta=1, bias=1), "its size -1 is not odd"),
        (LocalNorm(**ONE, size=3, alpha=0, beta=1, bias=1), "its alpha 0 is not positive"),
        (LocalNorm(**ONE, size=3, alpha=1, beta=-1, bias=1), "its beta -1 is not positive"),
        (LocalNorm(**ONE, size=3, alpha=1, beta=1, bias=np.inf), "its bias inf is not positive"),
        (Concat(**ONE, axis=3), "its axis 3 is none of 0, 1 and 2"),
        (Concat(name="n", inputs=(), output="y"), "it has 0 inputs, not 1"),
        (Concat(name="n", inputs=("x", "g"), output="y"), "operands [(2, 3, 4), (2, 1, 1)]"),
        (Select(**ONE, **EVERYTHING, fill=float("nan")), "it fills with nan"),
        (Select(**ONE, **{**EVERYTHING, "rows": (3,)}), "its indices (3,) are not all in -1..2"),
        (Select(**ONE, **{**EVERYTHING, "rows": ()}), "its indices () are not all in -1..2"),
        (DepthToSpace(**ONE, block=0), "its block 0 is not positive"),
        (DepthToSpace(**ONE, block=2), "2 channels are no multiple of 2x2"),
        (SpaceToDepth(**ONE, block=2), "3x4 pixels are no multiple of 2x2"),
        (Rearrange(**ONE, index=np.zeros((4, 6), np.int64)), "its index is int64 of shape (4, 6)"),
        (Rearrange(**ONE, index=np.arange(23)), "it moves 23 values into (2, 3, 4)"),
        (Rearrange(**ONE, index=np.arange(24) + 1), "one of its indices lies outside"),
    ],
)
def test_further_layers(layer: Layer, problem: str) -> None:
    with pytest.raises(VerifyError, match=re.escape(problem)):
        verify(_joined(layer))


@pytest.mark.parametrize(
    "layer",
    [
        ChannelMax(**ONE),
        Select(**ONE, **EVERYTHING),
        DepthToSpace(**ONE, block=1),
        SpaceToDepth(**ONE, block=1),
    ],
)
def test_layers_that_move_numbers_keep_their_scale(layer: Layer) -> None:
    types = {"x": tensor(2, 3, 4, 0.5), "y": tensor(2, 3, 4, 0.25)}
    graph = replace(_joined(layer), tensors=types)
    with pytest.raises(VerifyError, match="its input and output do not share one quantisation"):
        verify(replace(graph, inputs=graph.inputs[:1]))
