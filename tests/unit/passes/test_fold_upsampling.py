# SPDX-License-Identifier: Apache-2.0
"""Which resizes to the nearest pixel disappear; what remains computes the same for less."""

from collections.abc import Sequence
from dataclasses import replace
from textwrap import dedent

import numpy as np
import pytest

from flexcc import reference
from flexcc.ir.graph import Graph, Port
from flexcc.ir.layers import Clamp, Conv2d, Convolution, Layer, Pads, Select
from flexcc.ir.printer import print_graph
from flexcc.ir.types import TensorType
from flexcc.passes.base import run_pipeline
from flexcc.passes.fold_upsampling import FoldUpsampling
from flexcc.quantization import quantize
from flexcc.taps import convolution_axes
from tests.models import chain, random_conv, tensor


def _repeat(source: TensorType, rows: int, columns: int) -> Select:
    return Select(
        name="up",
        inputs=("x",),
        output="up_out",
        channels=tuple(range(source.channels)),
        rows=tuple(row for row in range(source.height) for _ in range(rows)),
        columns=tuple(column for column in range(source.width) for _ in range(columns)),
    )


def _fold(graph: Graph) -> Graph:
    return run_pipeline([FoldUpsampling()], graph)


def _random(rng: np.random.Generator) -> Graph:
    """A resize and a convolution with any kernel, dilation, groups and padding it may have."""
    groups = int(rng.integers(1, 3))
    source = tensor(2 * groups, *(int(size) for size in rng.integers(4, 8, size=2)))
    factors = [(2, 2), (3, 3), (2, 1), (1, 4), (2, 3)][int(rng.integers(5))]
    kernel = (int(rng.integers(1, 5)), int(rng.integers(1, 4)))
    dilations = (int(rng.integers(1, 4)), int(rng.integers(1, 3)))
    spans = [(k - 1) * d for k, d in zip(kernel, dilations, strict=True)]
    top, bottom = (int(side) for side in rng.integers(0, spans[0] + 1, size=2))
    left, right = (int(side) for side in rng.integers(0, spans[1] + 1, size=2))
    repeat = _repeat(source, *factors)
    conv = random_conv(
        rng,
        "conv",
        ("up_out", tensor(source.channels, len(repeat.rows), len(repeat.columns))),
        channels=3 * groups,
        kernel=kernel,
        dilations=dilations,
        groups=groups,
        pads=Pads(top=top, left=left, bottom=bottom, right=right),
        slope=rng.normal(size=3 * groups).astype(np.float32) if rng.random() < 0.3 else None,
        clamp=Clamp(low=-0.5, high=1.0) if rng.random() < 0.3 else Clamp(),
    )
    return chain(source, [repeat, conv])


def _products(graph: Graph) -> int:
    """Multiplications of all convolutions, by the taps that the array takes."""
    total = 0
    for layer in graph.layers:
        if isinstance(layer, Convolution):
            y, x = convolution_axes(layer)
            target = graph.tensors[layer.output]
            outputs = target.height * target.width / (y.out_step * x.out_step)
            taps = sum(len(p.taps) for p in y.phases) * sum(len(p.taps) for p in x.phases)
            total += round(outputs * taps * layer.weight.shape[0] * layer.weight.shape[1])
    return total


def test_same_numbers(seed: int) -> None:
    for trial in range(60):
        rng = np.random.default_rng([seed, trial])
        graph = _random(rng)
        folded = _fold(graph)
        assert [type(layer).__name__ for layer in folded.layers] == ["ConvTranspose2d"], trial
        x = {"x": rng.normal(size=(2, *_shape(graph.tensors["x"])))}
        before, after = (reference.run_float(g, x)["conv_out"] for g in (graph, folded))
        np.testing.assert_allclose(before, after, atol=3e-6)


def _shape(kind: TensorType) -> tuple[int, int, int]:
    return kind.channels, kind.height, kind.width


def test_the_integers_of_a_folded_layer_stay_close(seed: int) -> None:
    """Weights are summed before they are rounded, so the sums are as exact as any weight."""
    for trial in range(10):
        rng = np.random.default_rng([seed, trial])
        graph = _random(rng)
        folded = _fold(graph)
        x = {"x": rng.normal(size=(4, *_shape(graph.tensors["x"]))).astype(np.float32)}
        model = quantize(folded, x).graph
        kinds = model.tensors
        source, target = kinds["x"].quantization, kinds["conv_out"].quantization
        assert source is not None
        assert target is not None
        steps = np.clip(np.rint(x["x"] / np.float32(source.scale)) + source.zero_point, -128, 127)
        found = reference.run(model, {"x": steps.astype(np.int8)})["conv_out"].astype(int)
        real = reference.run_float(graph, x)["conv_out"]
        error = np.abs((found - target.zero_point) * target.scale - real)
        assert error.mean() < 0.02 * np.ptp(real), trial


