# SPDX-License-Identifier: Apache-2.0
"""The zero-inserting graph computes the same bytes, without a dilated or transposed layer."""

import random
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from flexcc import reference
from flexcc.dse.insert_zeros import insert_zeros, stuff, stuff_inputs
from flexcc.errors import InputError
from flexcc.ir.graph import Graph
from flexcc.ir.layers import Conv2d, Convolution, ConvTranspose2d, MaxPool2d, Pads
from flexcc.ir.verify import verify
from tests.models import chain, tensor, transposed
from tests.networks import random_network


def _inputs(graph: Graph, seed: int) -> dict[str, NDArray[np.int8]]:
    rng = np.random.default_rng(seed)
    types = {port.tensor: graph.tensors[port.tensor] for port in graph.inputs}
    return {
        name: rng.integers(-128, 128, (2, t.channels, t.height, t.width), np.int8)
        for name, t in types.items()
    }


def _within_reach(layer: Convolution | MaxPool2d) -> bool:
    if not isinstance(layer, ConvTranspose2d):
        return True
    pads = layer.pads
    sides = ((pads.top, pads.bottom), (pads.left, pads.right))
    return all(
        max(both) <= (k - 1) * d
        for both, k, d in zip(sides, layer.weight.shape[2:], layer.dilations, strict=True)
    )


def _is_stuffing(layer: object) -> bool:
    return isinstance(layer, ConvTranspose2d) and layer.name.endswith("_zeros")


@pytest.mark.parametrize("seed", range(60))
def test_every_tensor_stays(seed: int) -> None:
    """Dense, grouped, strided, dilated, transposed, with output padding, inner and at the input."""
    rng = random.Random(seed)
    graph = random_network(rng, 4)
    while not all(map(_within_reach, graph.layers)):  # type: ignore[arg-type]
        graph = random_network(rng, 4)
    rewritten = insert_zeros(graph)
    verify(rewritten)
    assert rewritten.inputs == graph.inputs
    assert rewritten.outputs == graph.outputs
    for layer in rewritten.layers:
        if isinstance(layer, Convolution) and not _is_stuffing(layer):
            assert isinstance(layer, Conv2d)
            assert layer.dilations == (1, 1)
    inputs = _inputs(graph, seed)
    expected, actual = reference.run(graph, inputs), reference.run(rewritten, inputs)
    for name, values in expected.items():
        np.testing.assert_array_equal(actual[name], values, err_msg=name)


def _net(*layers: Convolution | MaxPool2d) -> Graph:
    """An integer chain from 3 channels of 6x7 pixels at one scale and zero point."""
    graph = chain(tensor(3, 6, 7), layers)
    quantization = tensor(1, 1, 1, scale=0.5, zero_point=-5).quantization
    tensors = {name: replace(t, quantization=quantization) for name, t in graph.tensors.items()}
    return replace(graph, tensors=tensors)


def _conv(name: str, source: str, kernel: tuple[int, int] = (3, 3), **others: object) -> Conv2d:
    weight = np.arange(1, 3 * 3 * kernel[0] * kernel[1] + 1, dtype=np.int8)
    conv = Conv2d(
        name=name,
        inputs=(source,),
        output=f"{name}_out",
        weight=weight.reshape(3, 3, *kernel),
        weight_scale=np.full(3, 0.01, np.float32),
        bias=np.arange(3, dtype=np.int32),
    )
    return replace(conv, **others)  # type: ignore[arg-type]


def test_a_dilated_kernel_is_filled_with_zeros() -> None:
    graph = _net(_conv("d", "x", (2, 3), dilations=(3, 2), strides=(1, 2)))
    (layer,) = insert_zeros(graph).layers
    assert isinstance(layer, Conv2d)
    assert layer.weight.shape == (3, 3, 4, 5)
    assert layer.weight[0, 0].tolist() == [
        [1, 0, 2, 0, 3],
        [0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0],
        [4, 0, 5, 0, 6],
    ]
    assert (layer.strides, layer.dilations) == ((1, 2), (1, 1))


def test_a_transposed_kernel_is_turned_and_its_pads_complete_its_reach() -> None:
    pads = Pads(top=1, left=0, bottom=0, right=2)
    conv = _conv("t", "x", (2, 3), strides=(3, 2), dilations=(1, 2), pads=pads)
    graph = _net(transposed(conv, (2, 1)))
    stuffing, layer = insert_zeros(graph).layers
    assert isinstance(stuffing, ConvTranspose2d)
    assert stuffing.weight.shape == (3, 1, 1, 1)
    assert (stuffing.name, stuffing.output) == ("x_stuffed_3x2_zeros", "x_stuffed_3x2")
    assert (stuffing.strides, stuffing.groups) == ((3, 2), 3)
    assert isinstance(layer, Conv2d)
    assert (layer.name, layer.inputs, layer.output) == ("t", ("x_stuffed_3x2",), "t_out")
    assert layer.weight[0, 0].tolist() == [[6, 0, 5, 0, 4], [3, 0, 2, 0, 1]]
    assert layer.pads == Pads(top=0, left=4, bottom=3, right=3)
    assert (layer.strides, layer.dilations) == ((1, 1), (1, 1))


