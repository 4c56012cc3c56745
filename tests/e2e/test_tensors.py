# SPDX-License-Identifier: Apache-2.0
"""A model whose tensors are joined, read twice, averaged and interpolated, up to the RTL."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest

from tests.e2e.command import flexcc, save
from tests.onnx_models import make_model, node, run_onnx

SHAPE = (1, 3, 12, 20)


def whole_model() -> onnx.ModelProto:
    """A small U-Net that concatenates; its parts have channel counts that fill no lanes."""
    rng = np.random.default_rng(0)

    def weights(*shape: int) -> np.ndarray:
        return rng.normal(scale=1 / np.sqrt(np.prod(shape[1:])), size=shape)

    linear = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}
    nodes = [
        node("Conv", "x w0 b0", "a", "first", pads=[1, 1, 1, 1]),
        node("MaxPool", "a", "b", "pool", kernel_shape=[2, 2], strides=[2, 2]),
        node("Conv", "b w1 b1", "c", "second", pads=[1, 1, 1, 1]),
        node("AveragePool", "c", "d", "mean", kernel_shape=[2, 2], strides=[2, 2]),
        node("Resize", "d - scales", "e", "enlarge", **linear),
        node("Concat", "e c b", "f", "deep", axis=1),
        node("ConvTranspose", "f w2 b2", "g", "up", strides=[2, 2]),
        node("Concat", "x a g", "h", "wide", axis=1),
        node("Conv", "h w3 b3", "y", "last", pads=[1, 1, 1, 1]),
        node("GlobalAveragePool", "h", "z", "total"),
    ]
    constants = {
        "w0": weights(6, 3, 3, 3),
        "b0": weights(6),
        "w1": weights(10, 6, 3, 3),
        "b1": weights(10),
        "scales": np.array([1, 1, 2, 2], np.float32),
        "w2": weights(26, 5, 2, 2),
        "b2": weights(5),
        "w3": weights(4, 14, 3, 3),
        "b3": weights(4),
    }
    return make_model(nodes, constants, shape=SHAPE, outputs="y z h")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("work")
    save(whole_model(), folder / "model.onnx")
    images = np.random.default_rng(3).normal(size=(3, *SHAPE[1:])).astype(np.float32)
    np.savez(folder / "data.npz", x=images)
    return folder


@pytest.mark.rtl
def test_hardware_computes_what_the_reference_does(data: Path) -> None:
    result = flexcc(
        "model.onnx", "--target", "u250", "--array", "8,4,8", "-o", "build", "--calibration",
        "data.npz", "--verify", "rtl", cwd=data,
    )  # fmt: skip
    assert result.code == 0, result.stderr
    report = json.loads((data / "build" / "report.json").read_text())
    kinds = {layer["name"]: layer["op"] for layer in report["layers"]}
    assert kinds["first"] == "conv2d+max_pool2d"
    assert {"mean", "enlarge", "total"} <= kinds.keys()
    assert not {"pool", "deep", "wide"} & kinds.keys()
    plan = json.loads((data / "build" / "plan.json").read_text())
    joined = {tensor["name"]: len(tensor["parts"]) for tensor in plan["joined"]}
    assert joined["h"] == 3
    result = flexcc(
        "run", "build", "--input", "data.npz", "--output", "out.npz", "--on", "rtl", cwd=data
    )
    assert result.code == 0, result.stderr
    with np.load(data / "out.npz") as found, np.load(data / "data.npz") as images:
        for name in ("y", "z", "h"):
            expected = np.concatenate(
                [run_onnx(whole_model(), {"x": image[None]})[name] for image in images["x"]]
            )
            error = np.abs(found[name].reshape(expected.shape) - expected)
            assert error.mean() < 0.02 * np.ptp(expected), name
