# SPDX-License-Identifier: Apache-2.0
"""The walk over a model: order, names, structure, and one error for all problems."""

from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import helper

from flexcc import reference
from flexcc.errors import InputError
from flexcc.frontend import import_model
from flexcc.frontend.registry import supported_operators
from flexcc.ir.printer import print_graph
from tests.onnx_models import assert_imports_like_onnx_runtime, make_model, node, run_onnx

WEIGHT = {"w": np.ones((3, 3, 1, 1))}


def test_every_problem_is_in_one_error() -> None:
    nodes = [
        node("Conv", "x w", "a", "conv_a", strides=[0, 1]),
        node("Unique", "a", "b", ""),
        node("LSTM", "b w", "c", "recurrent"),
        node("Conv", "x v", "d", "conv_d"),
        node("Magic", "d", "e", "spell", domain="com.example"),
        node("Add", "c e", "y", "sum"),
        node("Softmax", "unused", "z", "dead"),
    ]
    constants = {**WEIGHT, "v": np.full((3, 3, 1, 1), np.nan), "unused": np.ones(3)}
    with pytest.raises(InputError) as raised:
        import_model(make_model(nodes, constants))
    assert str(raised.value).splitlines() == [
        "the model cannot be compiled:",
        "conv_a (Conv): kernel [1, 1], strides [0, 1] and dilations [1, 1] must be positive",
        "b (Unique): this operator is not supported",
        "recurrent (LSTM): this operator is not supported",
        (
            "conv_d (Conv): its constant 'v' holds 9 NaN or infinite values, the first at "
            "[0, 0, 0, 0]; export the model again from sound weights"
        ),
        "spell (com.example.Magic): this operator is not supported",
        supported_operators(),
    ]


def test_nodes_may_stand_in_any_order() -> None:
    nodes = [
        node("Relu", "b", "y", "last"),
        node("Conv", "a w", "b", "middle"),
        node("Relu", "x", "a", "first"),
    ]
    graph = import_model(make_model(nodes, WEIGHT))
    assert [layer.name for layer in graph.layers] == ["first", "middle", "last"]


def test_nodes_keep_their_order_in_the_file() -> None:
    nodes = [node("Relu", "x", "a", "a1"), node("Conv", "a w", "b"), node("Relu", "x", "c", "c1")]
    graph = import_model(make_model(nodes, WEIGHT, outputs="c b"))
    assert [layer.name for layer in graph.layers] == ["a1", "conv_1", "c1"]


def test_names_are_made_unique() -> None:
    nodes = [
        node("Relu", "x", "a", "same"),
        node("Relu", "a", "b", "same"),
        node("Relu", "b", "c", ""),
        node("Relu", "c", "y", "c"),
    ]
    graph = import_model(make_model(nodes))
    assert [layer.name for layer in graph.layers] == ["same", "b", "c", "y"]


def test_initialisers_listed_among_the_inputs(seed: int) -> None:
    model = make_model([node("Conv", "x w", "y")], WEIGHT, opset=7, ir_version=3)
    model.graph.input.append(
        helper.make_tensor_value_info("w", onnx.TensorProto.FLOAT, [3, 3, 1, 1])
    )
    graph = assert_imports_like_onnx_runtime(model, np.random.default_rng(seed))
    assert [port.onnx_name for port in graph.inputs] == ["x"]


def test_constant_subgraphs_are_folded(seed: int) -> None:
    nodes = [
        helper.make_node(
            "Constant",
            [],
            ["k"],
            value=onnx.numpy_helper.from_array(np.array([2.0, 0.5, 1.0], np.float32)),
        ),
        node("Reshape", "k s", "r", "shape_it"),
        node("Mul", "r w", "scaled", "scale_it"),
        node("Transpose", "scaled", "t", "turn_it", perm=[1, 0, 2, 3]),
        node("Conv", "x t", "y"),
    ]
    constants = {
        "w": np.random.default_rng(seed).normal(size=(3, 2, 2, 2)),
        "s": np.array([3, 1, 1, 1]),
    }
    model = make_model(nodes, constants, shape=(1, 3, 4, 4))
    assert_imports_like_onnx_runtime(model, np.random.default_rng(seed))


def test_constants_that_cannot_be_evaluated_are_told() -> None:
    nodes = [node("Reshape", "w s", "r", "bad"), node("Conv", "x r", "y")]
    with pytest.raises(InputError, match=r"bad .Reshape.: its constant inputs cannot be evaluated"):
        import_model(make_model(nodes, {**WEIGHT, "s": np.array([5, 5], np.int64)}))


