# SPDX-License-Identifier: Apache-2.0
"""A model that moves channels and pixels between its layers, from the ONNX file to its outputs."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest

from tests.e2e.command import flexcc, save
from tests.onnx_models import make_model, node, run_onnx

IMAGES = 3


def whole_model() -> onnx.ModelProto:
    """Every movement that the array copies, and both rewrites that leave none to copy."""
    rng = np.random.default_rng(0)

    nearest = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}

    def weights(*shape: int) -> np.ndarray:
        return rng.normal(scale=1 / np.sqrt(np.prod(shape[1:])), size=shape)

    nodes = [
        node("SpaceToDepth", "x", "a", "focus", blocksize=2),
        node("Conv", "a w0 b0", "b", "first", pads=[1, 1, 1, 1]),
        node("Relu", "b", "c", "relu"),
        node("Reshape", "c split", "d", "split"),
        node("Transpose", "d", "e", "turn", perm=[0, 2, 1, 3, 4]),
        node("Reshape", "e join", "f", "shuffle"),
        node("Conv", "f w1 b1", "g", "grouped", pads=[1, 1, 1, 1], group=2),
        node("DepthToSpace", "g", "h", "up", blocksize=2, mode="CRD"),
        node("Conv", "h w2 b2", "i", "last", pads=[1, 1, 1, 1]),
        node("DepthToSpace", "i", "j", "shuffle_pixels", blocksize=2),
        node("Resize", "j - scales", "k", "nearest", **nearest),
        node("Conv", "k w3 b3", "l", "smooth", pads=[1, 1, 1, 1]),
        node("Resize", "l - scales", "m", "twice", **nearest),
        node("Slice", "m starts ends axes", "y", "crop"),
    ]  # fmt: skip
    constants = {
        "w0": weights(8, 8, 3, 3),
        "b0": weights(8),
        "split": np.array([1, 2, 4, 5, 6]),
        "join": np.array([1, 8, 5, 6]),
        "w1": weights(8, 4, 3, 3),
        "b1": weights(8),
        "w2": weights(8, 2, 3, 3),
        "b2": np.tile(weights(2), 4),
        "w3": weights(2, 2, 3, 3),
        "b3": weights(2),
        "scales": np.array([1, 1, 2, 2], np.float32),
        "starts": np.array([3, 5]),
        "ends": np.array([150, 90]),
        "axes": np.array([2, 3]),
    }
    return make_model(nodes, constants, shape=(1, 2, 10, 12))


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("work")
    save(whole_model(), folder / "model.onnx")
    images = np.random.default_rng(3).normal(size=(IMAGES, 2, 10, 12)).astype(np.float32)
    np.savez(folder / "data.npz", x=images)
    result = flexcc(
        "model.onnx", "--target", "u250", "--array", "8,4,8", "-o", "build",
        "--calibration", "data.npz", cwd=folder,
    )  # fmt: skip
    assert result.code == 0, result.stderr
    # "last" takes the pixels that were shuffled behind it, "smooth" the resize in front of it.
    report = json.loads((folder / "build" / "report.json").read_text())
    names = [layer["name"] for layer in report["layers"]]
    assert names == [
        *("focus", "first", "shuffle", "grouped", "up.channels", "up"),
        *("last", "smooth", "crop"),
    ]
    return folder


def test_hardware_moves_as_the_reference(work: Path) -> None:
    outputs = []
    for executor in ("reference", "interpreter"):
        result = flexcc(
            "run", "build", "--input", "data.npz", "--output", f"{executor}.npz", "--on", executor,
            cwd=work,
        )  # fmt: skip
        assert result.code == 0, result.stderr
        with np.load(work / f"{executor}.npz") as found:
            outputs.append(found["y"])
    assert np.array_equal(*outputs)
    with np.load(work / "data.npz") as data:
        expected = [run_onnx(whole_model(), {"x": image[None]})["y"] for image in data["x"]]
    error = np.abs(outputs[0] - np.concatenate(expected))
    assert error.mean() < 0.02 * np.ptp(expected)


@pytest.mark.rtl
def test_the_rtl_moves_as_the_reference(work: Path) -> None:
    """Select, SpaceToDepth and DepthToSpace, every byte of memory."""
    result = flexcc(
        "run", "build", "--input", "data.npz", "--output", "rtl.npz", "--on", "rtl", "--check",
        cwd=work,
    )  # fmt: skip
    assert result.code == 0, result.stderr
