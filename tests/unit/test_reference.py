# SPDX-License-Identifier: Apache-2.0
"""The golden model against the definitions, written as loops over pixels."""

import random
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray

from flexcc import reference
from flexcc.errors import InputError
from flexcc.ir.functions import X, apply
from flexcc.ir.graph import Graph, Port
from flexcc.ir.layers import (
    Add,
    ChannelAffine,
    Clamp,
    Clip,
    Conv2d,
    Convolution,
    ConvTranspose2d,
    Layer,
    MaxPool2d,
    Mul,
    PRelu,
    Reshape,
    Table,
)
from flexcc.ir.requantize import requantization, requantize
from flexcc.ir.shapes import output_shape
from flexcc.ir.types import TensorType
from flexcc.ir.verify import verify
from flexcc.reference import convolution
from tests.models import chain, random_conv, random_float_graph, random_integer_graph, tensor
from tests.networks import evaluate, random_network


def _patch(layer: Conv2d | MaxPool2d, kernel: tuple[int, int], at: tuple[int, int]) -> list[slice]:
    return [
        slice(at[i] * layer.strides[i], at[i] * layer.strides[i] + (kernel[i] - 1) * d + 1, d)
        for i, d in enumerate(layer.dilations)
    ]


def _pad(layer: Conv2d | MaxPool2d, x: NDArray[np.float64], value: float) -> NDArray[np.float64]:
    pads = layer.pads
    return np.pad(
        x, ((0, 0), (pads.top, pads.bottom), (pads.left, pads.right)), constant_values=value
    )


def _slow_transposed(
    conv: ConvTranspose2d, x: NDArray[np.float64], size: TensorType
) -> NDArray[np.float64]:
    """Adds every input pixel of one image [C,H,W] to the outputs that its kernel elements meet."""
    out = np.zeros((size.channels, size.height, size.width))
    per_group, inputs = size.channels // conv.groups, conv.weight.shape[1]
    for ky, kx, y, xx in product(*map(range, (*conv.weight.shape[2:], *x.shape[1:]))):
        row = y * conv.strides[0] + ky * conv.dilations[0] - conv.pads.top
        column = xx * conv.strides[1] + kx * conv.dilations[1] - conv.pads.left
        if 0 <= row < size.height and 0 <= column < size.width:
            for c in range(size.channels):
                first = c // per_group * inputs
                weight = conv.weight[c, :, ky, kx].astype(np.float64)
                out[c, row, column] += x[first : first + inputs, y, xx] @ weight
    return out


def _slow_conv(conv: Convolution, x: NDArray[np.float64], size: TensorType) -> NDArray[np.float64]:
    """Real or integer products of one image [C,H,W]; padding is zero."""
    if isinstance(conv, ConvTranspose2d):
        return _slow_transposed(conv, x, size)
    assert isinstance(conv, Conv2d)
    padded = _pad(conv, x, 0)
    out = np.empty((size.channels, size.height, size.width))
    per_group = size.channels // conv.groups
    for c, y, xx in product(range(size.channels), range(size.height), range(size.width)):
        first = c // per_group * conv.weight.shape[1]
        rows, columns = _patch(conv, conv.weight.shape[2:], (y, xx))
        patch = padded[first : first + conv.weight.shape[1], rows, columns]
        out[c, y, xx] = np.sum(patch * conv.weight[c].astype(np.float64))
    return out


def _slow_pool(pool: MaxPool2d, x: NDArray[np.float64], size: TensorType) -> NDArray[np.float64]:
    padded = _pad(pool, x, -np.inf)
    out = np.empty((size.channels, size.height, size.width))
    for y, xx in product(range(size.height), range(size.width)):
        rows, columns = _patch(pool, pool.kernel, (y, xx))
        out[:, y, xx] = padded[:, rows, columns].max(axis=(1, 2))
    return out