@pytest.mark.parametrize(
    ("op", "constants", "shape"),
    [
        ("ConstantOfShape", {"a": np.array([1 << 40, 3])}, [1 << 40, 3]),
        ("Mul", {"a": np.ones((1 << 15, 1)), "b": np.ones(1 << 15)}, [1 << 15, 1 << 15]),
        ("Range", {"a": np.array(0), "b": np.array(1 << 40), "c": np.array(1)}, [1 << 40]),
        ("Tile", {"a": np.ones(4), "b": np.array([1 << 40])}, [1 << 42]),
    ],
)
def test_constants_beyond_all_bounds_are_refused(
    op: str, constants: dict[str, NDArray[Any]], shape: list[int]
) -> None:
    nodes = [node(op, " ".join(constants), "w", "huge"), node("Conv", "x w", "y")]
    with pytest.raises(InputError) as raised:
        import_model(make_model(nodes, constants))
    assert f"huge ({op}): its constant inputs make a tensor of shape {shape}, more" in str(
        raised.value
    )


def test_random_constants_are_not_folded() -> None:
    nodes = [
        node("RandomNormal", "", "r", "dice", shape=[3, 3, 1, 1]),
        node("Conv", "x r", "y"),
    ]
    with pytest.raises(InputError, match=r"dice .RandomNormal.: this operator is not supported"):
        import_model(make_model(nodes))


def test_missing_initialiser() -> None:
    nodes = [node("Conv", "x w b", "c", "conv_1"), node("Conv", "c v", "y", "conv_2")]
    with pytest.raises(InputError) as raised:
        import_model(make_model(nodes))
    assert str(raised.value).splitlines() == [
        "the model is incomplete; export it again:",
        *(
            f"{reader} (Conv) reads '{name}', which is neither an initialiser nor an input nor "
            "made by a node"
            for reader, name in (("conv_1", "b"), ("conv_2", "v"), ("conv_1", "w"))
        ),
    ]


def test_missing_initialiser_that_is_listed_as_an_input() -> None:
    model = make_model([node("Conv", "x w b", "y")], {"w": np.ones((3, 3, 1, 1))}, ir_version=3)
    model.graph.input.append(helper.make_tensor_value_info("b", onnx.TensorProto.FLOAT, [3]))
    with pytest.raises(InputError, match="'b' must be a constant, but the model holds no init"):
        import_model(model)
    four = make_model([node("Conv", "x w", "y")], ir_version=3)
    four.graph.input.append(
        helper.make_tensor_value_info("w", onnx.TensorProto.FLOAT, [8, 3, 1, 1])
    )
    with pytest.raises(InputError, match="'w' must be a constant, but the model holds no init"):
        import_model(four)


def test_output_that_nothing_makes() -> None:
    with pytest.raises(InputError, match="output 'y' reads 'y', which is neither"):
        import_model(make_model([node("Relu", "x", "a")]))


def test_circle() -> None:
    nodes = [node("Relu", "b", "a", "r1"), node("Relu", "a", "b", "r2"), node("Relu", "b", "y")]
    with pytest.raises(InputError, match=r"in a circle: r1 .Relu., r2 .Relu., relu_1 .Relu.;"):
        import_model(make_model(nodes))


def test_value_made_twice() -> None:
    nodes = [node("Relu", "x", "y", "one"), node("Relu", "x", "y", "two")]
    with pytest.raises(
        InputError, match=r"two .Relu.: its output 'y' is given by one .Relu. already"
    ):
        import_model(make_model(nodes))
    with pytest.raises(InputError, match="its output 'w' is given by the model already"):
        import_model(make_model([node("Relu", "x", "w")], WEIGHT, outputs="w"))


def test_doubled_initialisers_and_inputs() -> None:
    model = make_model([node("Conv", "x w", "y")], WEIGHT)
    model.graph.initializer.append(model.graph.initializer[0])
    with pytest.raises(InputError, match="two initialisers are called 'w'"):
        import_model(model)
    model = make_model([node("Relu", "x", "y")])
    model.graph.input.append(model.graph.input[0])
    with pytest.raises(InputError, match="two inputs are called 'x'"):
        import_model(model)


def test_damaged_initialiser() -> None:
    model = make_model([node("Conv", "x w", "y")], WEIGHT)
    model.graph.initializer[0].raw_data = b"12345"
    with pytest.raises(InputError, match=r"initialiser 'w' is damaged.* \[3, 3, 1, 1\]"):
        import_model(model)


