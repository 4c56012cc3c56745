# SPDX-License-Identifier: Apache-2.0
"""Which affine layers fold into convolutions; what folds computes the same."""

from dataclasses import replace
from textwrap import dedent
from typing import Any

import numpy as np
import pytest

from flexcc import reference
from flexcc.errors import InputError
from flexcc.ir.graph import Graph, Port
from flexcc.ir.layers import ChannelAffine, Clamp, Clip, Conv2d, Layer, MaxPool2d, Pads
from flexcc.ir.printer import print_graph
from flexcc.passes.base import run_pipeline
from flexcc.passes.fold_channel_affine import FoldChannelAffine
from tests.models import chain, random_conv, tensor, transposed

SOURCE = tensor(4, 5, 5)


def _affine(
    source: str, output: str, scale: float | None = None, offset: float | None = None
) -> ChannelAffine:
    rng = np.random.default_rng(len(source))
    return ChannelAffine(
        name=f"affine_{output}",
        inputs=(source,),
        output=output,
        scale=rng.normal(size=4) if scale is None else np.full(4, scale),
        offset=rng.normal(size=4) if offset is None else np.full(4, offset),
    )


def _conv(name: str, source: str, **fields: object) -> Conv2d:
    rng = np.random.default_rng(len(name))
    return random_conv(rng, name, (source, SOURCE), channels=4, kernel=(3, 3), **fields)


def _fold(graph: Graph) -> Graph:
    return run_pipeline([FoldChannelAffine()], graph)


def _check_equal(graph: Graph) -> Graph:
    folded = _fold(graph)
    x = {"x": np.random.default_rng(3).normal(size=(2, 4, 5, 5))}
    before, after = (reference.run_float(g, x) for g in (graph, folded))
    for port in graph.outputs:
        np.testing.assert_allclose(after[port.tensor], before[port.tensor], atol=1e-5)
    return folded


def test_behind_a_convolution() -> None:
    folded = _check_equal(chain(SOURCE, [_conv("conv1", "x"), _affine("conv1_out", "y")]))
    assert print_graph(folded) == dedent("""\
        graph(%x : f32[1x4x5x5]) {
          %y = conv2d(%x) name=conv1 kernel=3 stride=1 pad=0 : f32[1x4x3x3]
          return %y
        }""")


def test_in_front_of_grouped_convolutions_without_padding() -> None:
    layers: list[Layer] = [
        _affine("x", "a"),
        _conv("conv1", "a"),
        _conv("conv2", "a", groups=2),
        _conv("conv_3", "a", groups=4),
    ]
    graph = chain(SOURCE, layers)
    ports = [
        Port(tensor=layer.output, onnx_name=layer.name, onnx_shape=(36,)) for layer in layers[1:]
    ]
    folded = _check_equal(replace(graph, outputs=tuple(ports)))
    assert len(folded.layers) == 3


def test_scale_alone_in_front_of_padding() -> None:
    pads = Pads(top=1, left=1, bottom=1, right=1)
    layers = [_affine("x", "a", offset=0.0), _conv("conv1", "a", pads=pads)]
    assert len(_check_equal(chain(SOURCE, layers)).layers) == 1


def test_behind_a_transposed_convolution() -> None:
    """Also where an output sums over nothing: it is the bias, which folds likewise."""
    conv = transposed(_conv("conv1", "x", strides=(4, 4), groups=2), (2, 0))
    folded = _check_equal(chain(SOURCE, [conv, _affine("conv1_out", "y")]))
    assert len(folded.layers) == 1


def test_scale_alone_in_front_of_a_transposed_convolution() -> None:
    conv = transposed(_conv("conv1", "a", strides=(2, 2), groups=2, pads=Pads(top=1)), (1, 1))
    assert len(_check_equal(chain(SOURCE, [_affine("x", "a", offset=0.0), conv])).layers) == 1


