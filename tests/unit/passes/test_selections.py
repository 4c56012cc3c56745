# SPDX-License-Identifier: Apache-2.0
"""Selections that join, become padding, or do nothing; each rewrite computes the same."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from flexcc import reference
from flexcc.ir.graph import Graph, Port
from flexcc.ir.layers import (
    AveragePool2d,
    ChannelMax,
    Concat,
    Layer,
    MaxPool2d,
    Pads,
    Rearrange,
    Reshape,
    Select,
)
from flexcc.passes.base import Pass, run_pipeline
from flexcc.passes.eliminate_identity import EliminateIdentity
from flexcc.passes.fold_padding import FoldPadding
from flexcc.passes.fuse_selections import FuseSelections
from tests.models import chain, random_conv, tensor

SOURCE = tensor(3, 4, 5)
ALL = (tuple(range(3)), tuple(range(4)), tuple(range(5)))


def _select(
    source: str,
    output: str,
    channels: Sequence[int] = ALL[0],
    rows: Sequence[int] = ALL[1],
    columns: Sequence[int] = ALL[2],
    fill: float = 0.0,
) -> Select:
    return Select(
        name=f"s_{output}",
        inputs=(source,),
        output=output,
        channels=tuple(channels),
        rows=tuple(rows),
        columns=tuple(columns),
        fill=fill,
    )


def _rewritten(pass_: Pass, layers: list[Layer], *more: str) -> Graph:
    """The rewritten graph, proven to compute the same; `more` tensors leave it, too."""
    graph = chain(SOURCE, layers)
    ports = [
        Port(
            tensor=name,
            onnx_name=name,
            onnx_shape=(1, kind.channels, kind.height, kind.width),
        )
        for name, kind in graph.tensors.items()
        if name in more
    ]
    graph = replace(graph, outputs=(*graph.outputs, *ports))
    result = run_pipeline([pass_], graph)
    x = np.random.default_rng(0).normal(size=(1, 3, 4, 5))
    before, after = (reference.run_float(each, {"x": x}) for each in (graph, result))
    for old, new in zip(graph.outputs, result.outputs, strict=True):
        np.testing.assert_allclose(before[old.tensor], after[new.tensor], atol=1e-12)
    return result


def test_two_selections_are_one() -> None:
    first = _select("x", "a", rows=(3, 1, -1), fill=2.0)
    second = _select("a", "y", rows=(2, 0), columns=(4, 4), channels=(2,))
    (both,) = _rewritten(FuseSelections(), [first, second]).layers
    assert isinstance(both, Select)
    assert both.name == "s_y"
    assert (both.channels, both.rows, both.columns, both.fill) == ((2,), (-1, 3), (4, 4), 2.0)


def test_different_fills_and_other_readers_keep_two() -> None:
    first = _select("x", "a", rows=(3, 1, -1), fill=2.0)
    second = _select("a", "y", rows=(2, -1, 0), fill=1.0)
    assert len(_rewritten(FuseSelections(), [first, second]).layers) == 2
    second = replace(second, fill=2.0)
    assert len(_rewritten(FuseSelections(), [first, second]).layers) == 1
    assert len(_rewritten(FuseSelections(), [first, second], "a").layers) == 2


def _padding(**changes: Sequence[int] | float) -> Select:
    select = _select("x", "a", rows=(-1, 0, 1, 2, 3), columns=(0, 1, 2, 3, 4, -1, -1))
    return replace(select, **changes)  # type: ignore[arg-type]


def test_padding_joins_convolutions_and_means() -> None:
    conv = random_conv(
        np.random.default_rng(0), "c", ("a", SOURCE), channels=2, kernel=(3, 3), pads=Pads(top=1)
    )
    pool = AveragePool2d(
        name="p", inputs=("a",), output="y", kernel=(3, 2), strides=(1, 1), pads=Pads(top=1, left=1)
    )
    result = _rewritten(FoldPadding(), [_padding(), conv, pool], "c_out")
    first, second = result.layers
    assert first.pads == Pads(top=2, right=2)  # type: ignore[attr-defined]
    assert isinstance(second, AveragePool2d)
    assert second.pads == Pads(top=2, left=1, right=2)
    assert second.counted == Pads(top=1, right=2)


@pytest.mark.parametrize(
    "changes",
    [
        {"fill": 1.0},
        {"channels": (0, 1, 2, -1)},
        {"rows": (-1, 0, 1, 2)},
        {"rows": (0, 1, 1, 2, 3)},
        {"rows": (0, 1, -1, 2, 3)},
    ],
)
def test_other_selections_stay(changes: dict[str, Sequence[int] | float]) -> None:
    select = _padding(**changes)
    source = tensor(len(select.channels), 1, 1)
    conv = random_conv(np.random.default_rng(0), "c", ("a", source), channels=2, kernel=(3, 3))
    assert len(_rewritten(FoldPadding(), [select, conv]).layers) == 2


def test_padding_that_others_read_stays() -> None:
    conv = random_conv(np.random.default_rng(0), "c", ("a", SOURCE), channels=2, kernel=(3, 3))
    assert len(_rewritten(FoldPadding(), [_padding(), conv], "a").layers) == 2
    pool = MaxPool2d(name="p", inputs=("a",), output="y", kernel=(2, 2), strides=(1, 1))
    assert len(_rewritten(FoldPadding(), [_padding(), conv, pool], "c_out").layers) == 3


def test_what_does_nothing_goes() -> None:
    size = 3 * 4 * 5
    nothing: list[Layer] = [
        _select("r", "a"),
        Rearrange(name="move", inputs=("a",), output="b", index=np.arange(size)),
        Concat(name="join", inputs=("b",), output="c", axis=1),
        MaxPool2d(name="pool", inputs=("c",), output="d", kernel=(1, 1), strides=(1, 1)),
    ]
    relu = random_conv(np.random.default_rng(0), "c", ("x", SOURCE), channels=3, kernel=(1, 1))
    relu = replace(relu, output="r")
    types = dict.fromkeys("xrabcd", SOURCE)
    graph = chain(SOURCE, [relu, *nothing[:1]])
    port = Port(tensor="d", onnx_name="d", onnx_shape=(1, 3, 4, 5))
    graph = replace(graph, layers=(relu, *nothing), tensors=types, outputs=(port,))
    result = run_pipeline([EliminateIdentity()], graph)
    assert result.layers == (relu,)
    assert result.outputs == (replace(port, tensor="r"),)


def test_what_does_something_stays() -> None:
    layers: list[Layer] = [
        _select("x", "a", channels=(1, 0, 2)),
        Rearrange(name="move", inputs=("a",), output="b", index=np.arange(60)[::-1].copy()),
        MaxPool2d(name="pool", inputs=("b",), output="c", kernel=(1, 1), strides=(2, 1)),
        ChannelMax(name="max", inputs=("c",), output="d"),
        Concat(name="join", inputs=("d", "d"), output="y"),
    ]
    graph = chain(SOURCE, layers[:1])
    types = {"b": SOURCE, "c": tensor(3, 2, 5), "d": tensor(1, 2, 5), "y": tensor(2, 2, 5)}
    port = Port(tensor="y", onnx_name="y", onnx_shape=(1, 2, 2, 5))
    graph = replace(
        graph, layers=tuple(layers), tensors={**graph.tensors, **types}, outputs=(port,)
    )
    assert run_pipeline([EliminateIdentity()], graph).layers == graph.layers


def test_between_input_and_output_something_must_stand() -> None:
    graph = chain(SOURCE, [_select("x", "y")])
    assert run_pipeline([EliminateIdentity()], graph).layers == graph.layers


def test_a_rounding_moves_only_to_where_nobody_sees_it() -> None:
    conv = random_conv(np.random.default_rng(0), "c", ("x", SOURCE), channels=3, kernel=(1, 1))
    flat = Reshape(name="f", inputs=("c_out",), output="y")
    graph = chain(SOURCE, [conv, _select("c_out", "y")])
    graph = replace(graph, layers=(conv, flat))
    rounded = replace(graph, tensors={**graph.tensors, "y": tensor(3, 4, 5, 0.5)})
    result = EliminateIdentity().run(rounded)
    assert result.layers == (conv,)
    assert result.tensors["c_out"] == tensor(3, 4, 5, 0.5)
    shared = Port(tensor="c_out", onnx_name="c", onnx_shape=(1, 3, 4, 5))
    assert (
        len(EliminateIdentity().run(replace(rounded, outputs=(shared, *rounded.outputs))).layers)
        == 2
    )