@pytest.mark.parametrize("trial", range(12))
def test_integer_graph_equals_the_definition(seed: int, trial: int) -> None:
    rng = np.random.default_rng([seed, trial])
    graph = random_integer_graph(rng, depth=3, transpose=trial % 2 == 1)
    x = rng.integers(-128, 128, (2, *_shape(graph.tensors["x"]))).astype(np.int8)
    tensors = reference.run(graph, {"x": x})
    assert tensors.keys() == graph.tensors.keys()
    for layer in graph.layers:
        source, target = graph.tensors[layer.inputs[0]], graph.tensors[layer.output]
        for image in range(2):
            values = tensors[layer.inputs[0]][image].astype(np.float64)
            if isinstance(layer, Convolution):
                assert source.quantization is not None
                centred = _slow_conv(layer, values - source.quantization.zero_point, target)
                acc = centred.astype(np.int64)
                expected = requantize(acc, requantization(layer, source, target))
                assert np.array_equal(
                    reference.accumulate(layer, source, tensors[layer.inputs[0]])[image], acc
                )
            else:
                assert isinstance(layer, MaxPool2d)
                expected = _slow_pool(layer, values, target).astype(np.int8)
            assert np.array_equal(tensors[layer.output][image], expected), layer.name


@pytest.mark.parametrize("trial", range(40))
def test_reference_equals_the_evaluation_of_random_networks(trial: int) -> None:
    graph = random_network(random.Random(trial), 3)
    verify(graph)
    values = np.random.default_rng(trial)
    shapes = {port.tensor: _shape(graph.tensors[port.tensor]) for port in graph.inputs}
    inputs = {n: values.integers(-128, 128, s).astype(np.int8) for n, s in shapes.items()}
    tensors = reference.run(graph, {name: x[None] for name, x in inputs.items()})
    for name, expected in evaluate(graph, inputs).items():
        assert np.array_equal(tensors[name][0], expected), name


@pytest.mark.parametrize("trial", range(6))
def test_float_graph_equals_the_definition(seed: int, trial: int) -> None:
    rng = np.random.default_rng([seed, trial])
    graph = random_float_graph(rng, depth=3, transpose=trial % 2 == 1)
    x = rng.normal(size=(2, *_shape(graph.tensors["x"])))
    tensors = reference.run_float(graph, {"x": x})
    for layer in graph.layers:
        target = graph.tensors[layer.output]
        for image in range(2):
            values = tensors[layer.inputs[0]][image]
            if isinstance(layer, Convolution):
                plain = _slow_conv(layer, values, target) + layer.bias[:, None, None]
                expected = np.clip(plain, layer.clamp.low, layer.clamp.high)
            else:
                assert isinstance(layer, MaxPool2d)
                expected = _slow_pool(layer, values, target)
            np.testing.assert_allclose(tensors[layer.output][image], expected, atol=1e-12)


