# SPDX-License-Identifier: Apache-2.0
"""What stands alone becomes a convolution of single pixels, or joins a table."""

from dataclasses import replace
from textwrap import dedent

import numpy as np
import pytest

from flexcc import reference
from flexcc.ir.affine import dequantize_array, quantize_array
from flexcc.ir.functions import X, apply
from flexcc.ir.graph import Graph, Port
from flexcc.ir.layers import ChannelAffine, Clamp, Clip, Conv2d, Layer, PRelu, Table
from flexcc.ir.printer import print_graph
from flexcc.ir.types import Quantization
from flexcc.passes.base import run_pipeline
from flexcc.passes.pointwise import Pointwise
from tests.models import chain, tensor

SOURCE = tensor(3, 4, 5)


def _affine(source: str, output: str) -> ChannelAffine:
    return ChannelAffine(
        name="affine",
        inputs=(source,),
        output=output,
        scale=np.array([0.5, -2.0, 0.0]),
        offset=np.array([0.25, 0.0, 1.0]),
    )


def _prelu(source: str, output: str) -> PRelu:
    slope = np.array([0.25, -0.5, 2.0], np.float32)
    return PRelu(name="prelu", inputs=(source,), output=output, slope=slope)


def _clip(source: str, output: str) -> Clip:
    return Clip(name="clip", inputs=(source,), output=output, clamp=Clamp(high=1.0))


def _pointwise(graph: Graph) -> Graph:
    return run_pipeline([Pointwise()], graph)


def _check_float(graph: Graph) -> Graph:
    result = _pointwise(graph)
    x = np.random.default_rng(0).normal(size=(2, 3, 4, 5))
    before, after = (reference.run_float(each, {"x": x}) for each in (graph, result))
    for port in graph.outputs:
        assert np.array_equal(before[port.tensor], after[port.tensor])
    return result


def test_a_chain_becomes_one_convolution() -> None:
    graph = chain(SOURCE, [_affine("x", "a"), _prelu("a", "p"), _clip("p", "y")])
    assert print_graph(_check_float(graph)) == dedent("""\
        graph(%x : f32[1x3x4x5]) {
          %y = conv2d(%x) name=affine kernel=1 stride=1 pad=0 groups=3 slope=-0.5..2 \
clamp=-inf..1 : f32[1x3x4x5]
          return %y
        }""")


@pytest.mark.parametrize(
    "layers",
    [
        [_clip("x", "c"), _affine("c", "y")],
        [_prelu("x", "p"), _affine("p", "y")],
        [_clip("x", "c"), _prelu("c", "y")],
    ],
)
def test_orders_that_one_convolution_cannot_do_take_two(layers: list[Layer]) -> None:
    result = _check_float(chain(SOURCE, layers))
    assert [layer.name for layer in result.layers] == [layer.name for layer in layers]
    assert all(isinstance(layer, Conv2d) for layer in result.layers)


def test_a_tensor_that_others_read_ends_the_chain() -> None:
    graph = chain(SOURCE, [_affine("x", "a"), _prelu("a", "y")])
    shared = Port(tensor="a", onnx_name="a", onnx_shape=(1, 3, 4, 5))
    result = _check_float(replace(graph, outputs=(*graph.outputs, shared)))
    assert [layer.output for layer in result.layers] == ["a", "y"]


def test_what_treats_channels_alike_joins_a_table() -> None:
    table = Table(name="t", inputs=("c",), output="y", function=apply("Tanh", X))
    result = _check_float(chain(SOURCE, [_clip("x", "c"), table]))
    assert [str(layer.function) for layer in result.layers if isinstance(layer, Table)] == [
        "Tanh(Min(x, 1))"
    ]
    uneven = chain(SOURCE, [_affine("x", "c"), table])
    assert [type(layer) for layer in _check_float(uneven).layers] == [Conv2d, Table]


def _integer(graph: Graph, **scales: float) -> Graph:
    types = {
        name: replace(kind, quantization=Quantization(scale=scales[name], zero_point=5))
        for name, kind in graph.tensors.items()
        if name in scales
    }
    return replace(graph, tensors={**graph.tensors, **types})


def test_integers_are_those_of_the_real_numbers() -> None:
    graph = _integer(
        chain(SOURCE, [_affine("x", "a"), _prelu("a", "p"), _clip("p", "y")]), x=0.0625, y=0.03125
    )
    result = _pointwise(graph)
    (conv,) = result.layers
    assert isinstance(conv, Conv2d)
    assert conv.weight.ravel().tolist() == [1, -1, 0]
    x = np.random.default_rng(0).integers(-128, 128, (2, 3, 4, 5)).astype(np.int8)
    scales = [graph.tensors[name].quantization for name in "xy"]
    assert scales[0] is not None
    assert scales[1] is not None
    real = reference.run_float(_float(graph), {"x": dequantize_array(x, scales[0])})["y"]
    assert np.array_equal(reference.run(result, {"x": x})["y"], quantize_array(real, scales[1]))


def _float(graph: Graph) -> Graph:
    types = {name: replace(kind, quantization=None) for name, kind in graph.tensors.items()}
    return replace(graph, tensors=types)


def test_rounding_in_between_is_kept() -> None:
    graph = chain(SOURCE, [_affine("x", "a"), _prelu("a", "y")])
    result = _pointwise(_integer(graph, x=0.0625, a=0.5, y=0.03125))
    assert [layer.name for layer in result.layers] == ["affine", "prelu"]
    assert all(isinstance(layer, Conv2d) for layer in result.layers)


def test_without_a_scale_at_its_ends_it_stays() -> None:
    graph = chain(SOURCE, [_clip("x", "c"), _affine("c", "y")])
    integer = _integer(graph, x=0.0625, y=0.03125)
    assert [type(layer) for layer in _pointwise(integer).layers] == [Clip, ChannelAffine]
