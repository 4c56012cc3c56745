# SPDX-License-Identifier: Apache-2.0
"""What cannot be folded is refused by name and reason."""

from dataclasses import replace

import numpy as np
import pytest

from flexcc.errors import InputError
from flexcc.ir.graph import Port
from flexcc.ir.layers import ChannelAffine, Clamp, Clip, MaxPool2d, Reshape
from flexcc.passes import PIPELINE, lower
from tests.models import chain, random_conv, random_float_graph, tensor

SOURCE = tensor(3, 4, 4)


def test_every_reason_is_told_at_once() -> None:
    conv = random_conv(np.random.default_rng(0), "conv1", ("x", SOURCE), channels=3, kernel=(1, 1))
    relu = Clip(name="relu_x", inputs=("x",), output="r", clamp=Clamp(low=0.0))
    clip = Clip(name="relu_c", inputs=("conv1_out",), output="c", clamp=Clamp(low=0.0))
    affine = ChannelAffine(
        name="add", inputs=("r",), output="a", scale=np.ones(3), offset=np.ones(3)
    )
    flat = Reshape(name="flat", inputs=("r",), output="f")
    graph = chain(SOURCE, [conv, relu, clip, affine])
    ports = [
        Port(tensor=name, onnx_name=name, onnx_shape=(48,)) for name in ("conv1_out", "c", "a", "q")
    ]
    pool = MaxPool2d(name="pool", inputs=("f",), output="q", kernel=(1, 1), strides=(1, 1))
    graph = replace(
        graph,
        layers=(*graph.layers, flat, pool),
        outputs=tuple(ports),
        tensors={**graph.tensors, "f": tensor(6, 4, 2), "q": tensor(6, 4, 2)},
    )
    with pytest.raises(InputError) as raised:
        lower(graph)
    first, *lines = str(raised.value).splitlines()
    assert first == "the model cannot be compiled:"
    rule = "a Relu or Clip must follow a convolution directly or through MaxPool or Reshape"
    assert lines[0] == f"relu_x: it works on 'x'; {rule}"
    assert (
        lines[1] == f"relu_c: the output of conv1 is used elsewhere, too; {rule}, as its only user"
    )
    assert lines[2].startswith("add: the output of relu_x is used elsewhere, too; arithmetic with")
    assert lines[3].startswith("flat: the output of relu_x is used elsewhere, too; a reshape must")
    assert len(lines) == 4


def test_lowered_graph_passes() -> None:
    graph = random_float_graph(np.random.default_rng(0))
    assert lower(graph) is not None
    assert [layer.name for layer in lower(graph).layers] == [layer.name for layer in graph.layers]


def test_pipeline_has_distinct_names() -> None:
    names = [pass_.name for pass_ in PIPELINE]
    assert len(set(names)) == len(names)
