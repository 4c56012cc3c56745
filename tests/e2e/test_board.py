# SPDX-License-Identifier: Apache-2.0
"""What a build for the ULX3S holds: sources of a whole bitstream, clean, and nothing for others."""

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
    makefile = (folder / "Makefile").read_text()
    assert "$(FLEXCC) bitstream . --output $(BITSTREAM)" in makefile
    assert "openFPGALoader --board ulx3s" in makefile


def test_a_build_for_another_board_has_no_bitstream(tmp_path: Path) -> None:
    compiled = flexcc(
        DESIGN.folder / DESIGN.model, "--target", "zcu104", "--array", "8,4,8", "-o", "build",
        "--calibration", DESIGN.calibration_file, cwd=tmp_path,
    )  # fmt: skip
    assert compiled.code == 0, compiled.stderr
    assert not (tmp_path / "build" / "rtl" / "flex_board.f").exists()
    assert "bitstream" not in (tmp_path / "build" / "Makefile").read_text()
    done = flexcc("bitstream", "build", "-o", "bits", cwd=tmp_path)
    assert done.code == 2
    assert "build is for zcu104, and no open tool makes a bitstream of it" in done.stderr
    assert not (tmp_path / "bits").exists()
