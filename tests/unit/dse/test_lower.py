# SPDX-License-Identifier: Apache-2.0
"""Lowering keeps every number and ends in stages; what cannot run is refused by name."""

import random
from dataclasses import fields, replace

import numpy as np
import pytest

from flexcc import reference
from flexcc.dse.lower import fusion_groups, lower
from flexcc.dse.mapping import Chain
from flexcc.errors import InputError
from flexcc.ir.functions import X, apply
from flexcc.ir.graph import Graph, Port
from flexcc.ir.layers import (
    Add,
    Concat,
    Conv2d,
    ConvTranspose2d,
    Layer,
    LocalNorm,
    MaxPool2d,
    Pads,
    Table,
)
from flexcc.ir.requantize import requantization
from flexcc.ir.types import Quantization, TensorType
from flexcc.ir.verify import verify
from flexcc.joins import stored_parts
from tests.networks import evaluate, random_network

QUANTIZATION = Quantization(scale=0.125, zero_point=-7)


def _conv(name: str, source: str, output: str, stride: int = 1, kernel: int = 1) -> Conv2d:
    weight = np.random.default_rng(1).integers(-128, 128, (4, 4, kernel, kernel)).astype(np.int8)
    return Conv2d(
        name=name,
        inputs=(source,),
        output=output,
        weight=weight,
        weight_scale=np.full(4, 0.002, np.float32),
        bias=np.arange(4, dtype=np.int32),
        strides=(stride, stride),
    )


def _pool(
    name: str,
    source: str,
    output: str,
    kernel: tuple[int, int] = (1, 1),
    strides: tuple[int, int] = (1, 1),
) -> MaxPool2d:
    return MaxPool2d(name=name, inputs=(source,), output=output, kernel=kernel, strides=strides)


def _graph(layers: list[Layer], outputs: str, sizes: dict[str, tuple[int, int]]) -> Graph:
    tensors = {
        name: TensorType(channels=4, height=h, width=w, quantization=QUANTIZATION)
        for name, (h, w) in sizes.items()
    }
    ports = {n: Port(tensor=n, onnx_name=n, onnx_shape=(1, 4, *hw)) for n, hw in sizes.items()}
    return Graph(
        name="g",
        inputs=(ports["x"],),
        outputs=tuple(ports[name] for name in outputs),
        tensors=tensors,
        layers=tuple(layers),
    )


def _names(graph: Graph) -> list[tuple[str, str | None]]:
    return [(chain.conv, chain.pool) for chain in fusion_groups(graph)]


@pytest.mark.parametrize("sums", [False, True])
@pytest.mark.parametrize("seed", range(40))
def test_lowering_is_exact(seed: int, sums: bool) -> None:
    graph = random_network(random.Random(seed), 4, sums=sums)
    lowered = lower(graph)
    verify(lowered)
    fusion_groups(lowered)
    rng = np.random.default_rng(seed)
    types = {port.tensor: graph.tensors[port.tensor] for port in graph.inputs}
    inputs = {
        name: rng.integers(-128, 128, (t.channels, t.height, t.width)).astype(np.int8)
        for name, t in types.items()
    }
    expected, actual = evaluate(graph, inputs), evaluate(lowered, inputs)
    for name, tensor in expected.items():
        assert np.array_equal(actual[name], tensor), name


def test_a_pool_fuses_with_the_convolution_that_only_it_reads() -> None:
    sizes = dict.fromkeys("xyz", (6, 6))
    graph = _graph([_conv("c", "x", "y"), _pool("p", "y", "z")], "z", sizes)
    lowered = lower(graph)
    assert lowered.layers == graph.layers
    assert _names(lowered) == [("c", "p")]


