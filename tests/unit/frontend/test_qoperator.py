# SPDX-License-Identifier: Apache-2.0
"""Models of quantised operators: QLinear*, *Integer, ONNX Runtime's extensions, integers moved."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper
from onnxruntime.quantization import (  # type: ignore[import-untyped]
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.quant_utils import (  # type: ignore[import-untyped]
    add_pre_process_metadata,
)

from flexcc.errors import InputError
from flexcc.frontend import import_model
from flexcc.frontend.network import import_network
from tests.onnx_models import make_model, node, run_network, run_onnx

MICROSOFT = "com.microsoft"
RNG = np.random.default_rng(0)
# Weights of 7 bits: on some processors ONNX Runtime saturates sums of two uint8 * int8 products.
CONSTANTS: dict[str, NDArray[Any]] = {
    "sx": np.array(0.02),
    "zx": np.array(131, np.uint8),
    "zi": np.array(-5, np.int8),
    "sy": np.array(0.05),
    "odd": np.array(0.0237),
    "zy": np.array(117, np.uint8),
    "zyi": np.array(9, np.int8),
    "w": RNG.integers(-63, 64, (4, 3, 3, 3)).astype(np.int8),
    "wu": RNG.integers(65, 192, (4, 3, 3, 3)).astype(np.uint8),
    "sw": np.array(0.004),
    "zw": np.array(0, np.int8),
    "zwu": np.array(128, np.uint8),
    "s4": RNG.uniform(0.002, 0.006, 4),
    "z4": np.zeros(4, np.int8),
    "b": RNG.integers(-999, 999, 4).astype(np.int32),
    "m": RNG.integers(-63, 64, (126, 5)).astype(np.int8),
    "mt": RNG.integers(-63, 64, (5, 126)).astype(np.int8),
    "s5": RNG.uniform(0.001, 0.002, 5),
    "z5": np.zeros(5, np.int8),
    "b5": RNG.integers(-999, 999, 5).astype(np.int32),
    "real_bias": RNG.normal(size=(1, 4, 1, 1)),
    "s4x": RNG.uniform(0.002, 0.006, (1, 4, 1, 1)) * 0.02,
}
IN = node("QuantizeLinear", "x sx zx", "xq", "in")
IN_SIGNED = node("QuantizeLinear", "x sx zi", "xq", "in")
OUT = node("DequantizeLinear", "yq sy zy", "y", "out")


def model_of(*nodes: onnx.NodeProto, **changes: Any) -> onnx.ModelProto:
    model = make_model(nodes, CONSTANTS, **changes)
    model.opset_import.append(helper.make_opsetid(MICROSOFT, 1))
    return model


def check(
    model: onnx.ModelProto, step: float = 0.05, shape: tuple[int, ...] = (1, 3, 6, 7)
) -> None:
    """Against ONNX Runtime on many images: at most a step apart, nearly all equal."""
    network = import_network(model)
    rng = np.random.default_rng(1)
    differences = []
    for _ in range(20):
        inputs = {"x": rng.normal(size=shape).astype(np.float32)}
        [ours], [theirs] = run_network(network, inputs).values(), run_onnx(model, inputs).values()
        assert ours.shape == theirs.shape
        assert ours.dtype == theirs.dtype
        differences.append(np.rint((ours.astype(float) - theirs) / step).ravel())
    difference = np.concatenate(differences)
    assert np.abs(difference).max() <= 1
    assert (difference == 0).mean() > 0.999


@pytest.mark.parametrize(
    ("first", "weights", "scale", "zero"),
    [
        (IN, "w", "sw", "zw"),
        (IN, "w", "s4", "z4"),
        (IN, "wu", "sw", "zwu"),
        (IN_SIGNED, "w", "s4", "z4"),
    ],
)
@pytest.mark.parametrize("bias", [" b", ""])
def test_qlinear_conv(
    first: onnx.NodeProto, weights: str, scale: str, zero: str, bias: str
) -> None:
    zx, zy = ("zx", "zy") if first is IN else ("zi", "zyi")
    conv = node(
        "QLinearConv", f"xq sx {zx} {weights} {scale} {zero} sy {zy}{bias}", "yq", "conv",
        pads=[1, 0, 1, 2], strides=[2, 1],
    )  # fmt: skip
    check(model_of(first, conv, node("DequantizeLinear", f"yq sy {zy}", "y", "out")))


def test_layers_keep_the_names_of_their_operators() -> None:
    conv = node("QLinearConv", "xq sx zx w s4 z4 sy zy b", "yq", "my_conv")
    graph = import_model(model_of(IN, conv, OUT))
    assert [layer.name for layer in graph.layers] == ["my_conv"]


@pytest.mark.parametrize(("scale", "zero"), [("sw", "zw"), ("s5", "z5")])
def test_qlinear_matmul(scale: str, zero: str) -> None:
    nodes = [
        IN,
        node("Flatten", "xq", "f"),
        node("QLinearMatMul", f"f sx zx m {scale} {zero} sy zy", "yq"),
        OUT,
    ]
    check(model_of(*nodes))


@pytest.mark.parametrize("transposed", [0, 1])
@pytest.mark.parametrize("rest", [" b5 sy zy", " - sy zy", " b5"])
def test_qgemm(transposed: int, rest: str) -> None:
    """Its bias and its rounding may be left out."""
    weights = "mt" if transposed else "m"
    rounds = "sy" in rest
    gemm = node(
        "QGemm", f"f sx zx {weights} s5 z5{rest}", "yq" if rounds else "g", "fc",
        domain=MICROSOFT, transB=transposed,
    )  # fmt: skip
    after = [] if rounds else [node("QuantizeLinear", "g sy zy", "yq", "quantize")]
    check(model_of(IN, node("Flatten", "xq", "f"), gemm, *after, OUT))


def test_values_move_as_integers() -> None:
    """Max pooling, transposes, reshapes between the integers of two layers."""
    nodes = [
        IN_SIGNED,
        node("MaxPool", "xq", "p", kernel_shape=[2, 2], pads=[1, 0, 0, 0]),
        node("Transpose", "p", "t", "there", perm=[0, 2, 3, 1]),
        node("Transpose", "t", "u", "back", perm=[0, 3, 1, 2]),
        node("Identity", "u", "i"),
        node("QLinearConv", "i sx zi w s4 z4 sy zyi b", "c"),
        node("Flatten", "c", "f"),
        node("Unsqueeze", "f axes", "g"),
        node("Squeeze", "g axes", "h"),
        node("DequantizeLinear", "h sy zyi", "y", "out"),
    ]
    model = model_of(*nodes)
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array([2, 3]), "axes"))
    check(model)


@pytest.mark.parametrize("scale", ["per_tensor", "per_channel"])
def test_conv_integer(scale: str) -> None:
    """The pattern of dynamic quantisation with static scales: sums, scaled, biased, rounded."""
    factor = "s4x" if scale == "per_channel" else "sf"
    nodes = [
        IN,
        node("ConvInteger", "xq w zx", "a", "conv", pads=[1, 1, 1, 1]),
        node("Cast", "a", "r", to=TensorProto.FLOAT),
        node("Mul", f"r {factor}", "s", "scale"),
        node("Add", "s real_bias", "t", "bias"),
        node("Relu", "t", "u", "relu"),
        node("QuantizeLinear", "u sy zy", "yq", "quantize"),
        OUT,
    ]
    model = model_of(*nodes)
    model.graph.initializer.append(
        onnx.numpy_helper.from_array(np.array(0.02 * 0.004, np.float32), "sf")
    )
    check(model)


def test_matmul_integer() -> None:
    nodes = [
        IN,
        node("Flatten", "xq", "f"),
        node("MatMulInteger", "f m zx", "a", "product"),
        node("Cast", "a", "r", to=TensorProto.FLOAT),
        node("Mul", "r sf", "s", "scale"),
        node("QuantizeLinear", "s sy zy", "yq", "quantize"),
        OUT,
    ]
    model = model_of(*nodes)
    model.graph.initializer.append(
        onnx.numpy_helper.from_array(np.array(0.02 * 0.0015, np.float32), "sf")
    )
    check(model)


def test_integers_in_and_out() -> None:
    """A model without a single real number at its ports."""
    conv = node("QLinearConv", "x sx zx w s4 z4 sy zy b", "y", "conv")
    model = model_of(conv, kind=TensorProto.UINT8)
    model.graph.output[0].type.tensor_type.elem_type = TensorProto.UINT8
    network = import_network(model)
    assert network.host is not None
    assert [s.dtype for s in (*network.host.inputs, *network.host.outputs)] == ["uint8", "uint8"]
    rng = np.random.default_rng(2)
    for _ in range(10):
        inputs = {"x": rng.integers(0, 256, (1, 3, 6, 7), np.uint8)}
        ours, theirs = run_network(network, inputs)["y"], run_onnx(model, inputs)["y"]
        assert ours.dtype == np.uint8
        assert np.abs(ours.astype(int) - theirs).max() <= 1
        assert (ours == theirs).mean() > 0.99


@pytest.mark.parametrize(
    ("nodes", "problem"),
    [
        (
            [IN, node("QLinearConv", "xq sx zi w sw zw sy zy", "yq", "conv"), OUT],
            r"conv.xq .DequantizeLinear.: its scale 0.02 and zero point -5 are not those",
        ),
        (
            [IN, node("QLinearConv", "xq sx zx w", "yq", "conv"), OUT],
            r"conv .QLinearConv.: this operator is not supported",
        ),
        (
            [IN, node("ConvInteger", "xq w", "y", "conv")],
            r"conv .ConvInteger.: its zero point 0 is not that of its input, 131",
        ),
        (
            [node("ConvInteger", "x w", "y", "conv")],
            r"conv .ConvInteger.: its input must come from QuantizeLinear, for its scale is not",
        ),
        (
            [IN, node("ConvInteger", "xq w zx", "y", "conv")],
            r"output 'y' is an integer sum; end with Cast to FLOAT",
        ),
        (
            [
                node("DynamicQuantizeLinear", "x", "xq s z", "dynamic"),
                node("ConvInteger", "xq w z", "a", "conv"),
                node("Cast", "a", "y", to=TensorProto.FLOAT),
            ],
            r"dynamic .DynamicQuantizeLinear.: this operator is not supported: its scale",
        ),
    ],
)
def test_refusals(nodes: list[onnx.NodeProto], problem: str) -> None:
    model = model_of(*nodes)
    if nodes[-1].op_type == "ConvInteger":
        model.graph.output[0].type.tensor_type.elem_type = TensorProto.INT32
    with pytest.raises(InputError, match=problem):
        import_model(model)


def qcdq(source: str, target: str, zero: str, scale: str = "sx") -> list[onnx.NodeProto]:
    """QONNX's spelling of a quantiser of fewer bits; the bounds are initialisers `low`, `high`."""
    return [
        node("QuantizeLinear", f"{source} {scale} {zero}", f"{target}_q", f"{target}_quant"),
        node("Clip", f"{target}_q low high", f"{target}_c", f"{target}_clip"),
        node("DequantizeLinear", f"{target}_c {scale} {zero}", target, f"{target}_dequant"),
    ]


