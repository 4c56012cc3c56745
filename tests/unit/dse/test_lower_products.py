# SPDX-License-Identifier: Apache-2.0
"""Products and maxima over channels as convolutions: the same integers; the rest is refused."""

import random

import numpy as np
import pytest

from flexcc import reference
from flexcc.dse.lower import fusion_groups, lower
from flexcc.dse.lower_products import lower_products
from flexcc.errors import InputError
from flexcc.ir.graph import Graph, Port
from flexcc.ir.layers import ChannelMax, Clamp, Concat, Conv2d, Layer, Mul
from flexcc.ir.types import Quantization, TensorType
from flexcc.ir.verify import verify

_SIZE = (16, 16)


def _scale(value: float, zero_point: int) -> Quantization:
    return Quantization(scale=float(np.float32(value)), zero_point=zero_point)


def _graph(layer: Layer, *types: TensorType) -> Graph:
    """A layer of its inputs and its output."""
    names = (*dict.fromkeys(layer.inputs), layer.output)
    tensors = dict(zip(names, types, strict=True))
    ports = {
        name: Port(tensor=name, onnx_name=name, onnx_shape=(1, t.channels, t.height, t.width))
        for name, t in tensors.items()
    }
    *inputs, output = ports.values()
    return Graph(
        name="net", inputs=tuple(inputs), outputs=(output,), tensors=tensors, layers=(layer,)
    )


def _type(channels: int, quantization: Quantization, size: tuple[int, int] = _SIZE) -> TensorType:
    return TensorType(channels=channels, height=size[0], width=size[1], quantization=quantization)


def _assert_equal(graph: Graph, seed: int) -> Graph:
    """The lowered graph, which computes the same from random inputs."""
    rng = np.random.default_rng(seed)
    inputs = {}
    for port in graph.inputs:
        own = graph.tensors[port.tensor]
        shape = (2, own.channels, own.height, own.width)
        inputs[port.tensor] = rng.integers(-128, 128, shape, np.int8)
    lowered = lower(lower_products(graph))
    verify(lowered)
    (output,) = graph.outputs
    expected = reference.run(graph, inputs)[output.tensor]
    np.testing.assert_array_equal(reference.run(lowered, inputs)[output.tensor], expected)
    assert expected.min() < expected.max()
    return lowered


@pytest.mark.parametrize("channels", [1, 2, 3, 5, 8, 19, 128])
@pytest.mark.parametrize("zero_point", [-128, 7, 127])
def test_a_maximum_is_a_tree_of_convolutions(channels: int, zero_point: int) -> None:
    quantization = _scale(0.07, zero_point)
    graph = _graph(
        ChannelMax(name="max", inputs=("x",), output="y"),
        _type(channels, quantization),
        _type(1, quantization),
    )
    lowered = _assert_equal(graph, channels)
    levels = (channels - 1).bit_length()
    assert [len(chain.names) for chain in fusion_groups(lowered)] == [1] * (levels + 1)


def test_every_product_of_two_bytes() -> None:
    """Columns hold all bytes of the one operand, rows those of the other."""
    size = (256, 256)
    for zero_points in ((-128, -128), (0, -128), (127, -128), (-128, 127), (3, -7)):
        first, second = (_scale(0.01 * (i + 1), z) for i, z in enumerate(zero_points))
        graph = _graph(
            Mul(name="mul", inputs=("a", "b"), output="y"),
            _type(1, first, size),
            _type(1, second, size),
            _type(1, _scale(0.03, -5), size),
        )
        every = np.arange(-128, 128).astype(np.int8)
        inputs = {"a": np.tile(every, (256, 1))[None, None]}
        inputs["b"] = inputs["a"].swapaxes(2, 3)
        expected = reference.run(graph, inputs)["y"]
        found = reference.run(lower(lower_products(graph)), inputs)["y"]
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("seed", range(12))
def test_products_of_random_scales(seed: int) -> None:
    rng = random.Random(seed)
    channels = rng.choice([2, 5, 9])
    one, other = rng.choice([(channels, 1), (1, channels), (channels, channels)])
    scales = [
        _scale(rng.uniform(0.001, 0.1), zero_point)
        for zero_point in (rng.choice([-128, 127, 0]), rng.randint(-100, 100))
    ]
    clamp = rng.choice([Clamp(), Clamp(low=0.0), Clamp(low=-0.5, high=0.5)])
    graph = _graph(
        Mul(name="mul", inputs=("a", "b"), output="y", clamp=clamp),
        _type(one, scales[0]),
        _type(other, scales[1]),
        _type(channels, _scale(scales[0].scale * scales[1].scale * 90, rng.randint(-60, 60))),
    )
    _assert_equal(graph, seed)


def test_a_square() -> None:
    graph = _graph(
        Mul(name="mul", inputs=("a", "a"), output="y"),
        _type(3, _scale(0.02, 11)),
        _type(3, _scale(0.03, -128)),
    )
    lowered = _assert_equal(graph, 1)
    assert all(isinstance(layer, Conv2d | Concat) for layer in lowered.layers)


def test_pixels_are_not_repeated() -> None:
    graph = _graph(
        Mul(name="gate", inputs=("a", "b"), output="y"),
        _type(4, _scale(0.02, 0)),
        _type(4, _scale(0.02, 0), (1, 1)),
        _type(4, _scale(0.02, 0)),
    )
    with pytest.raises(InputError) as caught:
        lower(lower_products(graph))
    assert str(caught.value) == (
        "gate: it multiplies tensors of 4x16x16 and 4x1x1, and only tensors of one height and "
        "width can be multiplied; repeat the smaller one in the model"
    )
