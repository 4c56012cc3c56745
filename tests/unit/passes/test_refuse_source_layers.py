# SPDX-License-Identifier: Apache-2.0
"""What cannot be folded is refused by name and reason."""

from dataclasses import replace

import numpy as np
import pytest

from flexcc.errors import InputError
from flexcc.ir.functions import X, apply
from flexcc.ir.graph import Port
from flexcc.ir.layers import Clamp, Clip, Layer, MaxPool2d, Mul, Reshape, Table
from flexcc.passes import PIPELINE, lower
from flexcc.passes.refuse_source_layers import RefuseSourceLayers
from tests.models import chain, random_float_graph, tensor

SOURCE = tensor(3, 4, 4)


def test_reshapes_in_the_middle() -> None:
    relu = Clip(name="relu_x", inputs=("x",), output="r", clamp=Clamp(low=0.0))
    flat = Reshape(name="flat", inputs=("r",), output="f")
    pool = MaxPool2d(name="pool", inputs=("f",), output="q", kernel=(2, 1), strides=(1, 1))
    graph = chain(SOURCE, [relu])
    graph = replace(
        graph,
        layers=(relu, flat, pool),
        outputs=(Port(tensor="q", onnx_name="q", onnx_shape=(36,)),),
        tensors={**graph.tensors, "f": tensor(6, 4, 2), "q": tensor(6, 3, 2)},
    )
    rule = "a reshape must lead to fully connected layers or be the first or last layer"
    with pytest.raises(InputError) as raised:
        lower(graph)
    assert str(raised.value).splitlines() == [
        "the model cannot be compiled:",
        f"flat: it works on the output of relu_x; {rule}",
    ]
    shared = Port(tensor="r", onnx_name="r", onnx_shape=(48,))
    with pytest.raises(InputError) as raised:
        lower(replace(graph, outputs=(*graph.outputs, shared)))
    assert str(raised.value).splitlines()[1:] == [
        f"flat: the output of relu_x is used elsewhere, too; {rule}, as its only user"
    ]


def test_tensors_without_a_scale_in_an_integer_graph() -> None:
    layers: list[Layer] = [
        Clip(name="c", inputs=("x",), output="c", clamp=Clamp(low=0.0)),
        Table(name="t", inputs=("c",), output="t", function=apply("Exp", X)),
        Mul(name="m", inputs=("t", "x"), output="y"),
    ]
    graph = chain(SOURCE, layers)
    types = {**graph.tensors, "x": tensor(3, 4, 4, 0.5), "y": tensor(3, 4, 4, 0.5)}
    graph = replace(graph, tensors=types)
    with pytest.raises(InputError) as raised:
        RefuseSourceLayers().run(graph)
    remedy = "is not quantised; insert QuantizeLinear and DequantizeLinear, or give the float model"
    assert str(raised.value).splitlines()[1:] == [
        f"c: its output {remedy}",
        f"t: the output of c {remedy}",
        f"t: its output {remedy}",
        f"m: the output of t {remedy}",
    ]


def test_lowered_graph_passes() -> None:
    graph = random_float_graph(np.random.default_rng(0))
    assert lower(graph) is not None
    assert [layer.name for layer in lower(graph).layers] == [layer.name for layer in graph.layers]


def test_pipeline_has_distinct_names() -> None:
    names = [pass_.name for pass_ in PIPELINE]
    assert len(set(names)) == len(names)
