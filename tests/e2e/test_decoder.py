# SPDX-License-Identifier: Apache-2.0
"""A decoder of few channels, from its ONNX file to the simulated accelerator, reshaped and not."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from tests.e2e.command import flexcc, save
from tests.onnx_models import make_model, node


def _decoder() -> onnx.ModelProto:
    """E-Net's last layers in small: 1x1, transposed, dilated, grouped, 1x1, transposed."""
    random = np.random.default_rng(3)
    shapes = {
        "reduce": (4, 16, 1, 1),
        "up": (4, 4, 3, 3),
        "wide": (4, 4, 3, 3),
        "depthwise": (4, 1, 3, 3),
        "expand": (16, 4, 1, 1),
        "last": (16, 3, 2, 2),
    }
    constants = {
        name: random.normal(scale=np.prod(shape[1:]) ** -0.5, size=shape)
        for name, shape in shapes.items()
    }
    up = {"strides": [2, 2], "pads": [1, 1, 1, 1], "output_padding": [1, 1]}
    nodes = [
        node("Conv", "x reduce", "a", "reduce"),
        node("Relu", "a", "b", "relu"),
        node("ConvTranspose", "b up", "c", "up", **up),
        node("Conv", "c wide", "d", "wide", dilations=[4, 4], pads=[4, 4, 4, 4]),
        node("Conv", "d depthwise", "e", "depthwise", group=4, pads=[1, 1, 1, 1]),
        node("Conv", "e expand", "f", "expand"),
        node("ConvTranspose", "f last", "y", "last", strides=[2, 2]),
    ]
    return make_model(nodes, constants, shape=(1, 16, 12, 12))


def _compiled(work: Path, *more: str) -> dict[str, Any]:
    result = flexcc(
        "model.onnx", "--target", "u250", "--array", "16,4,8", "--random-calibration",
        "-o", "build", "--verify", "rtl", "--verify-images", "1", "--json", *more, cwd=work,
    )  # fmt: skip
    assert result.code == 0, result.stderr
    report: dict[str, Any] = json.loads(result.stdout)
    return report


@pytest.mark.slow
def test_every_byte_is_equal_and_reshapes_pay(tmp_path: Path) -> None:
    save(_decoder(), tmp_path / "model.onnx")
    reshaped = _compiled(tmp_path)
    plain = _compiled(tmp_path, "--disable", "space-to-depth", "--disable", "fold-kernel")
    for report in (reshaped, plain):
        rtl = report["verify"]["rtl"]
        assert rtl["equal"], rtl["first_difference"]
        assert rtl["compared_bytes"] > 50_000
        cycles = report["cycles"]
        assert cycles["measured"] == pytest.approx(cycles["estimated"], rel=0.1)
    # The depthwise layer runs in front of the array either way.
    assert reshaped["cycles"]["measured"] < 0.9 * plain["cycles"]["measured"]
