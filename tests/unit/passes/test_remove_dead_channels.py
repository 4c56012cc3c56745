# SPDX-License-Identifier: Apache-2.0
"""Channels that nothing depends on disappear; what remains computes the same numbers."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from flexcc import reference
from flexcc.ir.graph import Graph
from flexcc.ir.layers import (
    Add,
    AveragePool2d,
    Clamp,
    Concat,
    Conv2d,
    DepthToSpace,
    Layer,
    MaxPool2d,
    Mul,
    Select,
)
from flexcc.passes.base import run_pipeline
from flexcc.passes.remove_dead_channels import RemoveDeadChannels
from tests.models import chain, random_conv, random_integer_graph, tensor, transposed

SOURCE = tensor(3, 6, 6)


def conv(
    name: str,
    source: str,
    inputs: int,
    channels: int,
    ignores: Sequence[int] = (),
    **fields: object,
) -> Conv2d:
    """A convolution of one pixel that multiplies the channels `ignores` by zero."""
    rng = np.random.default_rng(len(name) + channels)
    kind = (source, tensor(inputs, 6, 6))
    made = random_conv(rng, name, kind, channels=channels, kernel=(1, 1), **fields)
    weight = made.weight.copy()
    weight[:, list(ignores)] = 0
    return replace(made, weight=weight)


def check(graph: Graph, **channels: int) -> Graph:
    """Runs the pass; the named tensors have so many channels then, all others what they had."""
    narrowed = run_pipeline([RemoveDeadChannels()], graph)
    kinds = {name: kind.channels for name, kind in narrowed.tensors.items()}
    expected = {name: graph.tensors[name].channels for name in kinds} | channels
    assert kinds == expected
    x = {"x": np.random.default_rng(5).normal(size=(2, 3, 6, 6))}
    before, after = (reference.run_float(each, x) for each in (graph, narrowed))
    for port in graph.outputs:
        np.testing.assert_allclose(after[port.tensor], before[port.tensor], atol=1e-6)
    return narrowed


def test_through_layers_that_keep_channels_apart() -> None:
    depthwise = conv("b", "a_out", 8, 8, groups=8, slope=np.arange(8, dtype=np.float32))
    pool = MaxPool2d(name="p", inputs=("b_out",), output="p_out", kernel=(2, 2), strides=(1, 1))
    mean = AveragePool2d(name="m", inputs=("p_out",), output="m_out", kernel=(2, 2), strides=(1, 1))
    layers = [conv("a", "x", 3, 8), depthwise, pool, mean, conv("c", "m_out", 8, 4, [0, 3, 7])]
    narrowed = check(chain(SOURCE, layers), a_out=5, b_out=5, p_out=5, m_out=5)
    assert [layer.weight.shape for layer in narrowed.layers if isinstance(layer, Conv2d)] == [
        (5, 3, 1, 1),
        (5, 1, 1, 1),
        (4, 5, 1, 1),
    ]


def test_what_makes_dead_channels_may_make_others_dead() -> None:
    layers = [conv("a", "x", 3, 8), conv("b", "a_out", 8, 6), conv("c", "b_out", 6, 2, [1, 2])]
    (first, second, third) = layers
    weight = second.weight.copy()
    # Only dead channels read channel 4.
    weight[[0, 3, 4, 5], 4] = 0
    graph = chain(SOURCE, [first, replace(second, weight=weight), third])
    check(graph, a_out=7, b_out=4)


def test_transposed_convolutions() -> None:
    layers: list[Layer] = [
        transposed(conv("a", "x", 3, 8)),
        transposed(conv("b", "a_out", 8, 2, [5])),
    ]
    check(chain(SOURCE, layers), a_out=7)


@pytest.mark.parametrize("kind", [Add, Mul])
def test_operands_keep_the_same_channels(kind: type[Add | Mul]) -> None:
    both = kind(name="s", inputs=("a_out", "b_out"), output="s_out", clamp=Clamp(low=0.0))
    # Another reader needs channel 2 of one operand, so all three tensors keep it.
    layers = [
        conv("a", "x", 3, 8),
        conv("b", "x", 3, 8),
        both,
        conv("c", "s_out", 8, 4, [1, 2, 3]),
        conv("d", "a_out", 8, 4, [0, 1, 3, 4, 5, 6, 7]),
        Add(name="e", inputs=("c_out", "d_out"), output="e_out"),
    ]
    check(chain(SOURCE, layers), a_out=6, b_out=6, s_out=6)


def test_an_operand_of_one_channel_stays() -> None:
    layers = [
        conv("a", "x", 3, 8),
        conv("gate", "x", 3, 1),
        Mul(name="s", inputs=("a_out", "gate_out"), output="s_out"),
        conv("c", "s_out", 8, 4, [6, 7]),
    ]
    check(chain(SOURCE, layers), a_out=6, s_out=6)


def test_joined_and_selected_channels() -> None:
    selected = Select(
        name="s",
        inputs=("j_out",),
        output="s_out",
        channels=(9, 2, -1, 1),
        rows=tuple(range(6)),
        columns=tuple(range(6)),
        fill=2.0,
    )
    layers = [
        conv("a", "x", 3, 8),
        conv("b", "x", 3, 4),
        Concat(name="j", inputs=("a_out", "b_out"), output="j_out"),
        selected,
    ]
    narrowed = check(chain(SOURCE, layers), a_out=2, b_out=1, j_out=3)
    (kept,) = (layer for layer in narrowed.layers if isinstance(layer, Select))
    assert kept.channels == (2, 1, -1, 0)


def test_a_slice_of_a_convolution_disappears() -> None:
    whole = tuple(range(6))
    part = Select(
        name="s", inputs=("a_out",), output="s_out", channels=(2, 3), rows=whole, columns=whole
    )
    narrowed = check(chain(SOURCE, [conv("a", "x", 3, 8), part, conv("b", "s_out", 2, 2)]), a_out=2)
    assert [layer.name for layer in narrowed.layers] == ["a", "b"]


def test_layers_that_mix_channels_keep_them() -> None:
    shuffle = DepthToSpace(name="d", inputs=("a_out",), output="d_out", block=2)
    graph = chain(SOURCE, [conv("a", "x", 3, 8), shuffle, conv("b", "d_out", 2, 2, [1])])
    assert run_pipeline([RemoveDeadChannels()], graph) is graph
    grouped = conv("b", "a_out", 8, 4, groups=2)
    graph = chain(SOURCE, [conv("a", "x", 3, 8), grouped, conv("c", "b_out", 4, 2, [1])])
    assert run_pipeline([RemoveDeadChannels()], graph).tensors["a_out"].channels == 8


def test_one_channel_stays() -> None:
    check(chain(SOURCE, [conv("a", "x", 3, 8), conv("b", "a_out", 8, 2, range(8))]), a_out=1)


def test_quantised_tensors_and_outputs_keep_theirs(seed: int) -> None:
    graph = random_integer_graph(np.random.default_rng(seed))
    zeros = [
        replace(layer, weight=layer.weight * 0) if isinstance(layer, Conv2d) else layer
        for layer in graph.layers
    ]
    graph = replace(graph, layers=tuple(zeros))
    assert run_pipeline([RemoveDeadChannels()], graph) is graph