@pytest.mark.parametrize(
    ("layers", "outputs", "expected"),
    [
        ([_pool("p", "x", "y")], "y", [("p_identity", "p")]),
        (
            [_conv("c", "x", "y"), _pool("p", "y", "z")],
            "yz",
            [("c", "p")],
        ),
        (
            [_conv("c", "x", "y"), _pool("p", "y", "z"), _conv("d", "y", "w")],
            "zw",
            [("c", "p"), ("d", None)],
        ),
        (
            [_conv("c", "x", "y"), _pool("p", "y", "z"), _pool("q", "y", "w")],
            "zw",
            [("c", "p"), ("q_identity", "q")],
        ),
        (
            [_conv("c", "x", "y"), _pool("p", "y", "z"), _pool("q", "z", "w")],
            "w",
            [("c", "p"), ("q_identity", "q")],
        ),
    ],
)
def test_one_pool_of_a_convolution_fuses_and_others_get_an_identity(
    layers: list[Layer], outputs: str, expected: list[tuple[str, str | None]]
) -> None:
    names = ["x", *(layer.output for layer in layers)]
    graph = lower(_graph(layers, outputs, dict.fromkeys(names, (6, 6))))
    verify(graph)
    assert _names(graph) == expected


def test_the_identity_multiplies_by_one_exactly() -> None:
    graph = lower(_graph([_pool("p", "x", "y")], "y", dict.fromkeys("xy", (6, 6))))
    identity = graph.layers[0]
    assert isinstance(identity, Conv2d)
    tensor = graph.tensors["x"]
    rq = requantization(identity, tensor, graph.tensors[identity.output])
    assert set(rq.multiplier) == {1 << 23}
    assert set(rq.shift) == {23}
    assert set(rq.bias) == {0}


def test_long_column_strides_are_split() -> None:
    sizes = {"x": (20, 20), "y": (4, 4)}
    graph = lower(_graph([_conv("c", "x", "y", stride=6, kernel=2)], "y", sizes))
    verify(graph)
    conv, pool = graph.layers
    assert isinstance(conv, Conv2d)
    assert isinstance(pool, MaxPool2d)
    assert (conv.strides, pool.kernel, pool.strides) == ((6, 3), (1, 1), (1, 2))
    assert _names(graph) == [("c", "c_subsample")]


def test_a_stride_that_is_never_taken_stays() -> None:
    sizes = {"x": (20, 5), "y": (4, 1)}
    graph = _graph([_conv("c", "x", "y", stride=6, kernel=2)], "y", sizes)
    assert lower(graph).layers == graph.layers


def _table(name: str, source: str, output: str) -> Table:
    return Table(name=name, inputs=(source,), output=output, function=apply("Sigmoid", X))


def test_tables_end_chains() -> None:
    """Behind a convolution of their own, in front of a pool; of two readers none has one."""
    sizes = dict.fromkeys("xabc", (8, 8))
    alone = [_conv("c", "x", "a"), _table("t", "a", "b"), _pool("p", "b", "c")]
    graph = lower(_graph(alone, "c", sizes))
    verify(graph)
    assert fusion_groups(graph) == (Chain(conv="c", table="t", pool="p"),)
    shared = [_conv("c", "x", "a"), _table("t", "a", "b"), _table("u", "a", "c")]
    graph = lower(_graph(shared, "bc", sizes))
    verify(graph)
    assert fusion_groups(graph) == (
        Chain(conv="c"),
        Chain(conv="t_identity", table="t"),
        Chain(conv="u_identity", table="u"),
    )


def test_a_table_behind_a_table_has_a_chain_of_its_own() -> None:
    sizes = dict.fromkeys("xabc", (8, 8))
    layers = [_conv("c", "x", "a"), _table("t", "a", "b"), _table("u", "b", "c")]
    graph = lower(_graph(layers, "c", sizes))
    assert fusion_groups(graph) == (
        Chain(conv="c", table="t"),
        Chain(conv="u_identity", table="u"),
    )


