# SPDX-License-Identifier: Apache-2.0
"""The cut into host head, accelerator body and host tail."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from flexcc.errors import InputError
from flexcc.frontend.network import Network, Place, import_network
from flexcc.passes import lower
from tests.onnx_models import make_model, node, run_network, run_onnx

WEIGHT = {
    "w": np.random.default_rng(0).normal(size=(3, 3, 1, 1)),
    "v": np.random.default_rng(1).normal(size=(3, 3, 3, 3)),
}


def places(network: Network) -> dict[str, str]:
    """Names of the nodes by place, in order."""
    found: dict[str, list[str]] = {}
    for entry in network.nodes:
        found.setdefault(entry.place.name, []).append(entry.name)
    return {place: " ".join(names) for place, names in found.items()}


def assert_runs_like_onnx_runtime(
    model: onnx.ModelProto, inputs: Mapping[str, NDArray[Any]]
) -> Network:
    """Head, float body and tail together give what ONNX Runtime gives for the whole model."""
    network = import_network(model)
    assert network.host is not None
    results = run_network(network, inputs)
    expected = run_onnx(model, inputs)
    assert results.keys() == expected.keys()
    for name, array in expected.items():
        assert results[name].shape == array.shape
        np.testing.assert_allclose(results[name], array, rtol=1e-4, atol=1e-4)
        [signature] = [s for s in network.host.outputs if s.name == name]
        assert signature.shape in (None, array.shape)
        if signature.shape is not None:
            assert signature.dtype == array.dtype
    return network


def real(seed: int, *shape: int) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def test_without_host_parts() -> None:
    network = import_network(make_model([node("Conv", "x w", "y")], WEIGHT))
    assert network.host is None
    assert places(network) == {"ACCELERATOR": "conv_1"}


def test_tail(seed: int) -> None:
    """The refused node, what reads it, and nothing else."""
    nodes = [
        node("Conv", "x w", "c", "conv"),
        node("Relu", "c", "r", "relu"),
        node("Softmax", "r", "s", "softmax", axis=1),
        node("Mul", "s two", "y", "twice"),
        node("ArgMax", "s", "a", "classes", axis=1, keepdims=0),
        node("Conv", "x v", "z", "other"),
    ]
    model = make_model(nodes, {**WEIGHT, "two": np.array([2.0])}, outputs="y a z")
    model.graph.output[1].type.tensor_type.elem_type = TensorProto.INT64
    network = assert_runs_like_onnx_runtime(model, {"x": real(seed, 1, 3, 6, 7)})
    assert places(network) == {"ACCELERATOR": "conv relu other", "TAIL": "softmax twice classes"}
    assert [port.onnx_name for port in network.graph.outputs] == ["r", "z"]
    reasons = {entry.name: entry.reason for entry in network.nodes}
    assert reasons["softmax"] == "this operator is not supported"
    assert reasons["twice"] is None


def test_head_reads_other_types(seed: int) -> None:
    """uint8 images with channels last: the cast is the host's, the rest the accelerator's."""
    nodes = [
        node("Cast", "x", "f", "cast", to=TensorProto.FLOAT),
        node("Transpose", "f", "t", "turn", perm=[0, 3, 1, 2]),
        node("Mul", "t k", "m", "scale"),
        node("Conv", "m w", "y", "conv"),
    ]
    model = make_model(
        nodes, {**WEIGHT, "k": np.array([1 / 255])}, shape=(1, 6, 7, 3), kind=TensorProto.UINT8
    )
    image = np.random.default_rng(seed).integers(0, 256, (1, 6, 7, 3), np.uint8)
    network = assert_runs_like_onnx_runtime(model, {"x": image})
    assert places(network) == {"HEAD": "cast", "ACCELERATOR": "turn scale conv"}
    assert network.host is not None
    assert [(s.dtype, s.shape) for s in network.host.inputs] == [("uint8", (1, 6, 7, 3))]


def test_head_of_a_rank_that_no_tensor_has(seed: int) -> None:
    """What reads a six-dimensional value goes to the head, up to the first that can be read."""
    nodes = [
        node("Sin", "x", "s", "sin"),
        node("Abs", "s", "a", "abs"),
        node("Reshape", "a shape", "r", "reshape"),
        node("Conv", "r w", "y", "conv"),
    ]
    constants = {**WEIGHT, "shape": np.array([1, 3, 6, 7])}
    model = make_model(nodes, constants, shape=(1, 1, 1, 3, 6, 7))
    network = assert_runs_like_onnx_runtime(model, {"x": real(seed, 1, 1, 1, 3, 6, 7)})
    assert places(network) == {"HEAD": "sin abs reshape", "ACCELERATOR": "conv"}


def test_head_and_tail_and_a_way_around(seed: int) -> None:
    """The tail reads the input of the model, what the head makes, and the body."""
    nodes = [
        node("LogSoftmax", "x", "s", "log"),
        node("Conv", "s w", "c", "conv"),
        node("Softmax", "c", "p", "softmax", axis=1),
        node("Add", "p s", "q", "plus_head"),
        node("Add", "q x", "y", "plus_input"),
    ]
    model = make_model(nodes, WEIGHT, outputs="y s")
    network = assert_runs_like_onnx_runtime(model, {"x": real(seed, 1, 3, 6, 7)})
    assert places(network) == {
        "HEAD": "log",
        "ACCELERATOR": "conv",
        "TAIL": "softmax plus_head plus_input",
    }


def test_constants_go_where_they_are_read(seed: int) -> None:
    """Folded shapes and dequantised constants are known in every part."""
    nodes = [
        node("Conv", "x w", "c", "conv"),
        node("Shape", "c", "shape", "shape"),
        node("Gather", "shape one", "channels", "channels"),
        node("Unsqueeze", "channels zero", "k", "list"),
        node("Concat", "k rest", "to", "target", axis=0),
        node("Softmax", "c", "s", "softmax", axis=1),
        node("Reshape", "s to", "r", "flat"),
        node("DequantizeLinear", "i scale", "d", "slopes"),
        node("Mul", "r d", "y", "mul"),
    ]
    constants = {
        **WEIGHT,
        "one": np.array(1),
        "zero": np.array([0]),
        "rest": np.array([-1]),
        "i": np.array([[3], [-4], [100]], np.int8),
        "scale": np.array(0.25),
    }
    model = make_model(nodes, constants)
    network = assert_runs_like_onnx_runtime(model, {"x": real(seed, 1, 3, 6, 7)})
    assert places(network) == {
        "COMPILER": "shape channels list target slopes",
        "ACCELERATOR": "conv",
        "TAIL": "softmax flat mul",
    }


def test_outputs_of_unknown_size(seed: int) -> None:
    nodes = [node("Conv", "x w", "c"), node("NonZero", "c", "n"), node("Shape", "n", "y")]
    model = make_model(nodes, WEIGHT)
    model.graph.output[0].type.tensor_type.elem_type = TensorProto.INT64
    network = assert_runs_like_onnx_runtime(model, {"x": real(seed, 1, 3, 6, 7)})
    assert places(network) == {"ACCELERATOR": "conv_1", "TAIL": "nonzero_1 shape_1"}


def test_everything_in_the_middle_is_named() -> None:
    nodes = [
        node("LogSoftmax", "x", "a", "pre"),
        node("Conv", "a w", "b", "conv_1"),
        node("Softmax", "b", "c", "middle_1"),
        node("Hardmax", "c", "d", "middle_2"),
        node("Conv", "d v", "e", "conv_2"),
        node("Softmax", "e", "y", "post"),
    ]
    with pytest.raises(InputError) as raised:
        import_network(make_model(nodes, WEIGHT))
    lines = str(raised.value).splitlines()
    assert lines[:4] == [
        "the model cannot be compiled:",
        "middle_1 (Softmax): this operator is not supported",
        "middle_2 (Hardmax): this operator is not supported",
        "The host runs what stands before or behind all layers with weights; these do not.",
    ]
    assert lines[4].startswith("Supported are Add, ")
    assert len(lines) == 5


def test_weights_never_run_on_the_host() -> None:
    """Not even at an edge, not even when everything else could."""
    first = [node("Conv", "x bad", "c", "conv_1"), node("Conv", "c w", "y", "conv_2")]
    last = [node("Conv", "x w", "c", "conv_1"), node("Gemm", "c g", "y", "gemm")]
    bad = {**WEIGHT, "bad": np.full((3, 3, 1, 1), np.nan), "g": np.ones((7, 2))}
    for nodes, words in ((first, r"conv_1 .Conv.: its constant 'bad' holds 9 NaN"), (last, "gemm")):
        with pytest.raises(InputError, match=words):
            import_network(make_model(nodes, bad))


def test_a_model_for_the_host_alone_is_refused() -> None:
    with pytest.raises(InputError, match=r"softmax_1 .Softmax.: this operator is not supported"):
        import_network(make_model([node("Softmax", "x", "y")]))


def test_subgraphs_are_refused_by_name() -> None:
    branch = helper.make_graph(
        [helper.make_node("Neg", ["c"], ["n"])],
        "branch",
        [],
        [helper.make_empty_tensor_value_info("n")],
    )
    nodes = [
        node("Conv", "x w", "c"),
        node("ReduceMax", "c", "m", keepdims=0),
        node("Cast", "m", "b", to=TensorProto.BOOL),
        node("If", "b", "y", "choice", then_branch=branch, else_branch=branch),
    ]
    with pytest.raises(InputError, match=r"choice .If.: this operator is not supported") as raised:
        import_network(make_model(nodes, WEIGHT))
    assert "must not hold subgraphs" in str(raised.value)


def test_dynamic_inputs_stay_errors() -> None:
    nodes = [node("Sin", "x", "s"), node("Conv", "s w", "y")]
    with pytest.raises(InputError, match="fix it with --input-shape x=1x3x7x7"):
        import_network(make_model(nodes, WEIGHT, shape=(1, 3, "h", 7)))


def test_host_parts_that_onnx_runtime_refuses() -> None:
    nodes = [node("Conv", "x w", "c", "conv"), node("Magic", "c", "y", "spell", domain="com.me")]
    model = make_model(nodes, WEIGHT)
    model.opset_import.append(helper.make_opsetid("com.me", 1))
    with pytest.raises(InputError) as raised:
        import_network(model)
    lines = str(raised.value).splitlines()
    assert lines[0].startswith("ONNX Runtime cannot run the host part of the model: ")
    assert lines[1] == "spell (com.me.Magic): this operator is not supported"


def test_shapes_that_the_host_decides() -> None:
    nodes = [
        node("NonZero", "x", "n", "where"),
        node("Cast", "n", "f", "cast", to=TensorProto.FLOAT),
        node("Unsqueeze", "f zero", "u", "unsqueeze"),
        node("Conv", "u w", "y", "conv"),
    ]
    constants = {"zero": np.array([0]), "w": np.ones((4, 4, 1))}
    words = r"conv .Conv.: it reads 'u', whose shape is not known"
    with pytest.raises(InputError, match=words):
        import_network(make_model(nodes, constants))


def quantized(nodes: list[onnx.NodeProto], **changes: Any) -> onnx.ModelProto:
    """`nodes` around x -> Q/DQ -> conv -> Q/DQ, whose real output is `c`."""
    constants = {
        "s": np.array(0.05),
        "z": np.array(3, np.uint8),
        "wi": np.random.default_rng(0).integers(-90, 91, (3, 3, 1, 1)).astype(np.int8),
        "ws": np.array(0.01),
        "t": np.array(0.04),
        "u": np.array(120, np.uint8),
    }
    body = [
        node("DequantizeLinear", "wi ws", "w", "dw"),
        node("Conv", "d w", "p", "conv"),
        node("QuantizeLinear", "p t u", "q", "qc"),
        node("DequantizeLinear", "q t u", "c", "dc"),
    ]
    return make_model([*body, *nodes], constants, **changes)


def test_integers_that_cross_the_cut(seed: int) -> None:
    """The tail reads the body's uint8 themselves."""
    nodes = [
        node("QuantizeLinear", "x s z", "i", "qx"),
        node("DequantizeLinear", "i s z", "d", "dx"),
        node("BitShift", "q one", "h", "half", direction="RIGHT"),
        node("Cast", "h", "y", "cast", to=TensorProto.FLOAT),
    ]
    model = quantized(nodes)
    model.graph.initializer.append(numpy_helper.from_array(np.array(1, np.uint8), "one"))
    network = import_network(model)
    assert places(network)["TAIL"] == "half cast"
    assert network.host is not None
    assert all(kind.quantization is not None for kind in network.graph.tensors.values())
    [port] = network.graph.outputs
    x = real(seed, 1, 3, 6, 7)
    whole = dict(zip(("y", "q"), _run(model, x, "y", "q"), strict=True))
    given = (whole["q"].astype(np.int32) - 120).astype(np.float32) * np.float32(0.04)
    np.testing.assert_array_equal(network.host.after({port.onnx_name: given})["y"], whole["y"])


