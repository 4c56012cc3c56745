# SPDX-License-Identifier: Apache-2.0
"""Quantised models from elsewhere: their numbers are kept, or they are refused by node name."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnxruntime.quantization import (  # type: ignore[import-untyped]
    CalibrationDataReader,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.quant_utils import (  # type: ignore[import-untyped]
    add_pre_process_metadata,
)

from flexcc import reference
from flexcc.errors import InputError
from flexcc.frontend import import_model
from flexcc.frontend.compare import compare, source_integers
from flexcc.frontend.export import export_model
from flexcc.frontend.network import import_network
from flexcc.ir.affine import dequantize_array, quantize_array
from flexcc.ir.graph import Graph
from flexcc.ir.layers import Clamp, Conv2d, ConvTranspose2d
from flexcc.passes import lower
from tests.models import random_float_graph
from tests.onnx_models import make_model, node, run_network, run_onnx

RNG = np.random.default_rng(0)
CONSTANTS: dict[str, NDArray[Any]] = {
    "w": RNG.integers(-127, 128, (4, 3, 3, 3)).astype(np.int8),
    "wu": RNG.integers(0, 256, (4, 3, 3, 3)).astype(np.uint8),
    "w16": RNG.integers(0, 256, (4, 3, 3, 3)).astype(np.int16),
    "b": RNG.integers(-999, 999, 4).astype(np.int32),
    "bf": RNG.normal(size=4),
    "s": np.array(0.02),
    "s2": np.array(0.05),
    "sodd": np.array(0.0337),
    "s3": RNG.uniform(0.001, 0.002, 3),
    "s4": RNG.uniform(0.001, 0.002, 4),
    "sneg": np.array(-0.02),
    "snan": np.array(np.nan),
    "sb": (0.02 * RNG.uniform(0.001, 0.002, 4)),
    "z": np.array(-3, np.int8),
    "z2": np.array(4, np.int8),
    "zero": np.array(0, np.int8),
    "zu": np.array(120, np.uint8),
    "z128": np.array(128, np.uint8),
    "z16": np.array(0, np.int16),
    "z4": np.zeros(4, np.int8),
    "z3": np.zeros(3, np.int8),
    "zb": np.zeros(4, np.int32),
    "zb1": np.zeros((), np.int32),
    "zf8": np.zeros(4, np.float32),
}
CONSTANTS["sb"] = (np.float32(0.02) * CONSTANTS["s4"].astype(np.float32)).astype(np.float32)


def _q(
    source: str, target: str, scale: str = "s", zero: str = "z", **attributes: Any
) -> onnx.NodeProto:
    return node("QuantizeLinear", f"{source} {scale} {zero}", target, f"q_{target}", **attributes)


def _dq(
    source: str, target: str, scale: str = "s", zero: str = "z", **attributes: Any
) -> onnx.NodeProto:
    return node(
        "DequantizeLinear", f"{source} {scale} {zero}", target, f"dq_{target}", **attributes
    )


IN = [_q("x", "xq"), _dq("xq", "xd")]
WEIGHT = [_dq("w", "wd", "s4", "z4", axis=0)]
BIAS = [_dq("b", "bd", "sb", "zb", axis=0)]
OUT = [_q("c", "cq", "s2", "z2"), _dq("cq", "y", "s2", "z2")]


def _model(*nodes: onnx.NodeProto, outputs: str = "y") -> onnx.ModelProto:
    return make_model(nodes, CONSTANTS, outputs=outputs)


def _check(model: onnx.ModelProto, *, exact: bool = True, scale: float = 1.0) -> Graph:
    """Imports, lowers and compares with ONNX Runtime on this very model."""
    graph = lower(import_model(model))
    rng = np.random.default_rng(1)
    types = {port.tensor: graph.tensors[port.tensor] for port in graph.inputs}
    inputs = {
        name: (scale * rng.normal(size=(4, t.channels, t.height, t.width))).astype(np.float32)
        for name, t in types.items()
    }
    comparison = compare(graph, inputs, source_integers(model, graph))
    if exact:
        assert not comparison.problems(), str(comparison)
    assert comparison.total().largest_difference <= 1
    return graph


def _conv(graph: Graph, index: int = 0) -> Conv2d:
    layer = graph.layers[index]
    assert isinstance(layer, Conv2d)
    return layer


def test_convolution_keeps_its_integers() -> None:
    graph = _check(_model(*IN, *WEIGHT, *BIAS, node("Conv", "xd wd bd", "c"), *OUT))
    conv = _conv(graph)
    assert np.array_equal(conv.weight, CONSTANTS["w"])
    assert np.array_equal(conv.bias, CONSTANTS["b"])
    assert conv.bias.dtype == np.int32
    assert graph.tensors["x"].quantization is not None
    assert graph.tensors["x"].quantization.zero_point == -3


def test_weights_per_tensor_and_no_bias() -> None:
    nodes = [*IN, _dq("w", "wd", "s2", "zero"), node("Conv", "xd wd", "c"), *OUT]
    conv = _conv(_check(_model(*nodes)))
    assert conv.weight_scale is not None
    assert conv.weight_scale.tolist() == [np.float32(0.05)] * 4
    assert not conv.bias.any()


@pytest.mark.parametrize("per_channel", [False, True])
def test_transposed_convolution_keeps_its_integers(per_channel: bool) -> None:
    """Its output channels, and their scales, lie on axis 1, those of a group only."""
    rng = np.random.default_rng(2)
    weight = rng.integers(-127, 128, (6, 2, 3, 2)).astype(np.int8)
    scale = rng.uniform(0.001, 0.002, 2).astype(np.float32)
    bias = rng.integers(-999, 999, 6).astype(np.int32)
    constants = {
        **CONSTANTS,
        "t": weight,
        "st": scale if per_channel else scale[0],
        "zt": np.zeros(2 if per_channel else (), np.int8),
        "bt": bias,
        "sbt": np.tile(np.float32(0.02) * scale, 3) if per_channel else np.float32(0.02) * scale[0],
        "zbt": np.zeros(6 if per_channel else (), np.int32),
    }
    nodes = [
        *IN,
        _dq("t", "wd", "st", "zt", axis=1),
        _dq("bt", "bd", "sbt", "zbt", axis=0),
        node("ConvTranspose", "xd wd bd", "c", group=3, strides=[2, 2], output_padding=[1, 0]),
        *OUT,
    ]
    graph = _check(make_model(nodes, constants, shape=(1, 6, 5, 7)))
    (conv,) = graph.layers
    assert isinstance(conv, ConvTranspose2d)
    assert conv.bias.dtype == np.int32
    assert np.array_equal(conv.bias, bias)
    assert conv.weight_scale is not None
    assert conv.weight_scale.tolist() == (scale.tolist() * 3 if per_channel else [scale[0]] * 6)
    for channel, source in np.ndindex(6, 2):
        of_group = channel // 2 * 2 + source
        assert np.array_equal(conv.weight[channel, source], weight[of_group, channel % 2])


@pytest.mark.parametrize("kind", ["INT4", "UINT4"])
def test_weights_of_four_bits(kind: str) -> None:
    rng = np.random.default_rng(3)
    low = 0 if kind == "UINT4" else -8
    weight, zero = rng.integers(low, low + 16, (4, 3, 3, 3)), np.array([0, 1, 2, 3])
    nodes = [*IN, _dq("wn", "wd", "s4", "zn", axis=0), node("Conv", "xd wd", "c"), *OUT]
    model = make_model(nodes, CONSTANTS, opset=21, ir_version=10)
    for name, array in (("wn", weight), ("zn", zero)):
        number = getattr(onnx.TensorProto, kind)
        tensor = onnx.helper.make_tensor(name, number, array.shape, array.ravel().tolist())
        model.graph.initializer.append(tensor)
    conv = _conv(lower(import_model(model)))
    assert np.array_equal(conv.weight, weight - zero.reshape(4, 1, 1, 1))
    x = {"x": rng.normal(size=(1, 3, 6, 7)).astype(np.float32)}
    ours, theirs = run_network(import_network(model), x)["y"], run_onnx(model, x)["y"]
    assert (np.abs(ours - theirs) < 0.01).mean() > 0.99


def test_transposed_weights_along_the_wrong_axis_are_refused() -> None:
    nodes = [*IN, _dq("w", "wd", "s4", "z4", axis=0), node("ConvTranspose", "xd wd", "c"), *OUT]
    with pytest.raises(InputError, match=r"along axis 0; only per tensor or .* \(axis 1\)"):
        import_model(make_model(nodes, CONSTANTS, shape=(1, 4, 5, 7)))


def test_one_dimension() -> None:
    constants = {**CONSTANTS, "w": CONSTANTS["w"][:, :, 0]}
    nodes = [*IN, *WEIGHT, *BIAS, node("Conv", "xd wd bd", "c", pads=[2, 0]), *OUT]
    graph = _check(make_model(nodes, constants, shape=(1, 3, 50)))
    assert graph.inputs[0].onnx_shape == (1, 3, 50)


def test_uint8_becomes_int8() -> None:
    nodes = [
        _q("x", "xq", "s", "zu"),
        _dq("xq", "xd", "s", "zu"),
        _dq("wu", "wd", "s2", "z128"),
        node("Conv", "xd wd", "c"),
        _q("c", "cq", "s2", "z128"),
        _dq("cq", "y", "s2", "z128"),
    ]
    graph = _check(_model(*nodes))
    assert np.array_equal(_conv(graph).weight, CONSTANTS["wu"].astype(int) - 128)
    quantization = graph.tensors["x"].quantization
    assert quantization is not None
    assert quantization.zero_point == -8


def test_zero_point_is_uint8_zero_when_absent() -> None:
    nodes = [
        node("QuantizeLinear", "x s", "xq"),
        node("DequantizeLinear", "xq s", "xd", "dq_x"),
        *WEIGHT,
        node("Conv", "xd wd", "c"),
        *OUT,
    ]
    quantization = lower(import_model(_model(*nodes))).tensors["x"].quantization
    assert quantization is not None
    assert quantization.zero_point == -128


@pytest.mark.parametrize("clip", ["Relu", "Clip"])
@pytest.mark.parametrize("rounded", [False, True])
def test_clip_before_or_between_equal_roundings(clip: str, rounded: bool) -> None:
    nodes = [*IN, *WEIGHT, node("Conv", "xd wd", "a")]
    between = [_q("a", "aq", "s2", "z2"), _dq("aq", "ad", "s2", "z2")] if rounded else []
    activation = node(clip, ("ad" if rounded else "a") + (" zf s2" if clip == "Clip" else ""), "c")
    constants = {**CONSTANTS, "zf": np.array(-0.1)}
    model = make_model([*nodes, *between, activation, *OUT], constants)
    low = -0.1 if clip == "Clip" else 0.0
    graph = _check(model, exact=rounded)
    assert len(graph.layers) == 1
    assert _conv(graph).clamp.low == pytest.approx(low)


def test_pool_and_reshape_need_no_rounding_of_their_own() -> None:
    nodes = [
        *IN,
        *WEIGHT,
        node("Conv", "xd wd", "c"),
        _q("c", "cq", "s2", "z2"),
        _dq("cq", "cd", "s2", "z2"),
        node("MaxPool", "cd", "p", kernel_shape=[2, 2]),
        node("Relu", "p", "r"),
        node("Flatten", "r", "y"),
    ]
    graph = lower(import_model(_model(*nodes)))
    assert [layer.name for layer in graph.layers] == ["conv_1", "maxpool_1"]
    assert _conv(graph).clamp == Clamp(low=0.0)
    assert len({tensor.quantization for tensor in graph.tensors.values()}) == 2
    assert graph.outputs[0].onnx_shape == (1, 48)


@pytest.mark.parametrize("kind", ["float", "other scale"])
def test_bias_that_is_no_multiple_of_a_step(kind: str) -> None:
    bias = "bf" if kind == "float" else "bd"
    nodes = [*IN, *WEIGHT, _dq("b", "bd", "s4", "zb", axis=0), node("Conv", f"xd wd {bias}", "c")]
    graph = _check(_model(*nodes, *OUT), exact=kind == "float")
    conv = _conv(graph)
    assert conv.bias.dtype == np.float64
    step = np.float64(np.float32(0.02)) * CONSTANTS["s4"].astype(np.float32)
    real = CONSTANTS["bf"] if kind == "float" else CONSTANTS["b"] * CONSTANTS["s4"].astype("f4")
    np.testing.assert_allclose(conv.bias * step, real.astype("f4"), rtol=1e-6)


def test_weights_from_quantize_linear_and_shared_quantizers() -> None:
    """Training leaves QuantizeLinear on float weights, and one per reader of a tensor."""
    nodes = [
        _q("wf", "w_int", "s4", "z4", axis=0),
        _dq("w_int", "wd", "s4", "z4", axis=0),
        *IN,
        _q("x", "x2q"),
        _dq("x2q", "x2d"),
        node("Conv", "xd wd", "c"),
        node("Conv", "x2d wd", "d", "conv_2"),
        *OUT,
        _q("d", "eq", "s2", "z2"),
        _dq("eq", "y2", "s2", "z2"),
    ]
    constants = {**CONSTANTS, "wf": RNG.normal(scale=0.05, size=(4, 3, 3, 3))}
    graph = lower(import_model(make_model(nodes, constants, outputs="y y2")))
    first, second = graph.layers
    assert first.inputs == second.inputs == ("x",)
    assert _conv(graph).weight.dtype == np.int8


def test_gemm_behind_flatten() -> None:
    rng = np.random.default_rng(2)
    constants = {
        **CONSTANTS,
        "g": rng.integers(-127, 128, (4 * 4 * 5, 6)).astype(np.int8),
        "sg": rng.uniform(0.001, 0.002, 6),
        "zg": np.zeros(6, np.int8),
    }
    nodes = [
        *IN,
        *WEIGHT,
        node("Conv", "xd wd", "c"),
        _q("c", "cq", "s2", "z2"),
        _dq("cq", "cd", "s2", "z2"),
        node("Flatten", "cd", "f"),
        _q("f", "fq", "s2", "z2"),
        _dq("fq", "fd", "s2", "z2"),
        _dq("g", "gd", "sg", "zg", axis=1),
        node("Gemm", "fd gd", "h"),
        _q("h", "hq", "s2", "z2"),
        _dq("hq", "y", "s2", "z2"),
    ]
    graph = lower(import_model(make_model(nodes, constants)))
    assert _conv(graph, 1).weight.shape == (6, 4, 4, 5)
    assert (
        compare(
            graph,
            {"x": rng.normal(size=(3, 3, 6, 7)).astype(np.float32)},
            source_integers(make_model(nodes, constants), graph),
        )
        .total()
        .largest_difference
        <= 1
    )


class _Reader(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, graph: Graph) -> None:
        rng = np.random.default_rng(5)
        shape = graph.inputs[0].onnx_shape
        self._samples = iter([{"x": rng.normal(size=shape).astype(np.float32)} for _ in range(4)])

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        return next(self._samples, None)


def _quantizable(rng: np.random.Generator, trial: int) -> Graph:
    """A network for ONNX Runtime's quantiser, which mistakes the bias of transposed groups."""
    while True:
        graph = random_float_graph(rng, depth=5, transpose=trial % 2 == 1)
        if all(getattr(x, "groups", 1) == 1 for x in graph.layers if not isinstance(x, Conv2d)):
            return graph


