# SPDX-License-Identifier: Apache-2.0
"""QONNX's and Brevitas' form of few bits: QuantizeLinear, Clip, DequantizeLinear.

Layers in all places that have such roundings, against ONNX Runtime: equal but for a step where
float32 sums lie next to a tie.
"""

from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from flexcc.errors import InputError
from flexcc.frontend import import_model
from flexcc.frontend.network import import_network
from flexcc.ir.layers import Conv2d
from flexcc.passes import lower
from tests.onnx_models import make_model, node, run_network, run_onnx

SHAPE = (1, 3, 8, 9)
STEP = 0.1
IMAGES = 10

_RNG = np.random.default_rng(0)
CONSTANTS: dict[str, NDArray[Any]] = {
    "sx": np.array(0.02),
    "s2": np.array(0.05),
    "so": np.array(STEP),
    "sw": np.array(0.03),
    "sw3": _RNG.uniform(0.02, 0.06, 3),
    "sw4": _RNG.uniform(0.02, 0.06, 4),
    "sb": np.float32(0.02) * _RNG.uniform(0.02, 0.06, 4).astype(np.float32),
    "z": np.array(0, np.int8),
    "z3": np.zeros(3, np.int8),
    "z4": np.zeros(4, np.int8),
    "zb": np.zeros(4, np.int32),
    "zu": np.array(0, np.uint8),
    "z7": np.array(7, np.uint8),
    # 4 bits, signed or not; 8 bits without the lowest; 2 bits.
    "lo": np.array(-8, np.int8),
    "hi": np.array(7, np.int8),
    "lo8": np.array(-127, np.int8),
    "hi8": np.array(127, np.int8),
    "lou": np.array(0, np.uint8),
    "hiu": np.array(15, np.uint8),
    "hi2": np.array(3, np.uint8),
    "w": _RNG.normal(size=(4, 3, 3, 3)) / 4,
    "w2": _RNG.normal(size=(5, 4, 3, 3)) / 5,
    "wt": _RNG.normal(size=(4, 3, 2, 2)) / 3,
    "wi": _RNG.integers(-8, 8, (4, 3, 3, 3)).astype(np.int8),
    "bi": _RNG.integers(-999, 999, 4).astype(np.int32),
}


def qcdq(source: str, target: str, scale: str, zero: str, *bounds: str, axis: int = 1) -> Any:
    """The nodes of a quantiser; without bounds it has all 8 bits."""
    integers = f"{target}_q"
    nodes = [node("QuantizeLinear", f"{source} {scale} {zero}", integers, integers, axis=axis)]
    if bounds:
        clip = node("Clip", " ".join([integers, *bounds]), f"{target}_c", f"{target}_c")
        nodes, integers = [*nodes, clip], f"{target}_c"
    back = f"{integers} {scale} {zero}"
    return [*nodes, node("DequantizeLinear", back, target, f"{target}_d", axis=axis)]


def conv(source: str, weights: str, target: str) -> onnx.NodeProto:
    return node("Conv", f"{source} {weights}", target, f"conv_{target}", pads=[1, 1, 1, 1])


IN = qcdq("x", "a", "sx", "z", "lo8", "hi8")
WEIGHTS = qcdq("w", "wr", "sw4", "z4", "lo", "hi", axis=0)
OUT = qcdq("c", "y", "so", "z", "lo", "hi")
RELU = node("Relu", "c", "r", "relu")
OUT_OF_RELU = qcdq("r", "y", "so", "zu", "lou", "hiu")