def test_other_layers_stay() -> None:
    pool = MaxPool2d(name="p", inputs=("c_out",), output="y", kernel=(2, 2), strides=(2, 2))
    graph = _net(_conv("c", "x", strides=(2, 2)), pool)
    assert insert_zeros(graph).layers == graph.layers


def test_a_transposed_layer_of_stride_one_needs_no_stuffing() -> None:
    (layer,) = insert_zeros(_net(transposed(_conv("t", "x")))).layers
    assert isinstance(layer, Conv2d)
    assert layer.inputs == ("x",)


def test_readers_of_one_stride_share_the_stuffed_tensor() -> None:
    """And names that are taken get a number."""
    first = transposed(_conv("x_stuffed_2x2", "x", strides=(2, 2)))
    second = replace(first, name="b", output="b_out")
    third = replace(first, name="c", output="c_out", strides=(2, 3))
    graph = _net(first, second, third)
    layers = insert_zeros(graph).layers
    assert [(layer.name, layer.inputs[0]) for layer in layers] == [
        ("x_stuffed_2x2_2_zeros", "x"),
        ("x_stuffed_2x2", "x_stuffed_2x2_2"),
        ("b", "x_stuffed_2x2_2"),
        ("x_stuffed_2x3_zeros", "x"),
        ("c", "x_stuffed_2x3"),
    ]


def test_inputs_may_come_stuffed() -> None:
    conv = _conv("t", "x", strides=(2, 3), pads=Pads(top=1, left=1, bottom=1, right=1))
    graph = _net(transposed(conv), _conv("d", "t_out", dilations=(2, 2)))
    rewritten = stuff_inputs(insert_zeros(graph))
    verify(rewritten)
    (port,) = rewritten.inputs
    assert (port.tensor, port.onnx_name, port.onnx_shape) == ("x_stuffed_2x3", "x", (1, 3, 11, 19))
    assert [layer.name for layer in rewritten.layers] == ["t", "d"]
    inputs = _inputs(graph, 0)
    expected = reference.run(graph, inputs)["d_out"]
    actual = reference.run(rewritten, {port.tensor: stuff(inputs["x"], (2, 3), -5)})["d_out"]
    np.testing.assert_array_equal(actual, expected)


def test_inputs_that_others_read_stay() -> None:
    conv = _conv("t", "x", strides=(2, 2))
    both = replace(_net(transposed(conv)), layers=(transposed(conv), _conv("c", "x")))
    tensors = {**both.tensors, "c_out": replace(both.tensors["x"], height=4, width=5)}
    graph = insert_zeros(replace(both, tensors=tensors))
    assert stuff_inputs(graph).layers == graph.layers
    assert stuff_inputs(graph).inputs == graph.inputs


def test_stuffing_keeps_pixels_apart() -> None:
    values = np.array([[[1, 2, 3], [4, 5, 6]]], np.int8)
    assert stuff(values, (3, 2), -9).tolist() == [
        [
            [1, -9, 2, -9, 3],
            [-9, -9, -9, -9, -9],
            [-9, -9, -9, -9, -9],
            [4, -9, 5, -9, 6],
        ]
    ]


def test_pads_beyond_the_reach_are_refused_by_name() -> None:
    pads = Pads(top=1, left=3, bottom=0, right=0)
    far = transposed(_conv("far", "x", strides=(2, 2), pads=pads))
    near = transposed(_conv("near", "far_out", (1, 1), pads=Pads(bottom=1)), (1, 0))
    one = transposed(_conv("one", "near_out", (1, 1), strides=(2, 2), pads=Pads(top=1)))
    with pytest.raises(InputError) as caught:
        insert_zeros(_net(far, near, one))
    far_text, one_text = str(caught.value).splitlines()
    assert far_text == (
        "far: pads (1, 3, 0, 0) exceed the reach (2, 2) of its kernel, so that no convolution of "
        "stride 1 equals it; compile it without inserting zeros"
    )
    assert one_text.startswith("one: pads (1, 0, 0, 0) exceed the reach (0, 0) of its kernel")
