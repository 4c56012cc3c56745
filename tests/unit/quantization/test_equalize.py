# SPDX-License-Identifier: Apache-2.0
"""Equalisation: exact in real numbers, closer in integers, and where it must not touch anything."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from flexcc import reference
from flexcc.frontend.observe import observe
from flexcc.ir.graph import Graph, Port
from flexcc.ir.layers import Add, Clamp, Concat, Conv2d, Convolution, MaxPool2d
from flexcc.ir.verify import verify
from flexcc.quantization import QuantizationOptions, quantize
from flexcc.quantization.equalize import equalize
from flexcc.quantization.statistics import collect
from tests.mixed_networks import mixed_network
from tests.models import chain, random_conv, random_float_graph, tensor, transposed
from tests.quantization import run_on_reals

RELU = Clamp(low=0.0)


def _equalized(graph: Graph, samples: dict[str, NDArray[np.float32]]) -> Graph:
    result = equalize(graph, collect(observe(graph, samples), histograms=False))
    verify(result)
    return result


def _changed(graph: Graph, samples: dict[str, NDArray[np.float32]]) -> list[str]:
    pairs = zip(graph.layers, _equalized(graph, samples).layers, strict=True)
    return [
        before.name
        for before, after in pairs
        if isinstance(before, Convolution)
        and isinstance(after, Convolution)
        and not np.array_equal(before.weight, after.weight)
    ]


def _samples(graph: Graph, rng: np.random.Generator) -> dict[str, NDArray[np.float32]]:
    return {
        port.tensor: rng.normal(size=(3, *port.onnx_shape[1:])).astype(np.float32)
        for port in graph.inputs
    }


@pytest.mark.parametrize("trial", range(12))
def test_outputs_stay_what_they_are(seed: int, trial: int) -> None:
    rng = np.random.default_rng([seed, trial])
    graph = (
        mixed_network(rng, 8) if trial % 2 else random_float_graph(rng, 6, transpose=trial % 4 == 0)
    )
    samples = _samples(graph, rng)
    before = reference.run_float(graph, samples)
    after = reference.run_float(_equalized(graph, samples), samples)
    for port in graph.outputs:
        expected = before[port.tensor]
        scale = np.abs(expected).max() + 1e-6
        assert np.abs(after[port.tensor] - expected).max() < 1e-5 * scale


def _uneven(rng: np.random.Generator, *, depthwise: bool) -> Graph:
    """A network whose inner tensors have channels of ranges from 1 to 1,000."""
    source = tensor(8, 10, 10)
    first = random_conv(rng, "a", ("x", source), channels=8, kernel=(1, 1), clamp=RELU)
    groups = 8 if depthwise else 1
    second = random_conv(rng, "b", ("a_out", source), channels=8, kernel=(3, 3), groups=groups)
    factors = np.logspace(0, 3, 8).astype(np.float32)
    first = replace(
        first, weight=first.weight * factors[:, None, None, None], bias=first.bias * factors
    )
    shape = (-1, 1, 1, 1) if depthwise else (1, -1, 1, 1)
    second = replace(second, weight=(second.weight / factors.reshape(shape)).astype(np.float32))
    return chain(source, [first, second])


@pytest.mark.parametrize("depthwise", [False, True])
def test_uneven_channels_lose_less(seed: int, depthwise: bool) -> None:
    rng = np.random.default_rng(seed)
    graph = _uneven(rng, depthwise=depthwise)
    samples = _samples(graph, rng)
    real = reference.run_float(graph, samples)[graph.outputs[0].tensor]
    noise = {}
    for on in (False, True):
        integer = quantize(graph, samples, QuantizationOptions(equalize=on)).graph
        result = run_on_reals(integer, dict(samples))[integer.outputs[0].tensor]
        noise[on] = float(np.square(result - real).mean())
    assert noise[True] < noise[False] / 10


def _pair(rng: np.random.Generator, clamp: Clamp) -> tuple[Conv2d, Conv2d]:
    source = tensor(4, 6, 6)
    return (
        random_conv(rng, "a", ("x", source), channels=4, kernel=(1, 1), clamp=clamp),
        random_conv(rng, "b", ("a_out", source), channels=4, kernel=(1, 1)),
    )


def test_links_reach_through_pools_and_into_transposed_layers(seed: int) -> None:
    rng = np.random.default_rng(seed)
    first, second = _pair(rng, RELU)
    pool = MaxPool2d(name="p", inputs=("a_out",), output="p_out", kernel=(2, 2), strides=(2, 2))
    graph = chain(tensor(4, 6, 6), [first, pool, transposed(replace(second, inputs=("p_out",)))])
    assert _changed(graph, _samples(graph, rng)) == ["a", "b"]


def test_links_reach_through_concatenation(seed: int) -> None:
    """Each writer's channels find the weights that read them behind both of its readers."""
    rng = np.random.default_rng(seed)
    source = tensor(4, 6, 6)
    left = random_conv(rng, "l", ("x", source), channels=3, kernel=(1, 1), clamp=RELU)
    right = random_conv(rng, "r", ("x", source), channels=5, kernel=(1, 1))
    joined = Concat(name="j", inputs=("l_out", "r_out"), output="j_out")
    reader = random_conv(rng, "b", ("j_out", tensor(8, 6, 6)), channels=8, kernel=(3, 3), groups=8)
    other = random_conv(rng, "o", ("l_out", tensor(3, 6, 6)), channels=2, kernel=(1, 1))
    types = {
        "x": source,
        "l_out": tensor(3, 6, 6),
        "r_out": tensor(5, 6, 6),
        "j_out": tensor(8, 6, 6),
        "b_out": tensor(8, 4, 4),
        "o_out": tensor(2, 6, 6),
    }
    outputs = tuple(
        Port(tensor=name, onnx_name=name, onnx_shape=(1, *shape))
        for name, shape in (("b_out", (8, 4, 4)), ("o_out", (2, 6, 6)))
    )
    graph = replace(
        chain(source, [left]),
        layers=(left, right, joined, reader, other),
        tensors=types,
        outputs=outputs,
    )
    samples = _samples(graph, rng)
    assert _changed(graph, samples) == ["l", "r", "b", "o"]
    before = reference.run_float(graph, samples)
    equalized = _equalized(graph, samples)
    after = reference.run_float(equalized, samples)
    for port in outputs:
        assert after[port.tensor] == pytest.approx(before[port.tensor], abs=1e-5)
    # Its one reader with a scale per channel does not mind: all channels of r reach as far as any.
    reach = np.abs(after["j_out"]).max(axis=(0, 2, 3))
    assert reach[3:] == pytest.approx(reach.max(), rel=1e-4)


