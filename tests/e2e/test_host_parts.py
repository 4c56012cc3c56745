# SPDX-License-Identifier: Apache-2.0
"""A model whose first and last nodes run on the host, from the ONNX file to its outputs."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper

from tests.e2e.command import conv_model, flexcc, save
from tests.onnx_models import run_onnx

IMAGES = 5


def whole_model() -> onnx.ModelProto:
    """uint8 [1,10,10,2] in; class per pixel and probabilities [1,8,8,4] out."""
    model = conv_model()
    graph = model.graph
    before = [
        helper.make_node("Cast", ["image"], ["real"], name="cast", to=TensorProto.FLOAT),
        helper.make_node("Mul", ["real", "k"], ["scaled"], name="scale"),
        helper.make_node("Transpose", ["scaled"], ["x"], name="front", perm=[0, 3, 1, 2]),
    ]
    behind = [
        helper.make_node("Transpose", ["y"], ["last"], name="back", perm=[0, 2, 3, 1]),
        helper.make_node("Softmax", ["last"], ["p"], name="softmax", axis=-1),
        helper.make_node("ArgMax", ["p"], ["class"], name="argmax", axis=-1, keepdims=0),
    ]
    nodes = [*before, *graph.node, *behind]
    del graph.node[:], graph.input[:], graph.output[:]
    graph.node.extend(nodes)
    graph.input.append(helper.make_tensor_value_info("image", TensorProto.UINT8, [1, 10, 10, 2]))
    graph.output.append(helper.make_tensor_value_info("class", TensorProto.INT64, None))
    graph.output.append(helper.make_tensor_value_info("p", TensorProto.FLOAT, None))
    graph.initializer.append(
        onnx.numpy_helper.from_array(np.array(1 / 64, np.float32), "k"),
    )
    return model


@pytest.fixture(scope="module")
def images() -> NDArray[np.uint8]:
    return np.random.default_rng(3).integers(0, 256, (IMAGES, 10, 10, 2), np.uint8)


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory, images: NDArray[np.uint8]) -> Path:
    folder = tmp_path_factory.mktemp("work")
    save(whole_model(), folder / "model.onnx")
    np.savez(folder / "data.npz", image=images)
    result = flexcc(
        "model.onnx", "--target", "u250", "--array", "8,4,8", "-o", "build",
        "--calibration", "data.npz", cwd=folder,
    )  # fmt: skip
    assert result.code == 0, result.stderr
    assert result.stderr.splitlines() == [
        "warning: before the accelerator, the host runs cast (Cast)",
        "warning: behind the accelerator, the host runs softmax (Softmax), argmax (ArgMax)",
    ]
    assert "on the host before" in result.stdout
    return folder


def test_the_cut_is_reported(work: Path) -> None:
    host = json.loads((work / "build" / "report.json").read_text())["host"]
    assert [[node["name"] for node in host[when]] for when in ("before", "behind")] == [
        ["cast"],
        ["softmax", "argmax"],
    ]
    for name in ("head.onnx", "tail.onnx"):
        onnx.checker.check_model(work / "build" / name)
    plan = json.loads((work / "build" / "plan.json").read_text())
    axes = {tensor["onnx_name"]: tensor["onnx_axes"] for tensor in plan["tensors"]}
    assert axes["real"] == axes["last"] == [0, 2, 3, 1]


@pytest.mark.parametrize("executor", ["reference", "interpreter"])
def test_runs_like_the_whole_model(work: Path, images: NDArray[np.uint8], executor: str) -> None:
    result = flexcc(
        "run", "build", "--input", "data.npz", "--output", f"{executor}.npz", "--on", executor,
        cwd=work,
    )  # fmt: skip
    assert result.code == 0, result.stderr
    with np.load(work / f"{executor}.npz") as outputs:
        found = dict(outputs)
    assert found["class"].shape == (IMAGES, 8, 8)
    assert found["class"].dtype == np.int64
    assert found["p"].shape == (IMAGES, 8, 8, 4)
    model = whole_model()
    expected = [run_onnx(model, {"image": image[None]}) for image in images]
    for index, outputs in enumerate(expected):
        assert np.abs(found["p"][index] - outputs["p"][0]).max() < 0.05
        assert (found["class"][index] == outputs["class"][0]).mean() > 0.95


def test_raw_integers_are_refused(work: Path) -> None:
    result = flexcc(
        "run", "build", "--input", "data.npz", "--output", "y.npz", "--raw", cwd=work
    )  # fmt: skip
    assert result.code == 2
    assert "parts of this model run on the host" in result.stderr


def test_inputs_of_a_wrong_type(work: Path) -> None:
    np.savez(work / "bad.npz", image=np.full((1, 10, 10, 2), 300))
    result = flexcc("run", "build", "--input", "bad.npz", "--output", "y.npz", cwd=work)
    assert result.code == 2
    assert "holds numbers from 300 to 300 that are no uint8" in result.stderr


def test_changed_host_parts_are_noticed(work: Path) -> None:
    path = work / "build" / "tail.onnx"
    content = path.read_bytes()
    path.write_bytes(content + b"\0")
    result = flexcc("run", "build", "--input", "data.npz", "--output", "y.npz", cwd=work)
    path.write_bytes(content)
    assert result.code == 2
    assert "was changed after compilation" in result.stderr
