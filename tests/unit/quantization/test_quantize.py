# SPDX-License-Identifier: Apache-2.0
"""Quantisation: accuracy, awkward channels, clamps kept, the same model every time."""

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from flexcc.errors import InputError
from flexcc.frontend import import_model, load_calibration, load_model, random_calibration
from flexcc.ir.accumulator import accumulator_bounds
from flexcc.ir.clamping import require_lossless_clamp
from flexcc.ir.graph import Graph, Port
from flexcc.ir.layers import Clamp, ConvTranspose2d, MaxPool2d, Pads
from flexcc.ir.requantize import requantization
from flexcc.passes import lower
from flexcc.quantization import quantize
from tests.models import chain, random_conv, random_float_graph, tensor, transposed
from tests.quantization import check_accuracy, quantization_of, run_on_reals

MNIST = Path(__file__).parents[3] / "designs" / "mnist_conv_u250"
Floats = NDArray[np.float32]


@pytest.fixture(scope="module")
def mnist() -> Graph:
    return lower(import_model(load_model(MNIST / "model.onnx")))


def test_digits_keep_their_accuracy(mnist: Graph) -> None:
    """All 10,000 digits, calibrated on 256 that are spread over them evenly."""
    graph = quantize(mnist, load_calibration(MNIST / "digits.npz", mnist)).graph
    with np.load(MNIST / "digits.npz") as digits:
        pixels, labels = digits["x"], digits["y"]
    outputs = run_on_reals(graph, {graph.inputs[0].tensor: pixels.astype(np.float32)})
    scores = outputs[graph.outputs[0].tensor].reshape(len(labels), -1)
    right = int(np.sum(scores.argmax(axis=1) == labels))
    print(f"\nmnist_conv: {right} of {len(labels)} digits right")  # noqa: T201 the figure is wanted
    assert len(labels) == 10_000
    assert right >= 9_920


def test_ports_stay_those_of_the_model(mnist: Graph) -> None:
    quantized = quantize(mnist, random_calibration(mnist))
    for graph in (quantized.graph, lower(import_model(quantized.exported.model))):
        assert [port.onnx_name for port in graph.inputs] == ["Input3"]
        assert [port.onnx_name for port in graph.outputs] == ["Plus214_Output_0"]
        assert graph.outputs[0].onnx_shape == (1, 10)


def test_the_same_samples_give_the_same_model(mnist: Graph) -> None:
    samples = random_calibration(mnist)
    first, second = (quantize(mnist, samples).exported.model for _ in range(2))
    assert first.SerializeToString() == second.SerializeToString()


@pytest.mark.parametrize("clamp", [Clamp(), Clamp(low=0.0), Clamp(low=0.0, high=1.0)])
@pytest.mark.parametrize("shift", [-5.0, 0.0, 5.0])
def test_error_stays_within_its_bound(seed: int, clamp: Clamp, shift: float) -> None:
    rng = np.random.default_rng(seed)
    x = (rng.normal(size=(6, 5, 7, 6)) + shift).astype(np.float32)
    conv = random_conv(
        rng, "c", ("x", tensor(5, 7, 6)), channels=9, kernel=(3, 2), pads=Pads(top=1), clamp=clamp
    )
    assert check_accuracy(conv, x).clamp == clamp


