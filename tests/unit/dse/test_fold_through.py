# SPDX-License-Identifier: Apache-2.0
"""Inputs packed in front of a layer of single values: equal numbers, padding included."""

from dataclasses import replace

import numpy as np
import pytest

from flexcc import reference
from flexcc.backend.image import expected_image, first_difference, initial_image, read_tensor
from flexcc.backend.interpreter import interpret
from flexcc.backend.planner import build_plan
from flexcc.dse.fold_through import fold_through, neutral_integer
from flexcc.dse.layer_cost import ArrayModel
from flexcc.dse.reshape import Reshape
from flexcc.dse.solver import explore
from flexcc.ir.graph import Graph, Port
from flexcc.ir.layers import Add, Conv2d, Layer, Pads
from flexcc.ir.printer import print_graph, print_packing
from flexcc.ir.types import Quantization, TensorType
from flexcc.targets.device import load_device
from tests.networks import evaluate

ARRAY = ArrayModel(m=8, p=8, n=16, drain_cycles=1, beat_bytes=64)
IMAGE = Quantization(scale=0.03125, zero_point=2)
POSITIVE = Quantization(scale=0.0234375, zero_point=-128)


def _conv(name: str, source: str, channels: tuple[int, int], kernel: int) -> Conv2d:
    rng = np.random.default_rng(kernel)
    outputs, inputs = channels
    pad = kernel // 2
    return Conv2d(
        name=name,
        inputs=(source,),
        output=f"{name}_out",
        weight=rng.integers(-128, 128, (outputs, inputs, kernel, kernel)).astype(np.int8),
        weight_scale=np.full(outputs, 0.001, np.float32),
        bias=rng.integers(-99, 99, outputs).astype(np.int32),
        pads=Pads(top=pad, left=pad, bottom=pad, right=pad),
    )


def _norm(slope: float = 0.001) -> Conv2d:
    return Conv2d(
        name="norm",
        inputs=("x",),
        output="norm_out",
        weight=np.full((3, 1, 1, 1), 127, np.int8),
        weight_scale=np.array([0.006, 0.008, 0.009], np.float32),
        bias=np.array([-212, 770, 573], np.int32),
        slope=np.full(3, slope, np.float32),
        groups=3,
    )


def _graph(norm: Conv2d, *, height: int = 20, width: int = 32) -> Graph:
    """A normalised image goes through a 5x5 convolution, to which a 1x1 of the image is added."""

    def tensor(channels: int, quantization: Quantization) -> TensorType:
        return TensorType(channels=channels, height=height, width=width, quantization=quantization)

    layers: tuple[Layer, ...] = (
        norm,
        _conv("conv", "norm_out", (32, 3), 5),
        _conv("proj", "x", (32, 3), 1),
        Add(name="add", inputs=("conv_out", "proj_out"), output="add_out"),
    )
    tensors = {"x": tensor(3, IMAGE), "norm_out": tensor(3, POSITIVE)}
    tensors |= {layer.output: tensor(32, IMAGE) for layer in layers[1:]}
    ports = (
        Port(tensor=name, onnx_name=name, onnx_shape=(1, tensors[name].channels, height, width))
        for name in ("x", "add_out")
    )
    image, output = ports
    return Graph(name="net", inputs=(image,), outputs=(output,), tensors=tensors, layers=layers)


def _image(graph: Graph, seed: int) -> dict[str, np.ndarray]:
    type_ = graph.tensors["x"].unpacked
    shape = (1, type_.channels, type_.height, type_.width)
    rng = np.random.default_rng(seed)
    return {"x": rng.integers(-128, 128, shape).astype(np.int8)}


def test_the_host_packs_what_the_layer_in_front_reads() -> None:
    """3 channels x 5 columns fill 15 of 16 lanes, of the 1x1 beside it, too."""
    graph = _graph(_norm())
    folded = fold_through(graph, ARRAY)
    layers = {layer.name: layer for layer in folded.layers}
    assert isinstance(layers["norm"], Conv2d)
    assert layers["norm"].weight.shape == (15, 1, 1, 1)
    assert isinstance(layers["conv"], Conv2d)
    assert layers["conv"].weight.shape == (32, 15, 5, 1)
    assert isinstance(layers["proj"], Conv2d)
    assert layers["proj"].weight.shape == (32, 15, 1, 1)
    assert [port.tensor for port in folded.inputs] == ["x"]
    assert print_packing(folded.tensors["x"]).endswith(",of:3x20x32,padding:-4")
    assert print_packing(folded.tensors["norm_out"]).endswith(",of:3x20x32")

    image = _image(graph, 1)
    before = reference.run(graph, graph.pack_inputs(image))
    after = reference.run(folded, folded.pack_inputs(image))
    for name in graph.tensors:
        np.testing.assert_array_equal(after[name], folded.tensors[name].pack(before[name]), name)


def test_the_integer_outside_becomes_the_zero_point() -> None:
    norm, graph = _norm(), _graph(_norm())
    value = neutral_integer(norm, graph.tensors["x"], graph.tensors["norm_out"])
    assert value == -4
    image = TensorType(channels=3, height=1, width=1, quantization=IMAGE)
    types = {"x": image, "norm_out": replace(image, quantization=POSITIVE)}
    ports = [Port(tensor=name, onnx_name=name, onnx_shape=(1, 3, 1, 1)) for name in types]
    alone = Graph(
        name="alone", inputs=(ports[0],), outputs=(ports[1],), tensors=types, layers=(norm,)
    )
    made = reference.run(alone, {"x": np.full((1, 3, 1, 1), value, np.int8)})["norm_out"]
    assert made.ravel().tolist() == [-128] * 3


@pytest.mark.parametrize(
    ("norm", "between"),
    [
        # Steps of several integers jump over the zero point.
        (
            replace(_norm(slope=1.0), weight_scale=np.full(3, 0.05, np.float32)),
            replace(POSITIVE, zero_point=3),
        ),
        # A channel is above zero whatever it reads.
        (replace(_norm(), bias=np.array([0, 99999, 0], np.int32)), POSITIVE),
    ],
)
def test_nothing_changes_without_such_an_integer(norm: Conv2d, between: Quantization) -> None:
    graph = _graph(norm)
    tensors = dict(graph.tensors)
    tensors["norm_out"] = replace(tensors["norm_out"], quantization=between)
    graph = replace(graph, tensors=tensors)
    assert neutral_integer(norm, tensors["x"], tensors["norm_out"]) is None
    assert print_graph(fold_through(graph, ARRAY)) == print_graph(graph)


def test_the_plan_computes_every_byte() -> None:
    """In the window engine, which the explorer puts the layer into, and without it."""
    graph = _graph(_norm(), height=12)
    found = explore(graph, load_device("u250"), (8, 8, 16), tuple(Reshape))
    chains = {group.chain.conv: group.chain.window for group in found.mapping.groups}
    assert chains["conv"] == "norm"
    plan = build_plan(found.graph, found.mapping)
    inputs = {name: x[0] for name, x in found.graph.pack_inputs(_image(graph, 2)).items()}
    initial = initial_image(plan, inputs)
    actual, _ = interpret(
        plan.accelerator,
        initial,
        program_address=plan.program_address,
        program_beats=(len(initial) - plan.program_address) // plan.accelerator.beat_bytes,
    )
    results = evaluate(found.graph, inputs)
    assert first_difference(plan, expected_image(plan, initial, results), actual) is None
    np.testing.assert_array_equal(read_tensor(plan, actual, "add_out"), results["add_out"])
