# SPDX-License-Identifier: Apache-2.0
"""Designs that flexcc itself chooses for each board: the checker, two compilations, `make csim`."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from flexcc.targets import available_targets, load_device
from tests.e2e.command import conv_model, save

ROOT = Path(__file__).parents[2]
_QUICK = {"u250", "u280", "zcu104", "kv260"}
_BOARDS = [name for name in available_targets() if load_device(name).vitis is not None]


def _run(*command: str | Path, cwd: Path, hash_seed: str = "0") -> str:
    """What a command prints; it must succeed."""
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    ran = subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=600
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def _compile(board: str, output: str, cwd: Path, hash_seed: str) -> dict[str, bytes]:
    """The files of the kernel and of its hosts, by name."""
    command = (sys.executable, "-m", "flexcc", "model.onnx", "--target", board, "-o", output)
    _run(*command, "--random-calibration", cwd=cwd, hash_seed=hash_seed)
    files = [path for part in ("hls", "host") for path in (cwd / output / part).rglob("*")]
    return {
        str(path.relative_to(cwd / output)): path.read_bytes() for path in files if path.is_file()
    }


def test_boards_are_those_of_vitis() -> None:
    assert set(_BOARDS) >= _QUICK


@pytest.mark.parametrize(
    "board", [pytest.param(b, marks=[] if b in _QUICK else [pytest.mark.slow]) for b in _BOARDS]
)
def test_the_design_of_a_board_is_clean(board: str, tmp_path: Path) -> None:
    save(conv_model(inputs=16, size=24, channels=32), tmp_path / "model.onnx")
    first = _compile(board, "build", tmp_path, "1")
    assert {"hls/flex_kernel.cpp", "hls/connectivity.cfg", "host/flex_host.py"} <= set(first)
    assert _compile(board, "again", tmp_path, "2") == first
    checked = _run(sys.executable, "-m", "sim.hls_check", tmp_path / "build" / "hls", cwd=ROOT)
    assert checked == ""


@pytest.mark.slow
@pytest.mark.parametrize("board", _BOARDS)
def test_the_design_of_a_board_simulates(board: str, tmp_path: Path) -> None:
    """The make file's own simulation, at the array that was chosen."""
    save(conv_model(inputs=16, size=24, channels=32), tmp_path / "model.onnx")
    _compile(board, "build", tmp_path, "0")
    image = np.random.default_rng(3).normal(size=(1, 16, 24, 24))
    np.savez(tmp_path / "x.npz", x=image.astype(np.float32))
    memory = ("--input", "x.npz", "--before", "before.bin", "--after", "after.bin")
    _run(sys.executable, "-m", "flexcc", "memory", "build", *memory, cwd=tmp_path)
    make = shutil.which("make")
    assert make is not None
    files = ("BEFORE=../../before.bin", "AFTER=../../after.bin")
    said = _run(make, "-s", "csim", *files, cwd=tmp_path / "build" / "hls")
    assert said.endswith("bytes are equal\n")
