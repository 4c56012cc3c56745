# SPDX-License-Identifier: Apache-2.0
"""What the requantiser can do besides scaling, from the ONNX file to the simulated accelerator."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest

from tests.e2e.command import flexcc, save
from tests.onnx_models import make_model, node

pytestmark = [pytest.mark.rtl, pytest.mark.e2e]


def slopes_model() -> onnx.ModelProto:
    """LeakyRelu, PRelu with slopes of both signs, behind each kind of convolution."""
    rng = np.random.default_rng(2)

    def weights(*shape: int) -> np.ndarray:
        return rng.normal(scale=1 / np.sqrt(np.prod(shape[1:])), size=shape)

    nodes = [
        node("Conv", "x w0 b0", "a", "first", pads=[1, 1, 1, 1]),
        node("LeakyRelu", "a", "b", "leaky", alpha=0.1),
        node("Conv", "b w1 b1", "c", "second", pads=[1, 1, 1, 1]),
        node("PRelu", "c slopes", "d", "per_channel"),
        node("MaxPool", "d", "e", "pool", kernel_shape=[2, 2], strides=[2, 2]),
        node("ConvTranspose", "e w2 b2", "f", "up", strides=[2, 2]),
        node("LeakyRelu", "f", "y", "turned", alpha=-0.3),
    ]
    constants = {
        "w0": weights(12, 3, 3, 3),
        "b0": weights(12),
        "w1": weights(10, 12, 3, 3),
        "b1": weights(10),
        "slopes": np.array([0.0, 0.25, 1.0, 2.0, -0.5, -1.5, 0.01, 0.1, 0.5, -0.01])[:, None, None],
        "w2": weights(10, 5, 2, 2),
        "b2": weights(5),
    }
    return make_model(nodes, constants, shape=(1, 3, 12, 15), opset=16)


def tables_model() -> onnx.ModelProto:
    """Sigmoid, x * Sigmoid(x) and HardSwish, one of them pooled, one of an output with readers."""
    rng = np.random.default_rng(4)

    def weights(*shape: int) -> np.ndarray:
        return rng.normal(scale=2 / np.sqrt(np.prod(shape[1:])), size=shape)

    nodes = [
        node("Conv", "x w0 b0", "a", "first", pads=[1, 1, 1, 1]),
        node("Sigmoid", "a", "b", "sigmoid"),
        node("Mul", "a b", "c", "silu"),
        node("Conv", "c w1 b1", "d", "second", pads=[1, 1, 1, 1], dilations=[2, 2]),
        node("HardSwish", "d", "e", "hard"),
        node("MaxPool", "e", "f", "pool", kernel_shape=[2, 2], strides=[2, 2]),
        node("Conv", "f w2 b2", "g", "third"),
        node("Tanh", "g", "y", "tanh"),
        node("Sigmoid", "g", "z", "gate"),
    ]
    constants = {
        "w0": weights(12, 3, 3, 3),
        "b0": weights(12),
        "w1": weights(10, 12, 3, 3),
        "b1": weights(10),
        "w2": weights(5, 10, 1, 1),
        "b2": weights(5),
    }
    return make_model(nodes, constants, shape=(1, 3, 12, 15), opset=16, outputs="y z")


def _verified(model: onnx.ModelProto, folder: Path) -> tuple[list[str], str]:
    """The layers of a build whose RTL equals the reference, and its top without white space."""
    save(model, folder / "model.onnx")
    data = np.random.default_rng(3).normal(size=(6, 3, 12, 15)).astype(np.float32)
    np.savez(folder / "data.npz", x=data)
    result = flexcc(
        "model.onnx", "--target", "u250", "--array", "8,4,8", "-o", "build",
        "--calibration", "data.npz", "--verify", "rtl", "--verify-images", "2", "--json",
        cwd=folder,
    )  # fmt: skip
    assert result.code == 0, result.stderr
    report = json.loads(result.stdout)
    assert report["verify"]["rtl"]["equal"] is True
    top = (folder / "build" / "rtl" / "flex_system.sv").read_text()
    return [layer["name"] for layer in report["layers"]], "".join(top.split())


def test_slopes(tmp_path: Path) -> None:
    """No layer stands in for an activation: each is in the requantiser of its convolution."""
    names, top = _verified(slopes_model(), tmp_path)
    assert names == ["first", "second", "up"]
    assert ".Slopes(1'b1)" in top
    assert ".Tables(1'b0)" in top


def test_tables(tmp_path: Path) -> None:
    """Each is behind its convolution; two of one tensor are behind copies of it."""
    names, top = _verified(tables_model(), tmp_path)
    assert names == ["first", "second", "third", "tanh_identity", "gate_identity"]
    assert ".Tables(1'b1)" in top
