# SPDX-License-Identifier: Apache-2.0
"""Asymmetric weights: exactly the sums of 9-bit differences, in 8 bits."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from flexcc import reference
from flexcc.frontend import import_model
from flexcc.frontend.network import import_network
from flexcc.ir.layers import Convolution, Select
from flexcc.ir.macs import parameter_count, useful_macs
from flexcc.passes import lower
from tests.onnx_models import make_model, node, run_network, run_onnx

MICROSOFT = "com.microsoft"


def _quantized(rng: np.random.Generator) -> dict[str, NDArray[Any]]:
    return {
        "sx": np.array(0.02),
        "zx": np.array(131, np.uint8),
        "sy": np.array(0.05),
        "zy": np.array(117, np.uint8),
        "w": rng.integers(0, 256, (4, 3, 3, 3)).astype(np.uint8),
        "wg": rng.integers(0, 256, (6, 1, 3, 3)).astype(np.uint8),
        "wt": rng.integers(0, 256, (3, 4, 3, 3)).astype(np.uint8),
        "w1": rng.integers(0, 256, (4, 3, 3)).astype(np.uint8),
        "ws": rng.integers(-128, 128, (4, 3, 3, 3)).astype(np.int8),
        "m": rng.integers(0, 256, (126, 4)).astype(np.uint8),
        "mt": rng.integers(0, 256, (4, 126)).astype(np.uint8),
        "sw": np.array(0.002),
        "s4": rng.uniform(0.001, 0.003, 4),
        "z4": np.array([0, 100, 128, 255], np.uint8),
        "z4s": np.array([-128, 3, 0, 127], np.int8),
        "b": rng.integers(-999, 999, 4).astype(np.int32),
    }


IN = node("QuantizeLinear", "x sx zx", "xq", "in")
X = node("DequantizeLinear", "xq sx zx", "xr", "in_real")
ROUND = node("QuantizeLinear", "r sy zy", "yq", "round")
OUT = node("DequantizeLinear", "yq sy zy", "y", "out")


def _check(*nodes: Any, shape: tuple[int, ...] = (1, 3, 6, 7), **changes: Any) -> None:
    """Against ONNX Runtime: a step apart at the most, next to all equal."""
    constants = _quantized(np.random.default_rng(0))
    for name, value in changes.items():
        constants[name] = value
    model = make_model(nodes, constants, shape=shape)
    model.opset_import.append(helper.make_opsetid(MICROSOFT, 1))
    network = import_network(model)
    graph = lower(network.graph)
    [select] = [layer for layer in graph.layers if isinstance(layer, Select)]
    [conv] = [layer for layer in graph.layers if isinstance(layer, Convolution)]
    assert conv.inputs == (select.output,)
    assert conv.weight.dtype == np.int8
    rng = np.random.default_rng(1)
    equal, count = 0, 0
    for _ in range(20):
        inputs = {"x": rng.normal(size=shape).astype(np.float32)}
        ours, theirs = run_network(network, inputs)["y"], run_onnx(model, inputs)["y"]
        difference = np.rint((ours - theirs) / 0.05)
        assert np.abs(difference).max() <= 1
        equal, count = equal + int((difference == 0).sum()), count + difference.size
    assert equal > 0.999 * count


@pytest.mark.parametrize("zero", [0, 1, 127, 200, 255])
def test_qlinear_conv(zero: int) -> None:
    conv = node("QLinearConv", "xq sx zx w sw zw sy zy b", "yq", pads=[1, 0, 1, 2])
    _check(IN, conv, OUT, zw=np.array(zero, np.uint8))


@pytest.mark.parametrize(
    ("weights", "scale", "zero"),
    [("w", "sw", "zw"), ("w", "s4", "z4"), ("ws", "s4", "z4s")],
)
def test_weights_of_qdq_models(weights: str, scale: str, zero: str) -> None:
    """A zero point per channel, and signed weights."""
    weight = node("DequantizeLinear", f"{weights} {scale} {zero}", "wr", "weights", axis=0)
    conv = node("Conv", "xr wr", "r", "conv", strides=[2, 1])
    _check(IN, X, weight, conv, ROUND, OUT, zw=np.array(3, np.uint8))


def test_groups() -> None:
    weight = node("DequantizeLinear", "wg sw zw", "wr", "weights")
    conv = node("Conv", "xr wr", "r", "conv", group=3)
    _check(IN, X, weight, conv, ROUND, OUT, zw=np.array(77, np.uint8))


def test_transposed_convolution() -> None:
    weight = node("DequantizeLinear", "wt s4 z4", "wr", "weights", axis=1)
    conv = node("ConvTranspose", "xr wr", "r", "conv", strides=[2, 2])
    _check(IN, X, weight, conv, ROUND, OUT)


def test_one_dimension() -> None:
    weight = node("DequantizeLinear", "w1 s4 z4", "wr", "weights", axis=0)
    conv = node("Conv", "xr wr", "r", "conv")
    _check(IN, X, weight, conv, ROUND, OUT, shape=(1, 3, 20))


def test_volumes() -> None:
    rng = np.random.default_rng(0)
    weight = node("DequantizeLinear", "w s4 z4", "wr", "weights", axis=0)
    conv = node("Conv", "xr wr", "r", "conv", pads=[1, 0, 0, 1, 0, 0])
    kernel = rng.integers(0, 256, (4, 2, 3, 2, 2)).astype(np.uint8)
    _check(IN, X, weight, conv, ROUND, OUT, shape=(1, 2, 4, 5, 6), w=kernel)


@pytest.mark.parametrize("transposed", [0, 1])
def test_qgemm(transposed: int) -> None:
    gemm = node(
        "QGemm", f"f sx zx {'mt' if transposed else 'm'} s4 z4 b sy zy", "yq", "fc",
        domain=MICROSOFT, transB=transposed,
    )  # fmt: skip
    _check(IN, node("Flatten", "xq", "f"), gemm, OUT)


def test_qlinear_matmul() -> None:
    product = node("QLinearMatMul", "f sx zx m sw zw sy zy", "yq")
    _check(IN, node("Flatten", "xq", "f"), product, OUT, zw=np.array(250, np.uint8))


@pytest.mark.parametrize("zero", ["zw", ""])
def test_conv_integer(zero: str) -> None:
    """ONNX Runtime has no zero points per channel here."""
    nodes = [
        node("ConvInteger", f"xq w zx {zero}", "a", "conv"),
        node("Cast", "a", "c", to=TensorProto.FLOAT),
        node("Mul", "c scale", "r", "scale"),
    ]
    scale = np.array(0.00004, np.float32)
    _check(IN, *nodes, ROUND, OUT, scale=scale, zw=np.array([9], np.uint8))


def test_only_channels_of_large_weights_are_read_again() -> None:
    """And what the model's layer takes does not change by it."""
    weight = np.full((4, 3, 3, 3), 120, np.uint8)
    weight[1, 2, 0, 0] = 250
    nodes = [
        node("QuantizeLinear", "x sx zx", "xq", "in"),
        node("QLinearConv", "xq sx zx w sw zw sy zy b", "yq", "conv"),
        OUT,
    ]
    constants = _quantized(np.random.default_rng(0))
    constants |= {"w": weight, "zw": np.array(120, np.uint8)}
    graph = import_model(make_model(nodes, constants))
    select, conv = graph.layers
    assert isinstance(select, Select)
    assert select.channels == (0, 1, 2, 2)
    assert isinstance(conv, Convolution)
    assert useful_macs(graph, conv) == 4 * 3 * 9 * 4 * 5
    assert parameter_count(conv) == 4 * 3 * 9 + 4
    x = np.random.default_rng(1).integers(-128, 128, (1, 3, 6, 7)).astype(np.int8)
    tensors = reference.run(graph, {"x": x})
    kind = graph.tensors[select.output]
    acc = reference.accumulate(conv, kind, tensors[select.output])
    assert acc[0, 1, 0, 0] == 130 * (int(x[0, 2, 0, 0]) - 3)
    assert not acc[0, 0].any()


def test_the_float_weights_are_exact() -> None:
    """Where the input is not quantised the numbers are what DequantizeLinear makes."""
    constants = _quantized(np.random.default_rng(0))
    nodes = [
        node("DequantizeLinear", "w s4 z4", "wr", "weights", axis=0),
        node("Conv", "x wr", "y", "conv"),
    ]
    [conv] = import_model(make_model(nodes, constants)).layers
    assert isinstance(conv, Convolution)
    numbers = constants["w"].astype(np.float32) - constants["z4"].reshape(4, 1, 1, 1)
    expected = numbers * constants["s4"].astype(np.float32).reshape(4, 1, 1, 1)
    assert np.array_equal(conv.weight, expected)
    assert numpy_helper.from_array(conv.weight).data_type == TensorProto.FLOAT