@pytest.mark.parametrize("unsigned", [False, True])
@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("trial", range(4))
def test_models_straight_from_onnx_runtimes_quantiser(
    seed: int, trial: int, unsigned: bool, per_channel: bool, tmp_path: Path
) -> None:
    rng = np.random.default_rng([seed, trial])
    floating = _quantizable(rng, trial)
    model = export_model(floating).model
    add_pre_process_metadata(model)
    quantize_static(
        model,
        tmp_path / "q.onnx",
        _Reader(floating),
        per_channel=per_channel,
        activation_type=QuantType.QUInt8 if unsigned else QuantType.QInt8,
        extra_options={"QDQDisableWeightAdjustForInt32Bias": True},
    )
    graph = _check(onnx.load(tmp_path / "q.onnx"))
    assert len(graph.layers) == len(floating.layers)


CONV = node("Conv", "xd wd", "c")


@pytest.mark.parametrize(
    ("nodes", "problem"),
    [
        ([_q("x", "xq", "s3", "z3")], "q_xq (QuantizeLinear): a computed tensor must have one sc"),
        ([_q("x", "xq", "s", "zb1")], "q_xq (QuantizeLinear): it makes int32; computed tensors"),
        ([_q("x", "xq", "sneg")], "q_xq (QuantizeLinear): its scale 'sneg' is not positive"),
        ([_q("x", "xq", "snan")], "q_xq (QuantizeLinear): its constant 'snan' holds 1 NaN"),
        ([_q("x", "xq", block_size=2)], "q_xq (QuantizeLinear): blocked quantisation is not"),
        (
            [_q("x", "xq"), _dq("xq", "xd", "s2"), *WEIGHT, CONV, *OUT],
            "dq_xd (DequantizeLinear): its scale 0.05 and zero point -3 are not those of the",
        ),
        ([*IN, _dq("w", "wd", "s3", "z3", axis=1), CONV, *OUT], "conv_1 (Conv): its weights 'w' a"),
        (
            [*IN, _dq("w16", "wd", "s", "z16"), CONV, *OUT],
            "dq_wd (DequantizeLinear): it dequantises int16; int32 and integers of 2, 4",
        ),
        (
            [*IN, _dq("w", "wd", "s4", "z3", axis=0), CONV, *OUT],
            "dq_wd (DequantizeLinear): its zero point does not belong to its input and scale",
        ),
        (
            [*IN, _dq("w", "wd", "s4", "z4", axis=4), CONV],
            "dq_wd (DequantizeLinear): its axis 4 is",
        ),
        (
            [*IN, _dq("w", "wd", "s4", "z4", axis=1), CONV],
            "dq_wd (DequantizeLinear): 4 scales do n",
        ),
        ([*IN, node("Conv", "xd wf", "c"), *OUT], "conv_1 (Conv): its input is quantised, its wei"),
        (
            [*IN, *WEIGHT, _dq("w", "bd", "s", "z"), node("Conv", "xd wd bd", "c"), *OUT],
            "conv_1 (Conv): its bias 'w' has shape [4, 3, 3, 3] for 4 channels",
        ),
        (
            [
                *IN,
                *WEIGHT,
                _dq("z4", "bd", "s4", "z4", axis=0),
                node("Conv", "xd wd bd", "c"),
                *OUT,
            ],
            "conv_1 (Conv): its bias 'z4' must be int32 with zero point 0",
        ),
        ([*IN, *WEIGHT, CONV, node("Relu", "c", "y")], "output 'y': it reads 'y' of relu_1, which"),
        (
            [_q("x", "xq"), node("BatchNormalization", "xq bf bf bf bf", "y")],
            "batchnormalization_1 (BatchNormalization): it works on integers; DequantizeLinear",
        ),
        (
            [node("MaxPool", "x", "p", kernel_shape=[1, 1]), _q("p", "pq"), _dq("pq", "y")],
            "maxpool_1: it reads 'x' of the input, which is not quantised; insert",
        ),
        ([_q("x", "y")], "output 'y' is integer; end with DequantizeLinear"),
        (
            [node("DequantizeLinear", "x s", "y", "dq")],
            "dq (DequantizeLinear): its input is no int",
        ),
    ],
)
def test_refused(nodes: list[onnx.NodeProto], problem: str) -> None:
    if not any("y" in made.output for made in nodes):
        nodes = [*nodes, node("Identity", nodes[-1].output[0], "y", "last")]
    constants = {**CONSTANTS, "wf": np.ones((4, 3, 3, 3))}
    with pytest.raises(InputError) as raised:
        import_model(make_model(nodes, constants, opset=21, ir_version=10))
    lines = str(raised.value).splitlines()[1:]
    assert any(line.startswith(problem) for line in lines), lines


