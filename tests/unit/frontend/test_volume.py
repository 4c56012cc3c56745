# SPDX-License-Identifier: Apache-2.0
"""Volumes [1,C,D,H,W]: convolutions by planes, and what may stand around them."""

from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from flexcc import reference
from flexcc.errors import InputError
from flexcc.frontend import import_model
from flexcc.frontend.export import export_model
from flexcc.ir.affine import dequantize_array, quantize_array
from flexcc.ir.layers import Conv2d, Convolution
from flexcc.ir.macs import is_depthwise, parameter_count, useful_macs
from flexcc.passes import lower
from flexcc.quantization import quantize
from tests.onnx_models import assert_imports_like_onnx_runtime, make_model, node, run_onnx
from tests.quantization import quantization_of

VOLUME = (1, 2, 4, 5, 6)


def _volume_model(nodes: list[onnx.NodeProto], **constants: NDArray[Any]) -> onnx.ModelProto:
    return make_model(nodes, constants, shape=VOLUME)


def _only_convolution(model: onnx.ModelProto) -> Convolution:
    (layer,) = import_model(model).layers
    assert isinstance(layer, Convolution)
    return layer


def test_planes_are_channels_and_kernels_bands() -> None:
    """Stride 2, dilation 2 and one plane of padding: plane o reads planes 2*o - 1 and 2*o + 1."""
    weight = np.arange(1, 5, dtype=float).reshape(1, 2, 2, 1, 1)
    attributes: dict[str, Any] = {
        "strides": [2, 1, 1],
        "dilations": [2, 1, 1],
        "pads": [1, 0, 0, 1, 0, 0],
    }
    conv = _only_convolution(
        _volume_model([node("Conv", "x w b", "y", **attributes)], w=weight, b=np.array([7.0]))
    )
    assert isinstance(conv, Conv2d)
    assert (conv.strides, conv.dilations, conv.groups) == ((1, 1), (1, 1), 1)
    assert conv.weight[:, :, 0, 0].tolist() == [
        [0, 2, 0, 0, 0, 4, 0, 0],
        [0, 1, 0, 2, 0, 3, 0, 4],
    ]
    assert conv.bias.tolist() == [7, 7]


def test_transposed_planes() -> None:
    """Stride 2: plane i writes planes 2*i - 1 (cut off at the front) and 2*i."""
    weight = np.array([1.0, 2, 3, 4]).reshape(2, 1, 2, 1, 1)
    attributes: dict[str, Any] = {"strides": [2, 1, 1], "pads": [1, 0, 0, 0, 0, 0]}
    model = _volume_model([node("ConvTranspose", "x w", "y", **attributes)], w=weight)
    conv = _only_convolution(model)
    band = np.zeros((7, 2, 4))
    for plane in range(4):
        band[2 * plane, :, plane] = 2, 4
        if plane:
            band[2 * plane - 1, :, plane] = 1, 3
    assert np.array_equal(conv.weight[:, :, 0, 0], band.reshape(7, 8))