def test_integer_inputs_of_quantised_models(seed: int) -> None:
    """The host dequantises them, and the accelerator takes the same integers."""
    model = quantized([node("DequantizeLinear", "x s z", "d", "dx")], kind=TensorProto.UINT8)
    model.graph.output[0].name = "c"
    network = import_network(model)
    assert places(network)["HEAD"] == "dx"
    graph = lower(network.graph)
    [port] = graph.inputs
    quantization = graph.tensors[port.tensor].quantization
    assert quantization is not None
    assert quantization.zero_point == 3 - 128
    assert quantization.scale == np.float32(0.05)
    image = np.random.default_rng(seed).integers(0, 256, (1, 3, 6, 7), np.uint8)
    assert network.host is not None
    np.testing.assert_array_equal(
        network.host.before({"x": image})[port.onnx_name],
        (image.astype(np.int32) - 3).astype(np.float32) * np.float32(0.05),
    )


def _run(model: onnx.ModelProto, x: NDArray[np.float32], *names: str) -> list[NDArray[Any]]:
    model = onnx.ModelProto.FromString(model.SerializeToString())
    del model.graph.output[:]
    model.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in names)
    return list(run_onnx(model, {"x": x}).values())


def test_the_same_bytes_every_time() -> None:
    nodes = [node("LogSoftmax", "x", "s"), node("Conv", "s w", "c"), node("Softmax", "c", "y")]
    first, second = (import_network(make_model(nodes, WEIGHT)) for _ in range(2))
    assert first.host is not None
    assert second.host is not None
    for one, other in ((first.host.head, second.host.head), (first.host.tail, second.host.tail)):
        assert one is not None
        assert other is not None
        assert one.content == other.content
    assert [entry.place for entry in first.nodes] == [Place.HEAD, Place.ACCELERATOR, Place.TAIL]