def test_all_problems_are_named() -> None:
    layers: list[Layer] = [
        _pool("wide", "x", "y", kernel=(1, 256)),
        _pool("far", "x", "z", strides=(300, 1)),
        MaxPool2d(
            name="dilated",
            inputs=("x",),
            output="w",
            kernel=(2, 2),
            strides=(1, 1),
            pads=Pads(),
            dilations=(2, 1),
        ),
    ]
    with pytest.raises(InputError) as caught:
        lower(_graph(layers, "yzw", dict.fromkeys("xyzw", (300, 300))))
    wide, far, dilated = str(caught.value).splitlines()
    assert wide.startswith("wide: max-pooling with kernel (1, 256)")
    assert far.startswith("far: max-pooling with kernel (1, 1) and strides (300, 1)")
    assert dilated == (
        "dilated: max-pooling with dilations (2, 1) is not supported; use dilations of 1"
    )


def _add(name: str, first: str, second: str, output: str) -> Add:
    return Add(name=name, inputs=(first, second), output=output)


@pytest.mark.parametrize(
    ("layers", "outputs", "expected"),
    [
        # The later of two convolutions, after all that it does not read.
        (
            [_conv("c", "x", "a"), _conv("d", "x", "b"), _add("s", "a", "b", "y")],
            "y",
            [("c",), ("d", "s")],
        ),
        (
            [
                _conv("c", "x", "a"),
                _pool("p", "x", "b"),
                _add("s", "b", "a", "y"),
                _pool("q", "y", "z", (2, 2)),
            ],
            "z",
            [("p_identity", "p"), ("c", "s", "q")],
        ),
        # What others read cannot be summed on its way.
        (
            [_conv("c", "x", "a"), _add("s", "a", "x", "y")],
            "ay",
            [("c",), ("s_identity", "s")],
        ),
        ([_add("s", "x", "x", "y")], "y", [("s_identity", "s")]),
        (
            [_conv("c", "x", "a"), _add("s", "a", "a", "y")],
            "y",
            [("c",), ("s_identity", "s")],
        ),
        # A split stride ends in a max-pooling.
        (
            [_conv("c", "x", "a", stride=6), _conv("d", "x", "b", stride=3), _pool("p", "b", "v")],
            "av",
            [("c", "c_subsample"), ("d", "p")],
        ),
    ],
)
def test_sums_go_with_a_convolution(
    layers: list[Layer], outputs: str, expected: list[tuple[str, ...]]
) -> None:
    names = ["x", *(layer.output for layer in layers)]
    sizes = dict.fromkeys(names, (6, 6))
    sizes["z"] = (5, 5)
    if any(layer.name == "c" and getattr(layer, "strides", 0) == (6, 6) for layer in layers):
        sizes = {"x": (12, 12), "a": (2, 2), "b": (4, 4), "v": (4, 4)}
    graph = lower(_graph(layers, outputs, {n: sizes[n] for n in names}))
    verify(graph)
    assert [chain.names for chain in fusion_groups(graph)] == expected


def test_a_sum_follows_a_transposed_convolution_of_few_phases() -> None:
    for stride, carried in ((4, True), (5, False)):
        conv = _conv("c", "x", "a")
        up = ConvTranspose2d(
            **{f.name: getattr(conv, f.name) for f in fields(conv)} | {"strides": (5, stride)}
        )
        sizes = {"x": (2, 2), "a": (6, stride + 1), "b": (6, stride + 1), "y": (6, stride + 1)}
        layers: list[Layer] = [up, _conv("d", "b", "e"), _add("s", "a", "b", "y")]
        sizes["e"] = sizes["b"]
        graph = _graph(layers, "ye", sizes)
        graph = replace(
            graph,
            inputs=tuple(Port(tensor=n, onnx_name=n, onnx_shape=(1, 4, *sizes[n])) for n in "xb"),
        )
        names = [chain.names for chain in fusion_groups(lower(graph))]
        assert (("c", "s") in names) is carried
        assert (("s_identity", "s") in names) is not carried