def test_two_views_of_one_tensor_are_refused() -> None:
    nodes = [*IN, *WEIGHT, CONV, *OUT[:1], _dq("cq", "y", "s2", "z2"), node("Relu", "c", "r")]
    with pytest.raises(InputError) as raised:
        import_model(_model(*nodes, outputs="y r"))
    assert str(raised.value).splitlines()[1:] == [
        "relu_1: it reads 'c' both before and after its QuantizeLinear",
        (
            "output 'r': it reads 'r' of relu_1, which is not quantised; insert QuantizeLinear "
            "and DequantizeLinear, or give the float model"
        ),
    ]
    other = [_q("x", "other", "s2"), _dq("other", "od", "s2"), node("Conv", "od wd", "e", "conv_2")]
    with pytest.raises(InputError, match=r"q_other .*: 'x' is quantised twice, with scale 0.02"):
        import_model(_model(*IN, *WEIGHT, CONV, *OUT, *other, outputs="y e"))


@pytest.mark.parametrize("operator", ["Relu", "Clip", None])
def test_rounding_to_another_scale(operator: str | None) -> None:
    """What is rounded already and rounded again becomes a convolution of single pixels."""
    nodes = [
        *IN,
        *WEIGHT,
        CONV,
        _q("c", "cq", "s2", "z2"),
        _dq("cq", "cd", "s2", "z2"),
        *([node(operator, "cd", "r")] if operator else []),
        _q("r" if operator else "cd", "rq", "sodd", "z"),
        _dq("rq", "y", "sodd", "z"),
    ]
    model = _model(*nodes)
    graph = lower(import_model(model))
    again = _conv(graph, 1)
    assert again.weight.shape == (4, 1, 1, 1)
    assert again.groups == 4
    assert _conv(graph).clamp == (Clamp(low=0.0) if operator == "Relu" else Clamp())
    # ONNX Runtime's optimiser drops the first of two roundings, so it runs without.
    x = np.random.default_rng(1).normal(size=(1, 3, 6, 7)).astype(np.float32)
    theirs = run_onnx(model, {"x": x})["y"]
    last = graph.outputs[0].tensor
    types = [graph.tensors[name].quantization for name in ("x", last)]
    assert types[0] is not None
    assert types[1] is not None
    ours = dequantize_array(
        reference.run(graph, {"x": quantize_array(x, types[0])})[last], types[1]
    )
    assert np.mean(ours == theirs) > 0.99
    assert np.abs(ours - theirs).max() <= 1.001 * types[1].scale


def test_negative_factors_behind_integers_are_refused() -> None:
    """The weights themselves would have to change."""
    rest = [node("Mul", "c sneg", "m", "scale_it"), _q("m", "mq"), _dq("mq", "y")]
    nodes = [*IN, *WEIGHT, CONV, *rest]
    with pytest.raises(InputError, match="scale_it: the output of conv_1 is not quantised"):
        lower(import_model(_model(*nodes)))