@pytest.mark.parametrize(
    "nodes",
    [
        pytest.param([*IN, *WEIGHTS, conv("a", "wr", "c"), *OUT], id="scales per channel"),
        pytest.param([*IN, *WEIGHTS, conv("a", "wr", "c"), RELU, *OUT_OF_RELU], id="unsigned"),
        pytest.param(
            [
                *qcdq("x", "a", "sx", "z"),
                node("DequantizeLinear", "wi sw4 z4", "wr", "weights", axis=0),
                node("DequantizeLinear", "bi sb zb", "b", "bias", axis=0),
                node("Conv", "a wr b", "c", "conv"),
                RELU,
                *OUT_OF_RELU,
            ],
            id="integer weights and bias",
        ),
        pytest.param(
            [
                *IN,
                *WEIGHTS,
                conv("a", "wr", "c1"),
                *qcdq("c1", "c", "s2", "z", "lo", "hi"),
                RELU,
                *qcdq("r", "y", "so", "zu", "lou", "hi2"),
            ],
            id="4 bits, then 2",
        ),
        pytest.param(
            [
                *IN,
                *WEIGHTS,
                conv("a", "wr", "c0"),
                node("Relu", "c0", "r0", "relu"),
                *qcdq("r0", "d", "s2", "zu", "lou", "hiu"),
                *qcdq("w2", "w2r", "sw", "z", "lo", "hi"),
                conv("d", "w2r", "c"),
                *OUT,
            ],
            id="two layers",
        ),
        pytest.param(
            [
                *IN,
                *WEIGHTS,
                conv("a", "wr", "c0"),
                *qcdq("c0", "d", "s2", "z", "lo", "hi"),
                *qcdq("wt", "wtr", "sw3", "z3", "lo", "hi", axis=1),
                node("ConvTranspose", "d wtr", "c", "up", strides=[2, 2]),
                *OUT,
            ],
            id="transposed",
        ),
        pytest.param(
            [*IN, *qcdq("w", "wr", "sw", "z7", "lou", "hiu"), conv("a", "wr", "c"), *OUT],
            id="unsigned weights",
        ),
        pytest.param(
            [
                node("QuantizeLinear", "x sx z", "q", "q"),
                node("Clip", "q lo hi", "k", "k"),
                node("MaxPool", "k", "p", "pool", kernel_shape=[2, 2]),
                node("DequantizeLinear", "p sx z", "a", "d"),
                *WEIGHTS,
                conv("a", "wr", "c"),
                *OUT,
            ],
            id="pool among integers",
        ),
        pytest.param(
            [
                *IN,
                *WEIGHTS,
                conv("a", "wr", "c0"),
                *qcdq("c0", "d", "s2", "z", "lo", "hi"),
                node("Add", "d d", "c", "add"),
                *OUT,
            ],
            id="sum",
        ),
        pytest.param(
            [*qcdq("x", "a", "sx", "z", "lo"), *WEIGHTS, conv("a", "wr", "c"), *OUT],
            id="one bound",
        ),
    ],
)
def test_like_onnx_runtime(nodes: list[onnx.NodeProto]) -> None:
    model = make_model(nodes, CONSTANTS, shape=SHAPE)
    network = import_network(model)
    assert network.host is None
    differences = []
    for index in range(IMAGES):
        x = {"x": np.random.default_rng(index).normal(size=SHAPE).astype(np.float32)}
        ours, theirs = run_network(network, x)["y"], run_onnx(model, x)["y"]
        differences.append(np.rint((ours - theirs) / STEP).ravel())
    difference = np.concatenate(differences)
    assert np.abs(difference).max() <= 1
    assert (difference == 0).mean() > 0.997


def test_weights_have_few_bits() -> None:
    graph = lower(import_model(make_model([*IN, *WEIGHTS, conv("a", "wr", "c"), *OUT], CONSTANTS)))
    layer = next(layer for layer in graph.layers if isinstance(layer, Conv2d) and layer.groups == 1)
    assert (layer.weight.min(), layer.weight.max()) == (-8, 7)


def test_a_scale_for_each_channel_of_an_activation_is_refused() -> None:
    nodes = [*qcdq("x", "a", "sw3", "z3", "lo", "hi"), *WEIGHTS, conv("a", "wr", "c"), *OUT]
    with pytest.raises(InputError, match=r"a_q .QuantizeLinear.: a computed tensor must have one"):
        import_model(make_model(nodes, CONSTANTS, shape=SHAPE))


@pytest.mark.parametrize("operator", ["Quant", "BipolarQuant", "Trunc"])
def test_qonnx_own_operators_tell_the_way(operator: str) -> None:
    quant = node(operator, "x sx so lo8", "a", "quant", domain="qonnx.custom_op.general")
    model = make_model([quant, node("Conv", "a w", "y", "conv")], CONSTANTS)
    model.opset_import.append(onnx.helper.make_opsetid("qonnx.custom_op.general", 1))
    with pytest.raises(InputError, match=rf"quant .*{operator}.: this operator .* QCDQ"):
        import_model(model)