def test_offset_folds_where_every_output_meets_the_whole_kernel() -> None:
    pads = Pads(top=2, left=4, bottom=3, right=4)
    conv = transposed(_conv("conv1", "a", pads=pads, dilations=(1, 2)))
    graph = chain(tensor(4, 5, 7), [_affine("x", "a"), conv])
    folded = _fold(graph)
    assert len(folded.layers) == 1
    x = {"x": np.random.default_rng(3).normal(size=(1, 4, 5, 7))}
    before, after = (reference.run_float(g, x)["conv1_out"] for g in (graph, folded))
    np.testing.assert_allclose(after, before, atol=1e-5)


@pytest.mark.parametrize(
    "fields",
    [
        {"pads": Pads(top=2, left=2, bottom=2, right=1)},
        {"pads": Pads(top=1, left=2, bottom=2, right=2)},
        {"pads": Pads(top=2, left=2, bottom=2, right=2), "dilations": (1, 2)},
        {"pads": Pads(top=2, left=2, bottom=2, right=2), "strides": (1, 2)},
    ],
)
def test_offset_in_front_of_outputs_that_meet_less_stays(fields: dict[str, Any]) -> None:
    _unchanged(chain(SOURCE, [_affine("x", "a"), transposed(_conv("conv1", "a", **fields))]))


def test_offset_in_front_of_output_padding_stays() -> None:
    pads = Pads(top=2, left=2, bottom=2, right=2)
    conv = transposed(_conv("conv1", "a", pads=pads, dilations=(2, 1)), (1, 0))
    _unchanged(chain(SOURCE, [_affine("x", "a"), conv]))


def test_chains_of_affines() -> None:
    layers = [
        _conv("conv1", "x"),
        _affine("conv1_out", "a"),
        _affine("a", "bb"),
        _affine("bb", "c"),
    ]
    assert len(_check_equal(chain(SOURCE, layers)).layers) == 1
    layers = [_affine("x", "aa"), _affine("aa", "b"), _conv("conv1", "b")]
    assert len(_check_equal(chain(SOURCE, layers)).layers) == 1


def _unchanged(graph: Graph) -> None:
    assert print_graph(_fold(graph)) == print_graph(graph)


def test_offset_in_front_of_padding_stays() -> None:
    _unchanged(chain(SOURCE, [_affine("x", "a"), _conv("conv1", "a", pads=Pads(left=1))]))


def test_stays_behind_a_clamp_or_a_pool() -> None:
    conv = _conv("conv1", "x", clamp=Clamp(low=0.0))
    _unchanged(chain(SOURCE, [conv, _affine("conv1_out", "y")]))
    pool = MaxPool2d(name="p", inputs=("x",), output="p", kernel=(2, 2), strides=(1, 1))
    _unchanged(chain(SOURCE, [pool, _affine("p", "y")]))


def test_stays_when_either_side_is_used_elsewhere() -> None:
    both = chain(SOURCE, [_conv("conv1", "x"), _affine("conv1_out", "y")])
    port = Port(tensor="conv1_out", onnx_name="c", onnx_shape=(36,))
    _unchanged(replace(both, outputs=(*both.outputs, port)))
    relu = Clip(name="r", inputs=("a",), output="r", clamp=Clamp(low=0.0))
    ahead = chain(SOURCE, [_affine("x", "a"), relu, _conv("conv1", "a")])
    port = Port(tensor="r", onnx_name="r", onnx_shape=(100,))
    _unchanged(replace(ahead, outputs=(*ahead.outputs, port)))


def test_stays_behind_a_quantised_convolution() -> None:
    conv = replace(
        _conv("conv1", "x"),
        weight=np.ones((4, 4, 3, 3), np.int8),
        weight_scale=np.ones(4, np.float32),
        bias=np.zeros(4, np.int32),
    )
    graph = chain(SOURCE, [conv, _affine("conv1_out", "y")])
    types = {
        "x": tensor(4, 5, 5, 0.5),
        "conv1_out": tensor(4, 3, 3),
        "y": tensor(4, 3, 3, 0.5),
    }
    _unchanged(replace(graph, tensors=types))


def test_infinite_result_is_refused() -> None:
    layers = [_conv("conv1", "x"), _affine("conv1_out", "y", scale=1e39)]
    with pytest.raises(InputError, match="affine_y: folded into its convolution"):
        _fold(chain(SOURCE, layers))