@pytest.mark.parametrize("groups", [1, 2, 6])
@pytest.mark.parametrize("shift", [-5.0, 0.0])
def test_error_of_transposed_layers_stays_within_its_bound(
    seed: int, groups: int, shift: float
) -> None:
    rng = np.random.default_rng(seed)
    x = (rng.normal(size=(6, 6, 5, 4)) + shift).astype(np.float32)
    conv = random_conv(
        rng,
        "up",
        ("x", tensor(6, 5, 4)),
        channels=12,
        kernel=(3, 2),
        groups=groups,
        strides=(2, 3),
        pads=Pads(top=1, right=1),
        clamp=Clamp(low=-0.5),
    )
    layer = check_accuracy(transposed(conv, (1, 0)), x)
    assert isinstance(layer, ConvTranspose2d)
    assert layer.weight_scale is not None
    of_group = layer.weight_scale.reshape(groups, -1)
    assert (of_group == of_group[0]).all()
    # Each output channel of a group uses the range of int8 in one of the groups, but for what
    # scales of few bits cost.
    largest = np.abs(layer.weight.astype(int)).reshape(groups, 12 // groups, -1).max(axis=(0, 2))
    assert (largest >= 112).all()


def test_a_dead_group_leaves_the_scales_to_the_others(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(4, 4, 5, 4)).astype(np.float32)
    conv = random_conv(rng, "up", ("x", tensor(4, 5, 4)), channels=4, kernel=(2, 2), groups=2)
    weight = conv.weight.astype(np.float32) * np.float32(0.01)
    weight[:2] = 0
    layer = check_accuracy(transposed(replace(conv, weight=weight)), x)
    assert (np.abs(layer.weight[2:].astype(int)).max(axis=(1, 2, 3)) >= 112).all()


def test_awkward_channels(seed: int, caplog: pytest.LogCaptureFixture) -> None:
    """Weights that are zero, tiny, or tiny beside their bias."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(0, 255, size=(4, 5, 7, 6)).astype(np.float32)
    conv = random_conv(rng, "awkward", ("x", tensor(5, 7, 6)), channels=8, kernel=(3, 3))
    weight, bias = conv.weight.astype(np.float32), conv.bias.astype(np.float32)
    weight[0], bias[0] = 0, 0
    weight[1], bias[1] = 0, 77.7
    weight[2], bias[2] = 0, -1e-3
    weight[3], bias[3] = 1e-30, 123.0
    weight[4], bias[4] = weight[4] * 1e-7, -55.5
    weight[5], bias[5] = 1e-42, 0
    weight[6], bias[6] = weight[6] * 1e-7, 0
    with caplog.at_level(logging.INFO):
        layer = check_accuracy(replace(conv, weight=weight, bias=bias), x)
    assert "awkward: weight scales of some channels were enlarged" in caplog.text
    assert not layer.weight[:3].any()
    assert not layer.bias[0]


def test_wide_sums_get_a_larger_weight_scale(seed: int) -> None:
    """4,608 equal weights on an input with zero point -128: 2^26, too wide for the bias."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(0, 1, size=(3, 512, 3, 3)).astype(np.float32)
    conv = random_conv(rng, "wide", ("x", tensor(512, 3, 3)), channels=4, kernel=(3, 3))
    even = replace(conv, weight=np.full_like(conv.weight, 0.01))
    layer = check_accuracy(even, x)
    assert 8 <= layer.weight.max() < 64
    graph = quantize(chain(tensor(512, 3, 3), [even]), {"x": x}).graph
    rq = requantization(layer, graph.tensors["x"], graph.tensors["wide_out"])
    require_lossless_clamp(layer, rq)
    assert accumulator_bounds(layer)[1].max() < 1 << 27


def test_constant_zero_input_and_output(seed: int) -> None:
    conv = random_conv(
        np.random.default_rng(seed), "c", ("x", tensor(2, 3, 3)), channels=2, kernel=(2, 2)
    )
    dead = replace(conv, bias=np.full(2, -1e3, np.float32), clamp=Clamp(low=0.0))
    check_accuracy(dead, np.zeros((2, 2, 3, 3), np.float32))


@pytest.mark.parametrize("clamp", [Clamp(low=0.5, high=0.8), Clamp(low=-0.3), Clamp(high=-0.2)])
def test_clip_bounds_survive_the_quantiser(seed: int, clamp: Clamp) -> None:
    rng = np.random.default_rng(seed)
    source = tensor(3, 6, 6)
    conv = random_conv(rng, "c", ("x", source), channels=4, kernel=(1, 1), clamp=clamp)
    # The pool makes the clip's output an inner tensor, where the quantiser drops it.
    pool = MaxPool2d(name="p", inputs=("c_out",), output="y", kernel=(1, 1), strides=(1, 1))
    x = rng.normal(size=(2, 3, 6, 6)).astype(np.float32)
    graph = quantize(chain(source, [conv, pool]), {"x": x}).graph
    wild = (100 * x).astype(np.float32)
    result, step = run_on_reals(graph, {"x": wild})["y"], quantization_of(graph, "y").scale
    if clamp.low is not None:
        assert abs(result.min() - clamp.low) <= step
    if clamp.high is not None:
        assert abs(result.max() - clamp.high) <= step


@pytest.mark.parametrize("trial", range(10))
def test_qdq_model_imports_as_the_same_integers(seed: int, trial: int) -> None:
    rng = np.random.default_rng([seed, trial])
    floating = random_float_graph(rng, depth=5, transpose=trial % 2 == 1)
    x = rng.normal(size=(3, *floating.inputs[0].onnx_shape[1:])).astype(np.float32)
    quantized = quantize(floating, {"x": x})
    again = lower(import_model(quantized.exported.model))
    assert [layer.name for layer in again.layers] == [layer.name for layer in floating.layers]
    first, second = (run_on_reals(graph, {"x": x}) for graph in (quantized.graph, again))
    for ours, theirs in zip(quantized.graph.layers, again.layers, strict=True):
        assert np.array_equal(first[ours.output], second[theirs.output])


def test_model_that_onnx_runtime_does_not_run_is_refused() -> None:
    # As much padding as kernel: fine with dilation, but not for ONNX Runtime.
    pool = MaxPool2d(
        name="p",
        inputs=("x",),
        output="y",
        kernel=(2, 1),
        strides=(1, 1),
        pads=Pads(top=2, bottom=2),
        dilations=(3, 1),
    )
    graph = chain(tensor(1, 4, 4), [pool])
    with pytest.raises(
        InputError, match=r"ONNX Runtime cannot run the model on the samples: .*; check that it"
    ):
        quantize(graph, random_calibration(graph))


def test_two_outputs_and_a_shared_tensor(seed: int) -> None:
    rng = np.random.default_rng(seed)
    source = tensor(3, 6, 6)
    first = random_conv(rng, "a", ("x", source), channels=4, kernel=(3, 3), clamp=Clamp(low=0.0))
    second = random_conv(rng, "b", ("a_out", tensor(4, 4, 4)), channels=2, kernel=(1, 1))
    graph = chain(source, [first, second])
    extra = Port(tensor="a_out", onnx_name="features", onnx_shape=(1, 64))
    graph = replace(graph, outputs=(*graph.outputs, extra, replace(extra, onnx_name="again")))
    x = rng.normal(size=(2, 3, 6, 6)).astype(np.float32)
    quantized = quantize(graph, {"x": x})
    again = lower(import_model(quantized.exported.model))
    assert [port.onnx_name for port in again.outputs] == ["b_out", "features", "again"]
    ours, theirs = (run_on_reals(each, {"x": x}) for each in (quantized.graph, again))
    for port, other in zip(quantized.graph.outputs, again.outputs, strict=True):
        assert port.onnx_shape == other.onnx_shape
        assert np.array_equal(ours[port.tensor], theirs[other.tensor])
