# SPDX-License-Identifier: Apache-2.0
"""Which DepthToSpace layers disappear; what remains computes the same, in integers too."""

from dataclasses import replace
from textwrap import dedent

import numpy as np
import pytest

from flexcc import reference
from flexcc.ir.graph import Graph, Port
from flexcc.ir.layers import Clamp, Conv2d, DepthToSpace, Pads
from flexcc.ir.printer import print_graph
from flexcc.passes.base import run_pipeline
from flexcc.passes.fold_depth_to_space import FoldDepthToSpace
from flexcc.quantization import quantize
from tests.models import chain, random_conv, tensor


def _fold(graph: Graph) -> Graph:
    return run_pipeline([FoldDepthToSpace()], graph)


def _same_for_phases(conv: Conv2d, block: int) -> Conv2d:
    """The convolution with one bias and slope for the channels that become one."""
    channels = conv.weight.shape[0] // block**2
    slope = None if conv.slope is None else np.tile(conv.slope[:channels], block**2)
    bias = np.tile(conv.bias[:channels], block**2).astype(np.float32)
    return replace(conv, bias=bias, slope=slope)


def _random(rng: np.random.Generator) -> Graph:
    """A convolution with any kernel, dilation and padding it may have, and DepthToSpace."""
    block = int(rng.integers(2, 4))
    source = tensor(3, *(int(size) for size in rng.integers(4, 8, size=2)))
    kernel = (int(rng.integers(1, 4)), int(rng.integers(1, 4)))
    dilations = (int(rng.integers(1, 3)), int(rng.integers(1, 3)))
    spans = [(k - 1) * d for k, d in zip(kernel, dilations, strict=True)]
    top, bottom = (int(side) for side in rng.integers(spans[0] // 2, spans[0] + 1, size=2))
    left, right = (int(side) for side in rng.integers(spans[1] // 2, spans[1] + 1, size=2))
    channels = 2 * block**2
    conv = random_conv(
        rng,
        "conv",
        ("x", source),
        channels=channels,
        kernel=kernel,
        dilations=dilations,
        pads=Pads(top=top, left=left, bottom=bottom, right=right),
        slope=rng.normal(size=channels).astype(np.float32) if rng.random() < 0.3 else None,
        clamp=Clamp(low=-0.5, high=1.0) if rng.random() < 0.3 else Clamp(),
    )
    conv = _same_for_phases(conv, block)
    return chain(source, [conv, _depth_to_space(block)])


def _depth_to_space(block: int) -> DepthToSpace:
    return DepthToSpace(name="d2s", inputs=("conv_out",), output="y", block=block)


def _inputs(rng: np.random.Generator, graph: Graph) -> dict[str, np.ndarray]:
    kind = graph.tensors["x"]
    shape = (2, kind.channels, kind.height, kind.width)
    return {"x": rng.normal(size=shape).astype(np.float32)}


def test_same_numbers(seed: int) -> None:
    for trial in range(60):
        rng = np.random.default_rng([seed, trial])
        graph = _random(rng)
        folded = _fold(graph)
        assert [type(layer).__name__ for layer in folded.layers] == ["ConvTranspose2d"], trial
        x = _inputs(rng, graph)
        before, after = (reference.run_float(g, x)["y"] for g in (graph, folded))
        np.testing.assert_allclose(before, after, atol=1e-12)


def _with_one_scale(graph: Graph, block: int) -> Graph:
    """The quantised graph, as if the scales of a channel's phases had come out equal."""
    [conv, move] = graph.layers
    assert isinstance(conv, Conv2d)
    assert conv.weight_scale is not None
    channels = conv.weight_scale.size // block**2
    even = replace(
        conv,
        weight_scale=np.tile(conv.weight_scale[:channels], block**2),
        bias=np.tile(conv.bias[:channels], block**2).astype(np.int32),
    )
    return replace(graph, layers=(even, move))


def test_same_integers(seed: int) -> None:
    for trial in range(20):
        rng = np.random.default_rng([seed, trial])
        graph = _random(rng)
        [_, move] = graph.layers
        assert isinstance(move, DepthToSpace)
        x = _inputs(rng, graph)
        integer = _with_one_scale(quantize(graph, x).graph, move.block)
        folded = _fold(integer)
        assert len(folded.layers) == 1
        kind = graph.tensors["x"]
        shape = (2, kind.channels, kind.height, kind.width)
        values = {"x": rng.integers(-128, 128, size=shape).astype(np.int8)}
        before, after = (reference.run(g, values)["y"] for g in (integer, folded))
        assert np.array_equal(before, after), trial


def _graph(**fields: object) -> Graph:
    source = tensor(3, 4, 5)
    conv = random_conv(
        np.random.default_rng(0),
        "conv",
        ("x", source),
        channels=8,
        kernel=(3, 3),
        pads=Pads(top=1, left=1, bottom=1, right=1),
    )
    conv = replace(_same_for_phases(conv, 2), **fields)  # type: ignore[arg-type]
    return chain(source, [conv, _depth_to_space(2)])


def test_text() -> None:
    assert print_graph(_fold(_graph(clamp=Clamp(low=0.0)))) == dedent("""\
        graph(%x : f32[1x3x4x5]) {
          %y = conv_transpose2d(%x) name=conv kernel=6 stride=2 pad=2 clamp=0..inf : f32[1x2x8x10]
          return %y
        }""")


@pytest.mark.parametrize(
    "graph",
    [
        _graph(bias=np.arange(8, dtype=np.float32)),
        _graph(slope=np.arange(8, dtype=np.float32)),
        _graph(strides=(2, 2), pads=Pads(top=1, left=1, bottom=1)),
        _graph(pads=Pads(top=3, left=1, bottom=1, right=1)),
    ],
    ids=["biases", "slopes", "stride", "wide"],
)
def test_leaves_alone(graph: Graph) -> None:
    assert _fold(graph) is graph


def test_leaves_groups_alone() -> None:
    source = tensor(2, 4, 5)
    conv = random_conv(
        np.random.default_rng(0), "conv", ("x", source), channels=8, kernel=(3, 3), groups=2
    )
    grouped = chain(source, [_same_for_phases(conv, 2), _depth_to_space(2)])
    assert _fold(grouped) is grouped


def test_leaves_a_convolution_alone_that_somebody_else_reads() -> None:
    graph = _graph()
    port = Port(tensor="conv_out", onnx_name="conv_out", onnx_shape=(1, 8, 4, 5))
    shared = replace(graph, outputs=(port, *graph.outputs))
    assert _fold(shared) is shared