@pytest.mark.parametrize(
    ("low", "high", "kind", "zero"),
    [
        (-8, 7, np.int8, "zw"),
        (-127, 127, np.int8, "zw"),
        (0, 15, np.uint8, "zu0"),
        (2, 2, np.int8, "zw"),
    ],
)
def test_qcdq(low: int, high: int, kind: type[np.generic], zero: str) -> None:
    """Quantise, clip, dequantise: activations behind a layer and at the input, and weights."""
    nodes = [
        *qcdq("x", "a", zero),
        *qcdq("float_w", "fw", "zw"),
        node("Conv", "a fw", "c", "conv"),
        node("Relu", "c", "r", "relu"),
        *qcdq("r", "y", zero, "odd"),
    ]
    nodes[4] = node("Clip", "fw_q low8 high8", "fw_c", "fw_clip")
    model = model_of(*nodes)
    more = {
        "low": np.array(low, kind),
        "high": np.array(high, kind),
        "low8": np.array(-8, np.int8),
        "high8": np.array(7, np.int8),
        "zu0": np.array(0, np.uint8),
        "float_w": RNG.normal(size=(4, 3, 3, 3)).astype(np.float32) / 4,
    }
    model.graph.initializer.extend(
        onnx.numpy_helper.from_array(array, name) for name, array in more.items()
    )
    check(model, step=0.0237)


