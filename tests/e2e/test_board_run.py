# SPDX-License-Identifier: Apache-2.0
"""`flexcc run --on board` over a pseudo-terminal: what a user types, up to the serial device."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from designs.design import load_design
from flexcc.build import load_build
from tests.board import compile_mnist
from tests.board_model import CYCLES, BoardModel, serial_device
from tests.e2e.command import Result, flexcc

pytestmark = pytest.mark.e2e

MEMORY_BYTES = 65536
IMAGES = 3


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("board")
    compile_mnist(folder / "build")
    with np.load(load_design("mnist_conv_ulx3s").calibration_file) as data:
        np.savez(folder / "x.npz", x=data["x"][:IMAGES])
    return folder


def run(work: Path, *more: str | Path) -> Result:
    arguments = ("run", "build", "--input", "x.npz", "--output", "y.npz", *more)
    return flexcc(*arguments, cwd=work)


@pytest.mark.parametrize("lossy", [0, 40])
def test_a_board_computes_what_the_reference_does(work: Path, lossy: int) -> None:
    assert run(work).code == 0
    with np.load(work / "y.npz") as outputs:
        expected = {name: outputs[name] for name in outputs.files}
    build = load_build(work / "build")
    model = BoardModel(build.plan.accelerator, MEMORY_BYTES, lossy=lossy)
    with serial_device(model) as port:
        done = run(work, "--on", "board", "--port", port, "--check", "--json")
    assert done.code == 0, done.stderr
    summary = json.loads(done.stdout)
    assert (summary["on"], summary["images"], summary["cycles"]) == ("board", IMAGES, CYCLES)
    assert summary["compared_bytes"] == IMAGES * len(build.empty_image)
    # A lost reply starts no second run.
    assert model.runs == IMAGES
    with np.load(work / "y.npz") as outputs:
        for name, values in expected.items():
            np.testing.assert_array_equal(outputs[name], values)


def test_a_bit_that_a_board_gets_wrong_is_found(work: Path) -> None:
    build = load_build(work / "build")
    fault = build.plan.weights_bytes - 1
    model = BoardModel(build.plan.accelerator, MEMORY_BYTES, fault=fault)
    with serial_device(model) as port:
        done = run(work, "--on", "board", "--port", port, "--check")
    assert done.code == 1
    assert "image 0: board and the reference differ, first in weights" in done.stderr


def test_another_bitstream_is_refused(work: Path) -> None:
    other = replace(load_build(work / "build").plan.accelerator, m=8)
    model = BoardModel(other, MEMORY_BYTES)
    with serial_device(model) as port:
        done = run(work, "--on", "board", "--port", port)
    assert done.code == 2
    assert "the board holds an array of 8x2x8, the build is for 4x2x8; load its" in done.stderr


def test_a_silent_board_is_told(work: Path) -> None:
    with serial_device(None) as port:
        done = run(work, "--on", "board", "--port", port)
    assert done.code == 2
    assert "hello at 0x0: no answer after 5 attempts; is the board on this port" in done.stderr


@pytest.mark.parametrize("port", ["/dev/no-such-port", "x.npz"])
def test_what_is_no_serial_port_is_refused(work: Path, port: str) -> None:
    done = run(work, "--on", "board", "--port", port)
    assert done.code == 2
    assert f"{port} cannot be opened at 3000000 baud" in done.stderr
    assert "name the board's serial port with --port" in done.stderr


def test_board_and_port_come_together(work: Path) -> None:
    assert "add --port /dev/ttyUSB0" in run(work, "--on", "board").stderr
    assert (
        "--port is a board's, not of reference; add --on board" in run(work, "--port", "x").stderr
    )