def test_outputs_that_are_not_computed() -> None:
    with pytest.raises(InputError, match="output 'y' is the input 'x' itself"):
        import_model(make_model([node("Identity", "x", "y")]))
    with pytest.raises(InputError, match="output 'w' is a constant"):
        import_model(make_model([node("Relu", "x", "y")], WEIGHT, outputs="w y"))


def test_models_without_inputs_or_outputs() -> None:
    with pytest.raises(InputError, match="the model has no outputs; export it again"):
        import_model(make_model([node("Relu", "x", "y")], outputs=""))


def test_output_without_a_name() -> None:
    model = make_model([node("Relu", "x", "y")])
    model.graph.output[0].name = ""
    with pytest.raises(InputError, match="an output has no name"):
        import_model(model)


def test_names_that_are_no_text() -> None:
    content = make_model([node("Relu", "x", "y", "relu_abc")]).SerializeToString()
    model = onnx.ModelProto.FromString(content.replace(b"relu_abc", b"relu_\xff\xfe\xfd"))
    with pytest.raises(InputError, match=r"the model is damaged: the name .* is no text"):
        import_model(model)


def test_two_outputs_of_one_tensor(seed: int) -> None:
    nodes = [node("Conv", "x w", "a"), node("Identity", "a", "y")]
    model = make_model(nodes, WEIGHT, outputs="y a")
    graph = assert_imports_like_onnx_runtime(model, np.random.default_rng(seed))
    assert [port.tensor for port in graph.outputs] == ["a", "a"]


@pytest.mark.parametrize(
    ("opset", "ir_version", "problem"),
    [
        (0, 8, "the model uses operator set 0; 1 to "),
        (999, 8, "the model uses operator set 999; 1 to "),
        (13, 2, "the model has IR version 2, at least 3 is needed"),
    ],
)
def test_versions(opset: int, ir_version: int, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        import_model(make_model([node("Relu", "x", "y")], opset=opset, ir_version=ir_version))


@pytest.mark.parametrize("opset", range(1, 24))
def test_convolutions_of_all_operator_sets(opset: int) -> None:
    nodes = [
        node("Conv", "x w", "c", pads=[1, 0, 0, 1]),
        node("Relu", "c", "r"),
        node("ConvTranspose", "r w", "y", strides=[2, 2]),
    ]
    weight = {"w": np.random.default_rng(0).normal(size=(3, 3, 2, 2))}
    expected = run_onnx(make_model(nodes, weight), {"x": np.ones((1, 3, 6, 7), np.float32)})["y"]
    graph = import_model(make_model(nodes, weight, opset=opset))
    result = reference.run_float(graph, {"x": np.ones((1, 3, 6, 7))})["y"]
    np.testing.assert_allclose(result, expected, atol=1e-5)


def test_operators_that_cannot_be_converted_are_named() -> None:
    model = make_model([node("Magic", "x", "y")], opset=6)
    with pytest.raises(InputError, match=r"cannot bring it to 7: .*Magic"):
        import_model(model)


def test_unnamed_graph_and_foreign_operator_sets() -> None:
    model = make_model([node("Relu", "x", "y")])
    model.graph.name = ""
    assert import_model(model).name == "model"
    del model.opset_import[:]
    model.opset_import.append(helper.make_opsetid("com.example", 1))
    with pytest.raises(InputError, match="the model uses no ONNX operator set"):
        import_model(model)


def test_model_text() -> None:
    nodes = [
        node("Conv", "x w", "c"),
        node("BatchNormalization", "c s s s s", "n"),
        node("Relu", "n", "r"),
        node("MaxPool", "r", "y", kernel_shape=[2, 2], strides=[2, 2]),
    ]
    graph = import_model(make_model(nodes, {**WEIGHT, "s": np.ones(3)}))
    assert print_graph(graph).splitlines() == [
        "graph(%x : f32[1x3x6x7]) {",
        "  %c = conv2d(%x) name=conv_1 kernel=1 stride=1 pad=0 : f32[1x3x6x7]",
        "  %n = channel_affine(%c) name=batchnormalization_1 : f32[1x3x6x7]",
        "  %r = clip(%n) name=relu_1 clamp=0..inf : f32[1x3x6x7]",
        "  %y = max_pool2d(%r) name=maxpool_1 kernel=2 stride=2 pad=0 : f32[1x3x3x3]",
        "  return %y",
        "}",
    ]
