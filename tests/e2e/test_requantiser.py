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


def test_slopes(tmp_path: Path) -> None:
    """No layer stands in for an activation: each is in the requantiser of its convolution."""
    save(slopes_model(), tmp_path / "model.onnx")
    data = np.random.default_rng(3).normal(size=(6, 3, 12, 15)).astype(np.float32)
    np.savez(tmp_path / "data.npz", x=data)
    result = flexcc(
        "model.onnx", "--target", "u250", "--array", "8,4,8", "-o", "build",
        "--calibration", "data.npz", "--verify", "rtl", "--verify-images", "2", "--json",
        cwd=tmp_path,
    )  # fmt: skip
    assert result.code == 0, result.stderr
    report = json.loads(result.stdout)
    assert [layer["name"] for layer in report["layers"]] == ["first", "second", "up"]
    assert report["verify"]["rtl"]["equal"] is True
    assert ".Slopes     (1'b1)" in (tmp_path / "build" / "rtl" / "flex_system.sv").read_text()
