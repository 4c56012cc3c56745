# SPDX-License-Identifier: Apache-2.0
"""What a build for the ULX3S holds: sources of a whole bitstream, clean, and nothing for others."""

import shutil
import subprocess
from pathlib import Path

import pytest

from designs.design import load_design
from sim.ecp5 import PLL
from sim.sources import read_file_list
from sim.verilator import lint
from tests.board import compile_mnist
from tests.e2e.command import flexcc

pytestmark = pytest.mark.e2e

DESIGN = load_design("mnist_conv_u250")


TARGETS = ("csim", "sim", "synth", "bitstream", "program", "hw", "board")


def make(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """As on a machine without tools of vendors."""
    program = shutil.which("make")
    assert program is not None
    return subprocess.run(
        [program, *arguments],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_sources_of_the_board_are_complete_and_clean(tmp_path: Path) -> None:
    folder = tmp_path / "build"
    compile_mnist(folder)
    rtl = folder / "rtl"
    board = read_file_list(rtl / "flex_board.f")
    assert board[-1].name == "flex_ulx3s.sv"
    assert (rtl / "board" / PLL.name).read_bytes() == PLL.read_bytes()

    done = lint([*read_file_list(rtl / "flex.f")[:-1], *board], "flex_ulx3s")
    assert done.returncode == 0, done.stderr
    assert not done.stderr

    top = (rtl / "flex_ulx3s.sv").read_text()
    assert ".MemoryBytes   (65536)" in top
    assert ".ClocksPerBit  (20)" in top
    # Every pin of the top has a place.
    pins = (rtl / "flex_ulx3s.lpf").read_text()
    for pin in ("clk_25mhz", "btn_i", "ftdi_rxd_o", "ftdi_txd_i", "wifi_gpio0_o"):
        assert f'LOCATE COMP "{pin}"' in pins
    said = make(folder, "-n", *TARGETS, "INPUT=x.npz", "OUTPUT=y.npz").stdout
    assert "flexcc synth . --output ../build.synth" in said
    assert "flexcc bitstream . --output ../build.bitstream" in said
    assert "openFPGALoader --board ulx3s ../build.bitstream/flex_ulx3s.bit" in said
    assert "--on board --port /dev/ttyUSB0 --check" in said
    program = make(folder, "program")
    assert program.returncode == 2
    assert "openFPGALoader is not installed" in program.stderr


def test_a_build_for_another_board_has_no_bitstream(tmp_path: Path) -> None:
    compiled = flexcc(
        DESIGN.folder / DESIGN.model, "--target", "zcu104", "--array", "8,4,8", "-o", "build",
        "--calibration", DESIGN.calibration_file, cwd=tmp_path,
    )  # fmt: skip
    assert compiled.code == 0, compiled.stderr
    assert not (tmp_path / "build" / "rtl" / "flex_board.f").exists()
    for target in ("bitstream", "program", "board"):
        made = make(tmp_path / "build", target)
        assert made.returncode == 2
        assert "no open tool makes a bitstream for zcu104: make hw" in made.stderr
    made = make(tmp_path / "build", "hw")
    assert made.returncode == 2
    assert "v++ is not installed, nothing is made: hw needs Vitis" in made.stderr
    assert "hls link" in make(tmp_path / "build", "-n", "hw").stdout
    done = flexcc("bitstream", "build", "-o", "bits", cwd=tmp_path)
    assert done.code == 2
    assert "build is for zcu104, and no open tool makes a bitstream of it" in done.stderr
    assert not (tmp_path / "bits").exists()