@pytest.mark.parametrize(
    ("low", "high", "problem"),
    [
        (np.array(7, np.int8), np.array(-8, np.int8), "its bounds 7 and -8 are no interval"),
        (np.array(0.5), np.array(7, np.int8), "its input 'low' is not one int8 or uint8 number"),
    ],
)
def test_clips_of_integers_that_make_no_sense(
    low: NDArray[Any], high: NDArray[Any], problem: str
) -> None:
    model = make_model(qcdq("x", "y", "zw"), {**CONSTANTS, "low": low, "high": high})
    with pytest.raises(InputError, match=problem):
        import_model(model)


class _Reader(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, images: NDArray[np.float32]) -> None:
        self._images = iter(images)

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        image = next(self._images, None)
        return None if image is None else {"x": image[None]}


@pytest.mark.parametrize("kind", ["QInt8", "QUInt8"])
@pytest.mark.parametrize("per_channel", [False, True])
def test_networks_that_onnx_runtime_quantised(
    kind: str, per_channel: bool, tmp_path: Path, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    constants = {
        "a": rng.normal(size=(8, 3, 3, 3)) / 5,
        "b": rng.normal(size=8),
        "c": rng.normal(size=(6, 8, 3, 3)) / 8,
        "g": rng.normal(size=(6 * 4, 5)) / 6,
        "h": rng.normal(size=5),
    }
    nodes = [
        node("Conv", "x a b", "t1", "conv_1", pads=[1, 1, 1, 1]),
        node("Relu", "t1", "t2", "relu_1"),
        node("MaxPool", "t2", "t3", "pool", kernel_shape=[2, 2], strides=[2, 2]),
        node("Conv", "t3 c", "t4", "conv_2", strides=[2, 2]),
        node("Flatten", "t4", "t5", "flatten"),
        node("Gemm", "t5 g h", "y", "gemm"),
    ]
    model = make_model(nodes, constants, shape=(1, 3, 12, 12))
    add_pre_process_metadata(model)
    images = rng.normal(size=(10, 3, 12, 12)).astype(np.float32)
    quantize_static(
        model,
        tmp_path / "q.onnx",
        _Reader(images),
        quant_format=QuantFormat.QOperator,
        per_channel=per_channel,
        activation_type=QuantType[kind],
        weight_type=QuantType.QInt8,
        reduce_range=True,
    )
    quantized = onnx.load(tmp_path / "q.onnx")
    operators = {node.op_type for node in quantized.graph.node}
    assert {"QLinearConv", "QGemm"} <= operators
    network = import_network(quantized)
    assert network.host is None
    steps = []
    [port] = network.graph.outputs
    quantization = network.graph.tensors[port.tensor].quantization
    assert quantization is not None
    for image in images:
        [ours] = run_network(network, {"x": image[None]}).values()
        [theirs] = run_onnx(quantized, {"x": image[None]}).values()
        steps.append(np.rint((ours - theirs) / quantization.scale).ravel())
    assert np.abs(np.concatenate(steps)).max() <= 2
    assert (np.concatenate(steps) == 0).mean() > 0.9
