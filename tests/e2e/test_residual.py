# SPDX-License-Identifier: Apache-2.0
"""A model of residual blocks, from the ONNX file to bytes of the simulated RTL."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest

from tests.e2e.command import flexcc, save
from tests.onnx_models import make_model, node


def residual_model() -> onnx.ModelProto:
    """A sum with a skip, one with a second convolution, a difference with what is resized."""
    rng = np.random.default_rng(0)

    def weights(*shape: int) -> np.ndarray:
        return rng.normal(scale=1 / np.sqrt(np.prod(shape[1:])), size=shape)

    same = {"pads": [1, 1, 1, 1]}
    nodes = [
        node("Conv", "x w0 k0", "a0", "stem", **same),
        node("Relu", "a0", "a", "stem_relu"),
        node("Conv", "a w1 k1", "b0", "block1", **same),
        node("Add", "b0 a", "b1", "skip"),
        node("Relu", "b1", "b", "skip_relu"),
        node("Conv", "b w2 k2", "c0", "main", strides=[2, 2], **same),
        node("Conv", "b w3 k3", "c1", "shortcut", strides=[2, 2]),
        node("Add", "c1 c0", "c2", "projected"),
        node("MaxPool", "c2", "c", "pooled", kernel_shape=[2, 2], strides=[2, 2]),
        node("ConvTranspose", "c w4 k4", "d0", "up", kernel_shape=[2, 2], strides=[2, 2]),
        node("Sub", "c2 d0", "d", "difference"),
        node("Conv", "d w5 k5", "y", "last"),
    ]
    constants = {
        "w0": weights(12, 3, 3, 3),
        "k0": weights(12),
        "w1": weights(12, 12, 3, 3),
        "k1": weights(12),
        "w2": weights(20, 12, 3, 3),
        "k2": weights(20),
        "w3": weights(20, 12, 1, 1),
        "k3": weights(20),
        "w4": weights(20, 20, 2, 2),
        "k4": weights(20),
        "w5": weights(4, 20, 1, 1),
        "k5": weights(4),
    }
    return make_model(nodes, constants, shape=(1, 3, 16, 24))


def save_residual(folder: Path) -> Path:
    """The folder, with the model and two pictures for it."""
    save(residual_model(), folder / "model.onnx")
    images = np.random.default_rng(3).normal(size=(2, 3, 16, 24)).astype(np.float32)
    np.savez(folder / "data.npz", x=images)
    return folder


@pytest.fixture
def work(tmp_path: Path) -> Path:
    return save_residual(tmp_path)


def _compile(work: Path, *options: str) -> dict[str, object]:
    arguments = ("model.onnx", "--target", "u250", "--array", "8,4,8", "-o", "build")
    result = flexcc(*arguments, "--calibration", "data.npz", *options, cwd=work)
    assert result.code == 0, result.stderr
    report: dict[str, object] = json.loads((work / "build" / "report.json").read_text())
    return report


def test_every_sum_runs_with_a_convolution(work: Path) -> None:
    layers = _compile(work)["layers"]
    assert isinstance(layers, list)
    operations = [layer["op"] for layer in layers]
    assert sum("add" in op for op in operations) == 3
    assert "conv2d+add+max_pool2d" in operations
    # No sum needs a pass of its own.
    assert len(operations) == 6
    system = (work / "build" / "rtl" / "flex_system.sv").read_text()
    assert "m_axi_skip_araddr_o," in system


@pytest.mark.rtl
def test_the_rtl_sums_as_the_reference(work: Path) -> None:
    report = _compile(work, "--verify", "rtl")
    verify = report["verify"]
    assert isinstance(verify, dict)
    assert verify["rtl"]["equal"] is True
