# SPDX-License-Identifier: Apache-2.0
"""Depthwise layers in front of the array, from an ONNX file to the simulated accelerator."""

import json
from pathlib import Path

import numpy as np
import onnx

from tests.e2e.command import flexcc, save
from tests.onnx_models import make_model, node

_SAME = {"pads": [1, 1, 1, 1]}


def _mobile_net() -> onnx.ModelProto:
    """MobileNet in small: a strided stem, depthwise and pointwise layers, one pair strided.

    A scale of each channel with a LeakyRelu stands alone in front of the last 3x3.
    """
    random = np.random.default_rng(7)
    shapes = {
        "stem": (16, 3, 3, 3),
        "depth1": (16, 1, 3, 3),
        "point1": (24, 16, 1, 1),
        "depth2": (24, 1, 3, 3),
        "point2": (40, 24, 1, 1),
        "scale": (40, 1, 1, 1),
        "last": (16, 40, 3, 3),
    }
    constants = {
        name: random.normal(scale=1.4 * np.prod(shape[1:]) ** -0.5, size=shape)
        for name, shape in shapes.items()
    }
    nodes = [
        node("Conv", "x stem", "a", "stem", strides=[2, 2], **_SAME),
        node("Relu", "a", "b", "stem_relu"),
        node("Conv", "b depth1", "c", "depth1", group=16, **_SAME),
        node("Relu", "c", "d", "depth1_relu"),
        node("Conv", "d point1", "e", "point1"),
        node("Relu", "e", "f", "point1_relu"),
        node("Conv", "f depth2", "g", "depth2", group=24, strides=[2, 2], **_SAME),
        node("Relu", "g", "h", "depth2_relu"),
        node("Conv", "h point2", "i", "point2"),
        node("Relu", "i", "j", "point2_relu"),
        node("Conv", "j scale", "k", "scale", group=40),
        node("LeakyRelu", "k", "l", "scale_leaky", alpha=0.1),
        node("Conv", "l last", "y", "last", **_SAME),
    ]
    return make_model(nodes, constants, shape=(1, 3, 50, 62))


def test_every_byte_is_equal_behind_the_window_engine(tmp_path: Path) -> None:
    save(_mobile_net(), tmp_path / "model.onnx")
    result = flexcc(
        "model.onnx", "--target", "u250", "--array", "16,4,8", "--random-calibration",
        "-o", "build", "--verify", "rtl", "--verify-images", "1", "--json", cwd=tmp_path,
    )  # fmt: skip
    assert result.code == 0, result.stderr
    report = json.loads(result.stdout)
    rtl = report["verify"]["rtl"]
    assert rtl["equal"], rtl["first_difference"]
    mapping = flexcc("inspect", "build", "--show", "mapping", cwd=tmp_path).stdout
    assert "window engine of 9 taps" in mapping, mapping
    for pair in ("depth1 + point1", "depth2 + point2", "scale + last"):
        assert f"\n{pair}:" in mapping, mapping
