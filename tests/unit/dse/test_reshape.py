# SPDX-License-Identifier: Apache-2.0
"""Reshaped networks are equal to what they were, and cheaper by the figures named here."""

import random
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from flexcc import reference
from flexcc.backend.image import expected_image, first_difference, initial_image, read_tensor
from flexcc.backend.interpreter import interpret
from flexcc.backend.planner import build_plan
from flexcc.dse.layer_cost import ArrayModel, layer_cost
from flexcc.dse.lower import fusion_groups, lower
from flexcc.dse.reshape import Reshape, reshape
from flexcc.dse.solver import explore
from flexcc.ir.graph import Graph, Port
from flexcc.ir.layers import Conv2d, Convolution, Layer, MaxPool2d, Pads
from flexcc.ir.printer import print_graph, print_packing
from flexcc.ir.shapes import output_shape
from flexcc.ir.types import Quantization, TensorType
from flexcc.targets.device import load_device
from tests.models import transposed
from tests.networks import evaluate, random_network

QUANTIZATION = Quantization(scale=0.0625, zero_point=7)
EVERY = tuple(Reshape)
Spec = tuple[str, int, int, int]
"""Kind (conv, transposed or pool), output channels, kernel and stride of a layer."""


def _array(m: int, p: int, n: int, *, q: int | None = None) -> ArrayModel:
    return ArrayModel(m=m, p=p, n=n, drain_cycles=m // (q or min(m, n)), beat_bytes=64)


def _layer(name: str, source: str, inputs: int, spec: Spec) -> Layer:
    """A layer that keeps the size of its input, or divides or multiplies it by its stride."""
    kind, outputs, kernel, stride = spec
    before = (kernel - 1) // 2 if stride == 1 else max(0, kernel - stride) // 2
    pads = Pads(top=before, left=before, bottom=before, right=before)
    if stride > 1 and (kernel - stride) % 2:
        pads = replace(pads, bottom=before + 1, right=before + 1)
    if kind == "pool":
        return MaxPool2d(
            name=name,
            inputs=(source,),
            output=f"{name}_out",
            kernel=(kernel, kernel),
            strides=(stride, stride),
            pads=pads,
        )
    rng = np.random.default_rng(outputs * 100 + kernel)
    shape = (outputs, inputs, kernel, kernel)
    conv = Conv2d(
        name=name,
        inputs=(source,),
        output=f"{name}_out",
        weight=rng.integers(-128, 128, shape).astype(np.int8),
        weight_scale=np.full(outputs, 0.01 / np.sqrt(inputs * kernel**2), np.float32),
        bias=rng.integers(-99, 99, outputs).astype(np.int32),
        strides=(stride, stride),
        pads=pads,
    )
    return transposed(conv) if kind == "transposed" else conv


def _chain(channels: int, size: int, **specs: Spec) -> Graph:
    """A chain of layers over an image of `size` x `size` pixels."""
    source = "x"
    tensors = {source: _tensor(channels, size, size)}
    layers = []
    for name, spec in specs.items():
        layer = _layer(name, source, tensors[source].channels, spec)
        shape = output_shape(layer, [tensors[source]], tensors[source])
        tensors[layer.output] = _tensor(*shape)
        layers.append(layer)
        source = layer.output
    ports = [_port(tensors, name) for name in ("x", source)]
    return Graph(
        name="chain",
        inputs=(ports[0],),
        outputs=(ports[1],),
        tensors=tensors,
        layers=tuple(layers),
    )


def _tensor(channels: int, height: int, width: int) -> TensorType:
    return TensorType(channels=channels, height=height, width=width, quantization=QUANTIZATION)


def _port(tensors: dict[str, TensorType], tensor: str) -> Port:
    type_ = tensors[tensor]
    shape = (1, type_.channels, type_.height, type_.width)
    return Port(tensor=tensor, onnx_name=tensor, onnx_shape=shape)


DECODER: dict[str, Spec] = {
    "c1": ("conv", 4, 1, 1),
    "t2": ("transposed", 4, 3, 2),
    "c3": ("conv", 16, 1, 1),
    "d1": ("conv", 4, 1, 1),
    "d2": ("conv", 4, 3, 1),
    "d3": ("conv", 16, 1, 1),
    "full": ("transposed", 3, 2, 2),
}
"""The last blocks of E-Net, without its sums."""


def _inputs(graph: Graph, seed: int) -> dict[str, NDArray[np.int8]]:
    """An image [1, C, H, W] for each input, by ONNX name."""
    rng = np.random.default_rng(seed)
    types = {port.onnx_name: graph.tensors[port.tensor].unpacked for port in graph.inputs}
    return {
        name: rng.integers(-128, 128, (1, t.channels, t.height, t.width)).astype(np.int8)
        for name, t in types.items()
    }


def _assert_equal(graph: Graph, reshaped: Graph, seed: int) -> None:
    """Every tensor of `graph` is in `reshaped` as its packing says."""
    inputs = _inputs(graph, seed)
    before = reference.run(graph, graph.pack_inputs(inputs))
    after = reference.run(reshaped, reshaped.pack_inputs(inputs))
    for name in graph.tensors:
        wanted = reshaped.tensors[name].pack(before[name])
        np.testing.assert_array_equal(after[name], wanted, err_msg=name)


def _costs(graph: Graph, array: ArrayModel) -> dict[str, float]:
    return {
        layer.name: layer_cost(
            layer, graph.tensors[layer.inputs[0]], graph.tensors[layer.output], array, stored=True
        ).cycles
        for layer in graph.layers
        if isinstance(layer, Convolution)
    }


@pytest.mark.parametrize("seed", range(60))
def test_random_networks_stay_equal(seed: int) -> None:
    rng = random.Random(seed)
    graph = random_network(rng, rng.randint(1, 5), most_channels=rng.choice([4, 12]))
    array = _array(rng.choice([4, 8, 16, 32]), rng.choice([1, 3, 4, 8]), rng.choice([8, 16, 32]))
    reshaped = reshape(graph, array, EVERY)
    assert [layer.name for layer in reshaped.layers] == [layer.name for layer in graph.layers]
    assert sum(_costs(reshaped, array).values()) <= sum(_costs(graph, array).values())
    _assert_equal(graph, reshaped, seed)


def test_random_networks_are_reshaped() -> None:
    """The seeds above have inner blocks, folded inputs and packed outputs, and none of them."""
    kinds = set()
    for seed in range(60):
        rng = random.Random(seed)
        graph = random_network(rng, rng.randint(1, 5), most_channels=rng.choice([4, 12]))
        array = _array(
            rng.choice([4, 8, 16, 32]), rng.choice([1, 3, 4, 8]), rng.choice([8, 16, 32])
        )
        reshaped = reshape(graph, array, EVERY)
        packed = {name for name, type_ in reshaped.tensors.items() if type_.packing is not None}
        ports = {port.tensor for port in reshaped.inputs}
        ends = {port.tensor for port in reshaped.outputs}
        kinds |= {
            name
            for name, found in (
                ("none", not packed),
                ("input", packed & ports),
                ("inner", packed - ports - ends),
                ("output", packed & ends),
            )
            if found
        }
    assert kinds == {"none", "input", "inner", "output"}


@pytest.mark.parametrize(
    ("graph", "array", "before", "after"),
    [
        # U-Net's first layer: 3 channels x 5 columns fill 15 of 16 lanes.
        (_chain(3, 256, c=("conv", 32, 5, 1)), _array(8, 8, 16, q=4), 819200, 163840),
        # E-Net's first layer: 3 x 3 x 3 fill 27 lanes of two steps.
        (_chain(3, 288, c=("conv", 13, 3, 2)), _array(16, 4, 16), 46656, 10368),
        # ResNet's: 147 products in 20 steps of 8 lanes, not 49 of 3; columns lose the stride.
        (_chain(3, 224, c=("conv", 64, 7, 2)), _array(32, 7, 8), 175616, 71680),
        # OpenPose's on 8 lanes, and VGG's on 16.
        (_chain(3, 384, c=("conv", 16, 3, 2)), _array(8, 16, 8), 41472, 18432),
        (_chain(3, 224, c=("conv", 64, 3, 1)), _array(8, 14, 16), 258048, 57344),
    ],
)
def test_folded_first_layers(graph: Graph, array: ArrayModel, before: int, after: int) -> None:
    reshaped = reshape(graph, array, [Reshape.FOLD_KERNEL])
    assert sum(_costs(graph, array).values()) == before
    assert sum(_costs(reshaped, array).values()) == after
    _assert_equal(graph, reshaped, 1)


def test_e_nets_decoder_in_blocks() -> None:
    array, graph = _array(16, 4, 16), _chain(64, 72, **DECODER)
    reshaped = reshape(graph, array, [Reshape.SPACE_TO_DEPTH])
    assert _costs(graph, array) == {
        "c1": 5184,
        "t2": 11664,
        "c3": 5184,
        "d1": 5184,
        "d2": 46656,
        "d3": 5184,
        "full": 41472,
    }
    assert _costs(reshaped, array) == {
        "c1": 5184,
        "t2": 2916,
        "c3": 5184,
        "d1": 5184,
        "d2": 10368,
        "d3": 5184,
        "full": 5184,
    }
    packings = {
        name.removesuffix("_out"): print_packing(type_) for name, type_ in reshaped.tensors.items()
    }
    assert packings == {
        "x": "none",
        "c1": "block:4x1",
        "t2": "block:4x1",
        "c3": "none",
        "d1": "block:4x2",
        "d2": "block:4x1",
        "d3": "none",
        "full": "block:2x2",
    }
    _assert_equal(graph, reshaped, 1)


def test_each_rewrite_can_be_left_out() -> None:
    array = _array(16, 4, 16)
    graph = _chain(3, 24, a=("conv", 4, 3, 1), b=("conv", 4, 3, 1))
    assert print_graph(reshape(graph, array, [])) == print_graph(graph)
    folded = reshape(graph, array, [Reshape.FOLD_KERNEL])
    assert folded.tensors["x"].packing is not None
    assert folded.tensors["a_out"].packing is None
    blocked = reshape(graph, array, [Reshape.SPACE_TO_DEPTH])
    assert blocked.tensors["x"].packing is None
    assert blocked.tensors["a_out"].packing is not None
    assert blocked.tensors["b_out"].packing is not None


def test_poolings_keep_their_pixels() -> None:
    graph = _chain(3, 24, a=("conv", 4, 3, 1), p=("pool", 0, 2, 2), b=("conv", 4, 3, 1))
    reshaped = reshape(graph, _array(16, 4, 16), EVERY)
    packed = [name for name, type_ in reshaped.tensors.items() if type_.packing is not None]
    assert packed == ["x", "b_out"]
    _assert_equal(graph, reshaped, 1)


def test_what_is_pooled_stays_a_convolution() -> None:
    """A pooling cannot run behind a transposed one, so that blocks in front of it do not pay."""
    specs: dict[str, Spec] = {"a": ("conv", 12, 3, 1), "b": ("conv", 32, 3, 1)}
    array = _array(32, 8, 8)
    free = reshape(_chain(3, 64, **specs), array, EVERY)
    pooled = reshape(_chain(3, 64, **specs, p=("pool", 2, 2, 2)), array, EVERY)
    kinds = [isinstance(graph.layers[1], Conv2d) for graph in (free, pooled)]
    assert kinds == [False, True]
    assert [chain.names for chain in fusion_groups(lower(pooled))] == [("a",), ("b", "p")]


def test_the_packing_that_a_first_layer_gets() -> None:
    graph = _chain(3, 224, c=("conv", 64, 7, 2))
    reshaped = reshape(graph, _array(32, 7, 8), [Reshape.FOLD_KERNEL])
    assert print_packing(reshaped.tensors["x"]) == (
        "lanes:3x7,step:1x2,distance:1x1,offset:2x2,of:3x224x224"
    )
    (layer,) = reshaped.layers
    assert isinstance(layer, Conv2d)
    assert (layer.weight.shape, layer.strides) == ((64, 63, 4, 1), (2, 1))


def test_odd_images_and_many_channels_stay() -> None:
    array = _array(8, 4, 8)
    odd = _chain(8, 25, a=("conv", 4, 3, 1), b=("conv", 4, 3, 1))
    many = _chain(64, 24, a=("conv", 64, 3, 1), b=("conv", 64, 3, 1))
    for graph in (odd, many):
        assert print_graph(reshape(graph, array, EVERY)) == print_graph(graph)


def _branches(*layers: Layer) -> Graph:
    """Layers that all read the input of 3 x 16 x 16, and are all outputs."""
    tensors = {"x": _tensor(3, 16, 16)}
    for layer in layers:
        tensors[layer.output] = _tensor(*output_shape(layer, [tensors["x"]], tensors["x"]))
    return Graph(
        name="branches",
        inputs=(_port(tensors, "x"),),
        outputs=tuple(_port(tensors, layer.output) for layer in layers),
        tensors=tensors,
        layers=layers,
    )


def test_a_1x1_reads_the_centre_of_what_a_5x5_reads() -> None:
    """U-Net's shortcut: one packed input serves both."""
    graph = _branches(
        _layer("project", "x", 3, ("conv", 32, 1, 1)), _layer("conv", "x", 3, ("conv", 32, 5, 1))
    )
    reshaped = reshape(graph, _array(8, 8, 16), [Reshape.FOLD_KERNEL])
    assert [port.tensor for port in reshaped.inputs] == ["x"]
    assert reshaped.tensors["x"].channels == 15
    project = reshaped.layers[0]
    assert isinstance(project, Conv2d)
    assert project.weight.shape == (32, 15, 1, 1)
    assert not project.weight[:, [0, 1, 2, 3, 4, 5, 9, 10, 11, 12, 13, 14]].any()
    _assert_equal(graph, reshaped, 1)


def test_readers_that_share_nothing_get_a_copy_each() -> None:
    graph = _branches(
        _layer("strided", "x", 3, ("conv", 16, 4, 4)),
        _layer("conv", "x", 3, ("conv", 16, 5, 1)),
        _layer("pool", "x", 3, ("pool", 0, 2, 2)),
    )
    reshaped = reshape(graph, _array(16, 8, 16), [Reshape.FOLD_KERNEL])
    assert [(port.tensor, port.onnx_name) for port in reshaped.inputs] == [
        ("x", "x"),
        ("x_form2", "x"),
        ("x_form3", "x"),
    ]
    assert reshaped.tensors["x"].packing is None
    assert [layer.inputs for layer in reshaped.layers] == [("x_form2",), ("x_form3",), ("x",)]
    _assert_equal(graph, reshaped, 1)


def _run(graph: Graph, seed: int, device: str, array: tuple[int, int, int]) -> Graph:
    """Compiles with all reshapes, runs the program, compares memory and the model's outputs."""
    exploration = explore(graph, load_device(device), array, EVERY)
    lowered = exploration.graph
    plan = build_plan(lowered, exploration.mapping)
    inputs = _inputs(graph, seed)
    packed = {name: values[0] for name, values in lowered.pack_inputs(inputs).items()}
    initial = initial_image(plan, packed)
    beats = (len(initial) - plan.program_address) // plan.accelerator.beat_bytes
    actual, _ = interpret(
        plan.accelerator, initial, program_address=plan.program_address, program_beats=beats
    )
    expected = expected_image(plan, initial, evaluate(lowered, packed))
    assert first_difference(plan, expected, actual) is None
    wanted = evaluate(graph, {name: values[0] for name, values in inputs.items()})
    for port in graph.outputs:
        found = lowered.tensors[port.tensor].unpack(read_tensor(plan, actual, port.tensor))
        np.testing.assert_array_equal(found, wanted[port.tensor])
    return lowered


@pytest.mark.parametrize("seed", range(12))
def test_programs_of_reshaped_networks(seed: int) -> None:
    rng = random.Random(seed)
    graph = random_network(rng, 3, most_channels=rng.choice([3, 6]))
    array = rng.choice([(8, 4, 8), (16, 4, 16), (4, 3, 16), (16, 5, 8)])
    _run(graph, seed, "u250", array)


def test_the_program_of_a_small_decoder() -> None:
    lowered = _run(_chain(16, 8, **DECODER), 1, "u250", (16, 4, 16))
    blocked = [name for name, type_ in lowered.tensors.items() if type_.packing is not None]
    assert "full_out" in blocked
    assert "d2_out" in blocked


def test_differences_are_named_by_the_models_pixels() -> None:
    graph = _chain(3, 16, a=("conv", 4, 3, 1), b=("conv", 4, 3, 1))
    exploration = explore(graph, load_device("u250"), (16, 4, 16), EVERY)
    lowered = exploration.graph
    plan = build_plan(lowered, exploration.mapping)
    packed = {k: v[0] for k, v in lowered.pack_inputs(_inputs(graph, 1)).items()}
    initial = initial_image(plan, packed)
    values = evaluate(lowered, packed)
    expected = expected_image(plan, initial, values)
    for name in ("x", "a_out"):
        tensor = plan.tensors[name]
        assert tensor.type.packing is not None
        channel, row, column = tensor.type.channels - 1, tensor.type.height - 2, 1
        offset = tensor.address + tensor.layout.offset(channel, row, column)
        actual = expected.copy()
        actual[offset] ^= 1
        found = first_difference(plan, expected, actual)
        assert found is not None
        assert (found.name, found.kind, found.address) == (name, "element", offset)
        place = tensor.type.locate(channel, row, column)
        assert (found.channel, found.row, found.column) == place
    # The host's padding of the image is no pixel of it.
    tensor = plan.tensors["x"]
    assert tensor.type.locate(0, 0, 0) is None
    actual = expected.copy()
    actual[tensor.address] ^= 1
    found = first_difference(plan, expected, actual)
    assert found is not None
    assert (found.kind, found.channel) == ("padding", None)


def test_exploration_repeats_itself() -> None:
    graph = _chain(16, 8, **DECODER)
    first, second = (explore(graph, load_device("zcu104"), None, EVERY) for _ in range(2))
    assert first == second
    assert print_graph(first.graph) == print_graph(second.graph)
    plain = explore(graph, load_device("zcu104"))
    assert first.estimate.cycles < plain.estimate.cycles
