# SPDX-License-Identifier: Apache-2.0
"""What `flexcc inspect` says of models: good ones, cut ones, refused ones."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from flexcc.errors import InputError
from flexcc.inspection import View, describe
from tests.onnx_models import make_model, node

CONSTANTS = {
    "w": np.ones((4, 3, 3, 3)),
    "b": np.ones(4),
    "d": np.ones((4, 1, 3, 3)),
    "v": np.ones((2, 4, 1, 1)),
    "two": np.array(2.0),
}


def saved(folder: Path, model: onnx.ModelProto) -> Path:
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def cut_model() -> onnx.ModelProto:
    """Something of every place, but nothing refused."""
    nodes = [
        node("Cast", "x", "f", "cast", to=TensorProto.FLOAT),
        node("Conv", "f w b", "c", "conv"),
        node("Conv", "c d", "e", "depthwise", group=4, pads=[1, 1, 1, 1]),
        node("Add", "two two", "four", "constant"),
        node("Softmax", "e", "s", "softmax", axis=1),
        node("Mul", "s four", "y", "scale"),
    ]
    return make_model(nodes, CONSTANTS, shape=(1, 3, 8, 9), kind=TensorProto.UINT8)


def refused_model() -> onnx.ModelProto:
    nodes = [
        node("Conv", "x w", "c", "conv"),
        node("Softmax", "c", "s", "middle", axis=1),
        node("Conv", "s v", "y", "last"),
    ]
    return make_model(nodes, CONSTANTS, shape=(1, 3, 8, 9))


def rows(text: str) -> list[list[str]]:
    """The cells of the table, without the reasons."""
    return [line.split() for line in text.splitlines()]


def test_nodes_of_a_cut_model(tmp_path: Path) -> None:
    [table] = describe(saved(tmp_path, cut_model()), [View.NODES])
    assert rows(table)[0] == ["node", "operator", "runs", "on", "output", "MAC", "parameters"]
    cells = {line[0]: line[1:] for line in rows(table)[1:7]}
    assert cells["constant"] == ["Add", "compiler", "scalar"]
    assert cells["cast"][:4] == ["Cast", "host,", "before", "1x3x8x9"]
    assert cells["conv"] == ["Conv", "accelerator", "1x4x6x7", "4,536", "112"]
    assert cells["depthwise"] == ["Conv", "accelerator", "1x4x6x7", "1,512", "36"]
    assert cells["softmax"][:4] == ["Softmax", "host,", "behind", "1x4x6x7"]
    assert "this operator is not supported" in table
    assert table.splitlines()[-3:] == [
        "6 nodes: 1 compiler, 1 host, before, 2 accelerator, 2 host, behind",
        "6,048 MAC, 1,512 of them depthwise",
        "148 parameters in 2 layers",
    ]


def test_nodes_of_a_refused_model(tmp_path: Path) -> None:
    """What could be imported is told, too; the graph is left out, or the error when asked for."""
    path = saved(tmp_path, refused_model())
    [table] = describe(path)
    cells = {line[0]: line[1:] for line in rows(table)[1:4]}
    assert cells["conv"] == ["Conv", "accelerator", "1x4x6x7", "4,536", "108"]
    assert cells["middle"][:3] == ["Softmax", "nowhere", "1x4x6x7"]
    assert cells["last"] == ["Conv", "accelerator", "1x2x6x7", "336", "8"]
    assert "middle (Softmax): this operator is not supported" in table
    assert "The host runs what stands before or behind" in table
    with pytest.raises(InputError, match=r"middle .Softmax."):
        list(describe(path, [View.GRAPH]))


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("constant", "constant (Add) is evaluated by the compiler: all that it reads is known"),
        ("cast", "cast (Cast) runs on the host, before the accelerator: input 'x' is UINT8"),
        ("c", "conv (Conv) runs on the accelerator"),
        ("softmax", "softmax (Softmax) runs on the host, behind the accelerator: this operator"),
        ("scale", "scale (Mul) runs on the host, behind the accelerator, as it reads what softmax"),
    ],
)
def test_explanations(tmp_path: Path, name: str, first: str) -> None:
    [text] = describe(saved(tmp_path, cut_model()), explain=name)
    assert text.startswith(first)


def test_explanation_of_a_layer(tmp_path: Path) -> None:
    [text] = describe(saved(tmp_path, cut_model()), explain="depthwise")
    assert text.splitlines() == [
        "depthwise (Conv) runs on the accelerator",
        "  reads c: float32 1x4x6x7",
        "  reads d: constant float32 4x1x3x3",
        "  makes e: float32 1x4x6x7",
        "  attribute group = 4",
        "  attribute pads = [1, 1, 1, 1]",
        "  becomes %e = conv2d(%c) name=depthwise kernel=3 stride=1 pad=1 groups=4 : f32[1x4x6x7]",
        "  costs 1,512 MAC, 36 parameters",
    ]


def test_explanation_of_a_refused_node_and_of_its_feeder(tmp_path: Path) -> None:
    path = saved(tmp_path, refused_model())
    [text] = describe(path, explain="middle")
    assert text.startswith("middle (Softmax) is refused: this operator is not supported")
    nodes = [
        node("Relu", "x", "r", "relu"),
        node("LogSoftmax", "r", "s", "log"),
        node("Conv", "s w", "y", "conv"),
    ]
    path = saved(tmp_path, make_model(nodes, CONSTANTS, shape=(1, 3, 8, 9)))
    [text] = describe(path, explain="relu")
    assert text.startswith(
        "relu (Relu) runs on the host, before the accelerator, as log (LogSoftmax) reads what"
    )


@pytest.mark.parametrize(
    ("name", "hint"), [("softm", "did you mean softmax?"), ("zzz", "`flexcc inspect MODEL` lists")]
)
def test_unknown_nodes(tmp_path: Path, name: str, hint: str) -> None:
    with pytest.raises(InputError, match=f"need no node '{name}'; .*{hint[:12]}"):
        list(describe(saved(tmp_path, cut_model()), explain=name))


def test_shapes_are_fixed_first(tmp_path: Path) -> None:
    model = make_model([node("Conv", "x w", "y", "conv")], CONSTANTS, shape=(1, 3, "h", "w"))
    path = saved(tmp_path, model)
    [table] = describe(path)
    assert "fix it with --input-shape x=1x3x224x224" in table
    [table, _] = describe(path, input_shapes={"x": (1, 3, 8, 9)})
    assert "1x4x6x7" in table


def test_views_that_are_not_there(tmp_path: Path) -> None:
    path = saved(tmp_path, cut_model())
    with pytest.raises(InputError, match="is an ONNX model, which has no plan; it has nodes, grap"):
        list(describe(path, [View.PLAN]))
    with pytest.raises(InputError, match="is a build, which has no nodes; it has graph, mapping"):
        list(describe(tmp_path, [View.NODES]))
    with pytest.raises(InputError, match="--explain and --input-shape are for ONNX models"):
        list(describe(tmp_path, explain="conv"))
