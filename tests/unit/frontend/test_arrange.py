# SPDX-License-Identifier: Apache-2.0
"""Channel shuffles and pixels that become channels, spelled as reshapes and transposes."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from flexcc import reference
from flexcc.errors import InputError
from flexcc.frontend import import_model
from flexcc.frontend.network import Place, import_network
from tests.onnx_models import make_model, node, run_network, run_onnx
from tests.quantization import run_on_reals

Step = tuple[int, ...]
"""Of a Reshape the shape, of a Transpose the order of axes."""


def _model(
    sizes: Sequence[int], steps: Sequence[tuple[str, Step]], *, ends: bool = True
) -> onnx.ModelProto:
    """The steps, with a Relu on both sides if they have `ends`."""
    make = onnx.helper.make_node
    source = "x"
    nodes, constants = [], {}
    if ends:
        nodes.append(make("Relu", ["x"], ["begin"], name="before"))
        source = "begin"
    for number, (op, values) in enumerate(steps):
        target, name = f"v{number}", f"s{number}"
        if op == "Reshape":
            constants[f"c{number}"] = np.array(values, np.int64)
            nodes.append(make("Reshape", [source, f"c{number}"], [target], name=name))
        else:
            nodes.append(make("Transpose", [source], [target], name=name, perm=values))
        source = target
    nodes.append(make("Relu" if ends else "Softmax", [source], ["y"], name="behind"))
    return make_model(nodes, constants, shape=(1, *sizes))


SHUFFLE = [("Reshape", (1, 2, 4, 3, 5)), ("Transpose", (0, 2, 1, 3, 4)), ("Reshape", (1, 8, 3, 5))]
FLAT_SHUFFLE = [("Reshape", (1, 2, 4, 15)), ("Transpose", (0, 2, 1, 3)), ("Reshape", (1, -1, 3, 5))]
PIXEL_SHUFFLE = [
    ("Reshape", (1, 2, 2, 2, 3, 5)),
    ("Transpose", (0, 1, 4, 2, 5, 3)),
    ("Reshape", (0, 2, 6, 10)),
]
DEPTH_TO_SPACE = [
    ("Reshape", (1, 2, 2, 2, 3, 5)),
    ("Transpose", (0, 3, 4, 1, 5, 2)),
    ("Reshape", (1, 2, 6, 10)),
]
REORGANISE = [
    ("Reshape", (1, 3, 2, 2, 3, 2)),
    ("Transpose", (0, 3, 5, 1, 2, 4)),
    ("Reshape", (1, 12, 2, 3)),
]
UNSHUFFLE = [
    ("Reshape", (1, 3, 2, 2, 3, 2)),
    ("Transpose", (0, 1, 3, 5, 2, 4)),
    ("Reshape", (1, 12, 2, 3)),
]
BACK_AND_FORTH = [("Transpose", (0, 2, 3, 1)), ("Transpose", (0, 3, 1, 2))]


@pytest.mark.parametrize(
    ("sizes", "steps", "kinds"),
    [
        ((8, 3, 5), SHUFFLE, ["Select"]),
        ((8, 3, 5), FLAT_SHUFFLE, ["Select"]),
        ((8, 3, 5), PIXEL_SHUFFLE, ["Select", "DepthToSpace"]),
        ((8, 3, 5), DEPTH_TO_SPACE, ["DepthToSpace"]),
        ((3, 4, 6), REORGANISE, ["SpaceToDepth"]),
        ((3, 4, 6), UNSHUFFLE, ["SpaceToDepth", "Select"]),
        ((8, 3, 5), BACK_AND_FORTH, []),
        ((8, 3, 5), [*SHUFFLE, *SHUFFLE], ["Select"]),
    ],
    ids=["shuffle", "flat", "crd", "dcr", "reorganise", "unshuffle", "nothing", "twice"],
)
def test_movements(
    sizes: tuple[int, int, int], steps: Sequence[tuple[str, Step]], kinds: list[str]
) -> None:
    model = _model(sizes, steps)
    graph = import_model(model)
    found = [type(layer).__name__ for layer in graph.layers]
    assert found == ["Clip", *kinds, "Clip"]
    _check(model, sizes)


def _check(model: onnx.ModelProto, sizes: Sequence[int]) -> None:
    x = {"x": np.random.default_rng(0).normal(size=(1, *sizes)).astype(np.float32)}
    found = run_network(import_network(model), x)["y"]
    np.testing.assert_array_equal(found, run_onnx(model, x)["y"])


def test_what_leads_to_a_movement_and_from_it_is_taken_apart() -> None:
    around = [("Reshape", (1, 8, 3, 5)), *SHUFFLE, ("Reshape", (1, 120))]
    model = _model((120, 1, 1), around)
    graph = import_model(model)
    kinds = [type(layer).__name__ for layer in graph.layers]
    assert kinds == ["Clip", "Reshape", "Select", "Reshape", "Clip"]
    x = np.random.default_rng(0).normal(size=(1, 120, 1, 1)).astype(np.float32)
    found = reference.run_float(graph, {"x": x})["y"]
    np.testing.assert_array_equal(found.reshape(1, -1), run_onnx(model, {"x": x})["y"])


def test_channels_that_do_not_move_as_a_whole_are_refused_by_name() -> None:
    rows = [
        ("Reshape", (1, 8, 3, 5, 1, 1)),
        ("Transpose", (0, 1, 3, 2, 4, 5)),
        ("Reshape", (1, 8, 3, 5)),
    ]
    with pytest.raises(InputError, match=r"s0 \(Reshape\): the shape \[1, 8, 3, 5, 1, 1\]"):
        import_model(_model((8, 3, 5), rows))


def test_steps_that_somebody_else_reads_are_refused_by_name() -> None:
    model = _model((8, 3, 5), SHUFFLE)
    model.graph.node.append(onnx.helper.make_node("Relu", ["v1"], ["z"], name="other"))
    model.graph.output.append(onnx.helper.make_tensor_value_info("z", 1, None))
    with pytest.raises(InputError, match=r"s1 \(Transpose\): its perm"):
        import_model(model)


def test_steps_towards_the_host_stay_with_it() -> None:
    nodes = [
        node("Conv", "x w", "a", "conv"),
        node("Reshape", "a s", "b", "split"),
        node("Transpose", "b", "c", "turn", perm=[0, 2, 1, 3, 4, 5]),
        node("Softmax", "c", "y", "softmax"),
    ]
    constants = {"w": np.ones((8, 3, 1, 1)), "s": np.array([1, 2, 4, 6, 7, 1])}
    model = make_model(nodes, constants)
    network = import_network(model)
    places = {each.name: each.place for each in network.nodes}
    assert places["split"] is places["turn"] is places["softmax"] is Place.TAIL
    x = {"x": np.random.default_rng(0).normal(size=(1, 3, 6, 7)).astype(np.float32)}
    np.testing.assert_allclose(run_network(network, x)["y"], run_onnx(model, x)["y"], atol=1e-6)


def test_integers_move_as_they_are() -> None:
    nodes = [
        node("QuantizeLinear", "x s z", "q", "q"),
        node("Reshape", "q a", "b", "split"),
        node("Transpose", "b", "c", "turn", perm=[0, 2, 1, 3, 4]),
        node("Reshape", "c d", "e", "join"),
        node("DequantizeLinear", "e s z", "y", "dq"),
    ]
    constants: dict[str, NDArray[Any]] = {
        "s": np.array(0.05, np.float32),
        "z": np.array(3, np.int8),
        "a": np.array([1, 2, 4, 3, 5]),
        "d": np.array([1, 8, 3, 5]),
    }
    model = make_model(nodes, constants, shape=(1, 8, 3, 5))
    graph = import_model(model)
    assert [type(layer).__name__ for layer in graph.layers] == ["Select"]
    x = np.random.default_rng(0).normal(size=(1, 8, 3, 5)).astype(np.float32)
    found = run_on_reals(graph, {"x": x})[graph.outputs[0].tensor]
    np.testing.assert_array_equal(found, run_onnx(model, {"x": x})["y"])