@pytest.mark.parametrize(
    ("clamp", "names"),
    [
        (Clamp(), ["a", "b"]),
        (RELU, ["a", "b"]),
        (Clamp(low=0.0, high=6.0), []),
        (Clamp(low=-1.0), []),
    ],
)
def test_clips_that_do_not_scale_stop_it(seed: int, clamp: Clamp, names: list[str]) -> None:
    rng = np.random.default_rng(seed)
    graph = chain(tensor(4, 6, 6), list(_pair(rng, clamp)))
    assert _changed(graph, _samples(graph, rng)) == names


def test_outputs_and_other_readers_stop_it(seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = chain(tensor(4, 6, 6), list(_pair(rng, RELU)))
    shown = Port(tensor="a_out", onnx_name="shown", onnx_shape=(1, 4, 6, 6))
    assert _changed(replace(graph, outputs=(*graph.outputs, shown)), _samples(graph, rng)) == []
    add = Add(name="s", inputs=("b_out", "a_out"), output="s_out")
    summed = replace(
        graph,
        layers=(*graph.layers, add),
        tensors={**graph.tensors, "s_out": tensor(4, 6, 6)},
        outputs=(replace(shown, tensor="s_out"),),
    )
    assert _changed(summed, _samples(graph, rng)) == []


def test_dead_channels_are_not_blown_up(seed: int) -> None:
    rng = np.random.default_rng(seed)
    first, second = _pair(rng, RELU)
    weight, bias = first.weight.astype(np.float32), first.bias.astype(np.float32)
    weight[1], bias[1] = 0, 0
    weight[2], bias[2] = 0, -3
    graph = chain(tensor(4, 6, 6), [replace(first, weight=weight, bias=bias), second])
    samples = _samples(graph, rng)
    after = _equalized(graph, samples)
    for layer in after.layers:
        assert isinstance(layer, Conv2d)
        assert np.isfinite(layer.weight).all()
        assert np.abs(layer.weight).max() < 2**11
    silent = {name: np.zeros_like(array) for name, array in samples.items()}
    dead = replace(first, weight=0 * first.weight, bias=0 * first.bias)
    graph = chain(tensor(4, 6, 6), [dead, second])
    assert _changed(graph, silent) == []
