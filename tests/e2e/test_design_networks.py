# SPDX-License-Identifier: Apache-2.0
"""The networks of designs/ on small images, whole: joins, sums, skips, pools and interpolation."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

from designs.enet.network import build as enet
from designs.openpose.network import build as openpose
from designs.unet.network import build as unet
from tests.e2e.command import flexcc, save

NETWORKS: dict[str, tuple[int, Callable[[int], onnx.ModelProto]]] = {
    "enet": (24, lambda size: enet(size, width=8)),
    "openpose": (32, openpose),
    "unet": (16, unet),
}


def _compile(name: str, folder: Path, *options: str) -> None:
    size, build = NETWORKS[name]
    save(build(size), folder / "model.onnx")
    images = np.random.default_rng(1).normal(size=(1, 3, size, size)).astype(np.float32)
    np.savez(folder / "x.npz", x=images)
    result = flexcc(
        "model.onnx", "--target", "u250", "--array", "16,6,8", "--random-calibration", "-o",
        "build", *options, cwd=folder,
    )  # fmt: skip
    assert result.code == 0, result.stderr


@pytest.mark.parametrize("name", NETWORKS)
def test_the_program_computes_what_the_reference_does(name: str, tmp_path: Path) -> None:
    _compile(name, tmp_path)
    result = flexcc(
        "run", "build", "--input", "x.npz", "--output", "y.npz", "--on", "interpreter", "--check",
        cwd=tmp_path,
    )  # fmt: skip
    assert result.code == 0, result.stderr


@pytest.mark.rtl
@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_the_rtl_computes_what_the_reference_does(name: str, tmp_path: Path) -> None:
    _compile(name, tmp_path, "--verify", "rtl")