@pytest.mark.parametrize("budget", [1, 5000, 60000])
@pytest.mark.parametrize("transpose", [False, True])
def test_chunks_change_nothing(
    seed: int, budget: int, transpose: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(seed)
    graph = random_integer_graph(rng, depth=4, transpose=transpose)
    x = rng.integers(-128, 128, (5, *_shape(graph.tensors["x"]))).astype(np.int8)
    whole = reference.run(graph, {"x": x})
    monkeypatch.setattr(convolution, "CHUNK_BYTES", budget)
    pieces = reference.run(graph, {"x": x})
    assert all(np.array_equal(whole[name], pieces[name]) for name in whole)


def test_sums_beyond_24_bits_stay_exact() -> None:
    # 4095 * 127 * 127 is odd and beyond 2^24, where float32 counts in steps of four.
    source, target = tensor(4095, 1, 1, 1.0), tensor(1, 1, 1, 1.0)
    conv = replace(
        random_conv(np.random.default_rng(0), "c", ("x", source), channels=1, kernel=(1, 1)),
        weight=np.full((1, 4095, 1, 1), 127, np.int8),
        weight_scale=np.ones(1, np.float32),
        bias=np.zeros(1, np.int32),
    )
    x = np.full((1, 4095, 1, 1), 127, np.int8)
    assert reference.accumulate(conv, source, x).item() == 4095 * 127 * 127
    assert reference.run_layer(conv, [source], target, [x]).item() == 127


def test_accumulator_beyond_32_bits_is_refused() -> None:
    source = tensor(1 << 17, 1, 1, 1.0)
    conv = replace(
        random_conv(np.random.default_rng(0), "c", ("x", source), channels=1, kernel=(1, 1)),
        weight=np.full((1, 1 << 17, 1, 1), -128, np.int8),
        weight_scale=np.ones(1, np.float32),
        bias=np.zeros(1, np.int32),
    )
    with pytest.raises(InputError, match="c: the accumulator of channel 0"):
        reference.accumulate(conv, source, np.zeros((1, 1 << 17, 1, 1), np.int8))


def test_source_layers_run_in_float() -> None:
    layers = [
        ChannelAffine(
            name="a",
            inputs=("x",),
            output="a_out",
            scale=np.array([1.0, -2.0]),
            offset=np.array([0.5, 1.0]),
        ),
        Clip(name="r", inputs=("a_out",), output="y", clamp=Clamp(low=0.0, high=3.0)),
    ]
    x = np.array([[[1.0, -1.0]], [[1.0, -1.0]]])[None]
    graph = chain(tensor(2, 1, 2), layers)
    assert reference.run_float(graph, {"x": x})["y"].tolist() == [[[[1.5, 0]], [[0, 3.0]]]]
    flat = replace(
        chain(tensor(2, 1, 2), [Reshape(name="f", inputs=("x",), output="y")]),
        tensors={"x": tensor(2, 1, 2), "y": tensor(4, 1, 1)},
    )
    result = reference.run_float(flat, {"x": x})["y"]
    assert result.shape == (1, 4, 1, 1)
    assert result.ravel().tolist() == [1, -1, 1, -1]
    with pytest.raises(TypeError, match="r: the integer reference does not run Clip"):
        reference.run_layer(
            layers[1],
            [tensor(2, 1, 2, 1.0)],
            tensor(2, 1, 2, 1.0),
            [np.zeros((1, 2, 1, 2), np.int8)],
        )


def test_wrong_inputs_are_refused(seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = random_integer_graph(rng)
    shape = _shape(graph.tensors["x"])
    with pytest.raises(ValueError, match=r"the inputs are \['x'\], not \['y'\]"):
        reference.run(graph, {"y": np.zeros((1, *shape), np.int8)})
    with pytest.raises(ValueError, match=r"%x is uint8.* not int8"):
        reference.run(graph, {"x": np.zeros((1, *shape), np.uint8)})
    with pytest.raises(ValueError, match="%x is int8"):
        reference.run(graph, {"x": np.zeros((1, *shape[1:]), np.int8)})


def _shape(size: TensorType) -> tuple[int, int, int]:
    return size.channels, size.height, size.width


def test_operands_of_size_one_are_repeated() -> None:
    x = np.arange(-6, 6).reshape(1, 2, 3, 2).astype(np.float64)
    gate = np.array([2.0, -3.0]).reshape(1, 2, 1, 1)
    types = {"x": tensor(2, 3, 2), "g": tensor(2, 1, 1)}
    mul = Mul(name="m", inputs=("g", "x"), output="y", clamp=Clamp(high=8.0))
    less = Add(name="a", inputs=("y", "g"), output="z", subtract=True)
    flat = Table(name="t", inputs=("z",), output="t", function=apply("Abs", X))
    bend = PRelu(name="p", inputs=("z",), output="p", slope=np.array([0.5, 2], np.float32))
    layers: list[Layer] = [mul, less, flat, bend]
    for layer in layers:
        sources = [types[name] for name in layer.inputs]
        types[layer.output] = tensor(*output_shape(layer, sources, sources[0]))
    ports = [_port(name, types[name]) for name in ("x", "g", "t", "p")]
    graph = Graph(
        name="net",
        inputs=tuple(ports[:2]),
        outputs=tuple(ports[2:]),
        tensors=types,
        layers=tuple(layers),
    )
    verify(graph)
    tensors = reference.run_float(graph, {"x": x, "g": gate})
    product = np.minimum(x * gate, 8)
    assert np.array_equal(tensors["y"], product)
    assert np.array_equal(tensors["t"], np.abs(product - gate))
    z = product - gate
    factor = np.array([0.5, 2.0]).reshape(1, 2, 1, 1)
    assert np.array_equal(tensors["p"], np.where(z < 0, z * factor, z))


def _port(name: str, size: TensorType) -> Port:
    return Port(tensor=name, onnx_name=name, onnx_shape=(1, *_shape(size)))