@pytest.mark.parametrize("operator", ["Conv", "ConvTranspose"])
@pytest.mark.parametrize("groups", [1, 2])
def test_costs_are_the_products_of_the_model(operator: str, groups: int) -> None:
    """Ones over ones count the products of each output, for only the depth is padded."""
    weight = np.ones((4, 2 // groups, 3, 2, 3) if operator == "Conv" else (2, 4 // groups, 3, 2, 3))
    model = _volume_model(
        [node(operator, "x w b", "y", group=groups, strides=[2, 1, 2], pads=[2, 0, 0, 1, 0, 0])],
        w=weight,
        b=np.zeros(4),
    )
    graph = import_model(model)
    (conv,) = graph.layers
    assert isinstance(conv, Convolution)
    products = run_onnx(model, {"x": np.ones(VOLUME, np.float32)})["y"].sum()
    assert useful_macs(graph, conv) == products < conv.weight.size * 20
    assert parameter_count(conv) == weight.size  # a bias of zeros is none
    assert not is_depthwise(conv)


def test_costs_survive_lowering_and_quantisation(seed: int) -> None:
    rng = np.random.default_rng(seed)
    weight = rng.normal(size=(3, 2, 3, 3, 3))
    model = _volume_model(
        [node("Conv", "x w b", "c"), node("Relu", "c", "y")], w=weight, b=np.ones(3)
    )
    graph = lower(import_model(model))
    samples = {"x": rng.normal(size=(3, 8, 5, 6)).astype(np.float32)}
    for each in (graph, quantize(graph, samples).graph):
        (conv,) = each.layers
        assert isinstance(conv, Convolution)
        assert useful_macs(each, conv) == weight.size * 2 * 3 * 4
        assert parameter_count(conv) == weight.size + 3


@pytest.mark.parametrize("trial", range(5))
def test_elementwise_operators_between_volumes(seed: int, trial: int) -> None:
    """Parameters per channel hold for all planes; a constant may also differ by plane."""
    rng = np.random.default_rng([seed, trial])
    nodes = [
        node("Conv", "x w b", "c", "first", pads=[1, 1, 1, 1, 1, 1]),
        node("BatchNormalization", "c scale offset mean variance", "n"),
        node("PRelu", "n slope", "p"),
        node("Mul", "p factor", "m"),
        node("Add", "m plane", "a"),
        node("Sigmoid", "a", "s"),
        node("ConvTranspose", "s v", "t", "second", strides=[2, 1, 1]),
        node("LeakyRelu", "t", "l"),
        node("Clip", "l low high", "k"),
        node("Conv", "k u", "d", "third", group=2),
        node("Add", "d d", "e", "twice"),
        node("Relu", "e", "y"),
    ]
    constants: dict[str, NDArray[Any]] = {
        "w": rng.normal(size=(4, 2, 3, 3, 3)),
        "b": rng.normal(size=4),
        "scale": rng.normal(size=4),
        "offset": rng.normal(size=4),
        "mean": rng.normal(size=4),
        "variance": rng.uniform(1, 2, 4),
        "slope": rng.normal(size=(4, 1, 1, 1)),
        "factor": rng.normal(size=(1, 4, 1, 1, 1)),
        "plane": rng.normal(size=(4, 1, 1)),
        "v": rng.normal(size=(4, 2, 2, 2, 2)),
        "low": np.array(-0.5),
        "high": np.array(2.0),
        "u": rng.normal(size=(4, 1, 2, 1, 3)),
    }
    if trial % 2:
        constants["factor"] = rng.normal(size=(4, 4, 1, 1))
    model = make_model(nodes, constants, shape=VOLUME, outputs="y p")
    graph = assert_imports_like_onnx_runtime(model, rng)
    assert graph.inputs[0].onnx_shape == VOLUME
    assert [port.onnx_shape for port in graph.outputs] == [(1, 4, 7, 6, 5), (1, 4, 4, 5, 6)]


@pytest.mark.parametrize("shape", [(1, 1, 5, 6), (1, 3, 4, 5, 6), (1, 1, 1, 1, 6)])
def test_operands_that_fit(seed: int, shape: tuple[int, ...]) -> None:
    """Repeated are channels and depth together, or neither."""
    model = _two_inputs(shape)
    graph = assert_imports_like_onnx_runtime(model, np.random.default_rng(seed))
    assert graph.outputs[0].onnx_shape == (1, 3, 4, 5, 6)


@pytest.mark.parametrize("shape", [(1, 3, 1, 5, 6), (1, 1, 4, 5, 6), (1, 4, 5, 6)])
def test_operands_repeated_along_channels_or_depth_alone_are_refused(
    shape: tuple[int, ...],
) -> None:
    with pytest.raises(
        InputError, match=r"add_1 \(Add\): its operands of shapes \[1, 3, 4, 5, 6\]"
    ):
        import_model(_two_inputs(shape))


def _two_inputs(shape: tuple[int, ...]) -> onnx.ModelProto:
    """The sum of [1,3,4,5,6] and a function of another input."""
    nodes = [node("Sigmoid", "z", "s"), node("Add", "x s", "y")]
    model = make_model(nodes, shape=(1, 3, 4, 5, 6))
    model.graph.input.append(onnx.helper.make_tensor_value_info("z", onnx.TensorProto.FLOAT, shape))
    return model


@pytest.mark.parametrize(
    ("nodes", "problem"),
    [
        (
            [node("MaxPool", "x", "y", kernel_shape=[1, 1, 1])],
            "maxpool_1 (MaxPool): its input has shape [1, 2, 4, 5, 6], not [1,C,H,W] or [1,C,L]",
        ),
        (
            [node("Transpose", "x", "y", perm=[0, 2, 1, 3, 4])],
            "transpose_1 (Transpose): its perm [0, 2, 1, 3, 4] of shape [1, 2, 4, 5, 6] does not",
        ),
        ([node("Add", "x pixels", "y")], "add_1 (Add): its constant differs within a channel"),
        (
            [node("BatchNormalization", "x long long long long", "y")],
            "batchnormalization_1 (BatchNormalization): its parameters are not vectors of 2 chan",
        ),
        (
            [node("Conv", "x w", "y", pads=[1, 0, 0])],
            "conv_1 (Conv): its attribute pads has 3 values, not 6",
        ),
        (
            [node("Conv", "x w", "y", strides=[0, 1, 1])],
            "conv_1 (Conv): kernel [3, 1, 1], strides [0, 1, 1] and dilations [1, 1, 1] must be",
        ),
        (
            [node("Conv", "x w", "y", dilations=[3, 1, 1])],
            "conv_1 (Conv): its window of 7x1x1 pixels is larger than its padded input of 4x5x6",
        ),
        (
            [node("Conv", "x w", "y", kernel_shape=[3, 3, 1])],
            "conv_1 (Conv): its kernel_shape [3, 3, 1] contradicts its weights of 3x1x1",
        ),
    ],
)
def test_refused(nodes: list[onnx.NodeProto], problem: str) -> None:
    constants: dict[str, NDArray[Any]] = {
        "w": np.ones((2, 2, 3, 1, 1)),
        "long": np.ones(8),
        "pixels": np.arange(6.0),
    }
    with pytest.raises(InputError) as raised:
        import_model(_volume_model(nodes, **constants))
    assert str(raised.value).splitlines()[1].startswith(problem)


def test_an_image_is_no_volume() -> None:
    model = make_model([node("Conv", "x w", "y")], {"w": np.ones((2, 3, 1, 1, 1))})
    problem = r"its input has shape \[1, 3, 6, 7\], but its weights have rank 5"
    with pytest.raises(InputError, match=problem):
        import_model(model)


@pytest.mark.parametrize(("depth", "fits"), [(256, True), (257, False)])
def test_bands_of_too_many_weights_are_refused(depth: int, fits: bool) -> None:
    """32x32 channels over 256 planes with one kernel plane are 64 Mi weights."""
    constants = {"w": np.ones((32, 32, 1, 1, 1))}
    model = make_model([node("Conv", "x w", "y")], constants, shape=(1, 32, depth, 1, 1))
    if fits:
        assert _only_convolution(model).weight.shape == (8192, 8192, 1, 1)
        return
    with pytest.raises(InputError) as raised:
        import_model(model)
    assert str(raised.value).splitlines()[1] == (
        "conv_1 (Conv): over a depth of 257 its weights [32, 32, 1, 1, 1] become 67,634,176 by "
        "plane, more than 67,108,864; cut the volume into thinner ones, or give the layer fewer "
        "channels"
    )


@pytest.mark.parametrize("operator", ["Conv", "ConvTranspose"])
@pytest.mark.parametrize("per_channel", [False, True])
def test_quantised_models_keep_their_integers(operator: str, per_channel: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    axis = 0 if operator == "Conv" else 1
    weight = rng.integers(-127, 128, (2, 2, 3, 2, 3)).astype(np.int8)
    scale = rng.uniform(0.001, 0.002, 2 if per_channel else ()).astype(np.float32)
    constants: dict[str, NDArray[Any]] = {
        "s": np.array(0.02),
        "z": np.array(-3, np.int8),
        "w": weight,
        "ws": scale,
        "wz": np.zeros(scale.shape, np.int8),
        "b": rng.integers(-999, 999, 2).astype(np.int32),
        "bs": np.float32(0.02) * np.broadcast_to(scale, 2).copy(),
        "bz": np.zeros(2, np.int32),
        "s2": np.array(0.03),
        "z2": np.array(4, np.int8),
    }
    nodes = [
        node("QuantizeLinear", "x s z", "xq", "in"),
        node("DequantizeLinear", "xq s z", "xd", "input"),
        node("DequantizeLinear", "w ws wz", "wd", "weights", axis=axis),
        node("DequantizeLinear", "b bs bz", "bd", "bias", axis=0),
        node(operator, "xd wd bd", "c", strides=[2, 1, 1], pads=[1, 1, 1, 2, 1, 1]),
        node("QuantizeLinear", "c s2 z2", "cq", "out"),
        node("DequantizeLinear", "cq s2 z2", "y"),
    ]
    model = _volume_model(nodes, **constants)
    graph = lower(import_model(model))
    (conv,) = graph.layers
    assert isinstance(conv, Convolution)
    assert conv.weight_scale is not None
    planes = graph.outputs[0].onnx_shape[2]
    assert np.array_equal(conv.weight_scale, np.broadcast_to(scale, 2).repeat(planes))
    assert np.array_equal(conv.bias, constants["b"].repeat(planes))
    x = rng.normal(size=VOLUME).astype(np.float32)
    expected = run_onnx(model, {"x": x})["y"]
    kind = quantization_of(graph, "x")
    integers = quantize_array(x.reshape(1, 8, 5, 6), kind)
    ours = reference.run(graph, {"x": integers})[graph.outputs[0].tensor]
    real = dequantize_array(ours, quantization_of(graph, graph.outputs[0].tensor))
    difference = np.abs(real.reshape(expected.shape) - expected)
    assert difference.max() <= 0.03 * 1.001
    assert (difference > 0.001).mean() < 0.01


def test_quantised_graphs_are_exported_with_the_ports_of_the_model(seed: int) -> None:
    rng = np.random.default_rng(seed)
    nodes = [
        node("Conv", "x w", "c", pads=[1, 1, 1, 1, 1, 1]),
        node("Relu", "c", "r"),
        node("ConvTranspose", "r v", "y", strides=[2, 2, 2]),
    ]
    constants = {"w": rng.normal(size=(3, 2, 3, 3, 3)), "v": rng.normal(size=(3, 2, 2, 2, 2))}
    graph = lower(import_model(make_model(nodes, constants, shape=VOLUME)))
    samples = {"x": rng.normal(size=(4, 8, 5, 6)).astype(np.float32)}
    quantized = quantize(graph, samples).graph
    exported = export_model(quantized).model
    volume = samples["x"][:1].reshape(VOLUME)
    expected = run_onnx(make_model(nodes, constants, shape=VOLUME), {"x": volume})["y"]
    result = run_onnx(exported, {"x": volume})["y"]
    assert result.shape == expected.shape == (1, 2, 8, 10, 12)
    assert np.abs(result - expected).max() < 0.03 * np.abs(expected).max()