@pytest.mark.parametrize(
    ("kernel", "pad", "factor", "gain"),
    [(3, 1, 2, 9 / 4), (5, 2, 2, 25 / 9), (3, 1, 4, 16 * 9 / 36), (1, 0, 2, 1.0)],
)
def test_gain(kernel: int, pad: int, factor: int, gain: float) -> None:
    """Of products per output; the resize and its image go besides."""
    source = tensor(8, 8, 8)
    repeat = _repeat(source, factor, factor)
    conv = random_conv(
        np.random.default_rng(0),
        "conv",
        ("up_out", tensor(8, 8 * factor, 8 * factor)),
        channels=8,
        kernel=(kernel, kernel),
        pads=Pads(top=pad, left=pad, bottom=pad, right=pad),
    )
    graph = chain(source, [repeat, conv])
    assert _products(graph) / _products(_fold(graph)) == pytest.approx(gain)


def test_text() -> None:
    source = tensor(2, 4, 4)
    conv = random_conv(
        np.random.default_rng(0),
        "conv",
        ("up_out", tensor(2, 8, 8)),
        channels=3,
        kernel=(3, 3),
        pads=Pads(top=1, left=1, bottom=1, right=1),
        clamp=Clamp(low=0.0),
    )
    graph = chain(source, [_repeat(source, 2, 2), conv])
    assert print_graph(_fold(graph)) == dedent("""\
        graph(%x : f32[1x2x4x4]) {
          %conv_out = conv_transpose2d(%x) name=conv kernel=4 stride=2 pad=1 clamp=0..inf : f32[1x3x8x8]
          return %conv_out
        }""")  # noqa: E501 a line of the text


def test_resize_that_somebody_else_reads_stays() -> None:
    source = tensor(2, 4, 4)
    rng = np.random.default_rng(0)
    first = random_conv(rng, "conv", ("up_out", tensor(2, 8, 8)), channels=3, kernel=(3, 3))
    second = replace(first, name="other", output="other_out", strides=(2, 2))
    graph = chain(source, [_repeat(source, 2, 2), first, second])
    port = Port(tensor="conv_out", onnx_name="conv_out", onnx_shape=(1, 3, 6, 6))
    graph = replace(graph, outputs=(port, *graph.outputs))
    kinds = [type(layer).__name__ for layer in _fold(graph).layers]
    assert kinds == ["Select", "ConvTranspose2d", "Conv2d"]


def _conv(**fields: object) -> Conv2d:
    rng = np.random.default_rng(0)
    return random_conv(
        rng, "conv", ("up_out", tensor(2, 8, 8)), channels=3, kernel=(3, 3), **fields
    )


@pytest.mark.parametrize(
    "conv",
    [_conv(strides=(2, 2)), _conv(pads=Pads(top=3)), _conv(pads=Pads(right=3))],
    ids=["stride", "wide-top", "wide-right"],
)
def test_leaves_alone(conv: Conv2d) -> None:
    source = tensor(2, 4, 4)
    _leaves_alone(chain(source, [_repeat(source, 2, 2), conv]))


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_leaves_other_selections_alone(axis: int) -> None:
    source = tensor(2, 4, 4)
    indices: list[Sequence[int]] = [range(2), [0, 0, 1, 1, 2, 2, 3, 3], [0, 0, 1, 1, 2, 2, 3, 3]]
    indices[axis] = [*indices[axis]][::-1]
    channels, rows, columns = (tuple(each) for each in indices)
    select: Layer = replace(_repeat(source, 2, 2), channels=channels, rows=rows, columns=columns)
    _leaves_alone(chain(source, [select, _conv()]))


def test_leaves_integers_alone() -> None:
    source = tensor(2, 4, 4)
    graph = chain(source, [_repeat(source, 2, 2), _conv()])
    x = {"x": np.random.default_rng(0).normal(size=(2, 2, 4, 4)).astype(np.float32)}
    _leaves_alone(quantize(graph, x).graph)


def _leaves_alone(graph: Graph) -> None:
    assert _fold(graph) is graph