def test_sums_of_different_sizes_are_refused() -> None:
    layers: list[Layer] = [_conv("c", "x", "a", stride=4), _add("s", "x", "a", "y")]
    with pytest.raises(InputError) as caught:
        lower(_graph(layers, "y", {"x": (4, 4), "a": (1, 1), "y": (4, 4)}))
    assert str(caught.value) == (
        "s: it adds tensors of 4x4x4 and 4x1x1, and only tensors of one size can be added; "
        "repeat the smaller one in the model"
    )


def test_layers_whose_engine_is_missing_are_named() -> None:
    layers: list[Layer] = [
        _conv("first", "x", "a"),
        Add(name="sum", inputs=("x", "a"), output="b"),
        _table("silu", "b", "d"),
        Concat(name="join", inputs=("d", "a"), output="g", axis=1),
        LocalNorm(name="lrn", inputs=("g",), output="h", size=5, alpha=1, beta=1, bias=1),
    ]
    with pytest.raises(InputError) as caught:
        lower(_graph(layers, "h", dict.fromkeys("xabcdfgh", (4, 4))))
    assert str(caught.value).splitlines() == [
        (
            "join: it joins rows of tensors, and only channels are joined; join channels, or leave "
            "this layer to the host"
        ),
        "lrn: it needs an engine that normalises over channels, which is not built yet",
    ]


def _joining(scale: float) -> Graph:
    """Two 4-channel tensors joined, the input again with itself, all that with a pool of it."""
    sizes = dict.fromkeys("xyabp", (6, 6))
    layers: list[Layer] = [
        _conv("c", "x", "y"),
        Concat(name="one", inputs=("x", "y", "x"), output="a"),
        _pool("q", "a", "p"),
        Concat(name="two", inputs=("p", "a"), output="b"),
    ]
    graph = _graph(layers, "b", sizes)
    other = Quantization(scale=float(np.float32(scale)), zero_point=5)
    kinds = {"x": (4, other), "y": (4, QUANTIZATION), "b": (24, QUANTIZATION)}
    kinds |= dict.fromkeys("ap", (12, QUANTIZATION))
    tensors = {
        name: TensorType(channels=c, height=6, width=6, quantization=q)
        for name, (c, q) in kinds.items()
    }
    port = Port(tensor="b", onnx_name="b", onnx_shape=(1, 24, 6, 6))
    return replace(graph, tensors=tensors, outputs=(port,))


def test_concatenations_stay_and_rescale_what_has_another_scale() -> None:
    graph = _joining(0.31)
    lowered = lower(graph)
    verify(lowered)
    assert _names(lowered) == [("c", None), ("one_rescale", None), ("q_identity", "q")]
    joins = [layer for layer in lowered.layers if isinstance(layer, Concat)]
    rescaled = lowered.layers[1].output
    assert [join.inputs for join in joins] == [(rescaled, "y", rescaled), ("p", "a")]
    stored = [part.tensor for part in stored_parts(lowered, "b")]
    assert stored == ["p", rescaled, "y", rescaled]


@pytest.mark.parametrize("scale", [0.125, 0.31, 0.011, 1.7, 1e-9])
def test_rescaling_rounds_as_the_reference_does(scale: float) -> None:
    graph = _joining(scale)
    x = np.random.default_rng(3).integers(-128, 128, (1, 4, 6, 6)).astype(np.int8)
    expected = reference.run(graph, {"x": x})
    actual = reference.run(lower(graph), {"x": x})
    assert all(np.array_equal(actual[name], value) for name, value in expected.items())


def test_nothing_to_run_is_refused() -> None:
    with pytest.raises(InputError, match="g: there is no layer to run"):
        lower(_graph([], "x", {"x": (1, 1)}))
    join = Concat(name="join", inputs=("x",), output="y")
    with pytest.raises(InputError, match="g: there is no layer to run"):
        lower(_graph([join], "y", dict.fromkeys("xy", (1, 1))))
