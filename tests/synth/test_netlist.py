# SPDX-License-Identifier: Apache-2.0
"""What Yosys makes of flex_board for ECP5 computes what the modules compute, over its pins."""

from pathlib import Path

import pytest

from sim.bitstream import netlist
from sim.ecp5.netlist import simulation_source
from sim.runner import simulate
from sim.sources import sources_for
from tests.board import board_parameters, compile_mnist, write_job

pytestmark = [pytest.mark.rtl, pytest.mark.slow]

PORTS = (
    "input logic clk_i",
    "input logic rst_ni",
    "input logic rx_i",
    "output logic tx_o",
    "output logic [1:0] light_o",
)


def test_netlist_runs_the_network_of_digits(tmp_path: Path) -> None:
    build = compile_mnist(tmp_path / "build")
    job = tmp_path / "job"
    write_job(build, job, brief=True)
    mapped = netlist(
        sources_for("flex_board"),
        "flex_board",
        tmp_path / "netlist",
        parameters=board_parameters(build),
    )
    source = simulation_source(mapped, "flex_board", PORTS, tmp_path / "simulated")

    env = {"BOARD_JOB": str(job)}
    ran = simulate("flex_board", tmp_path, {}, extra_sources=[source], env=env, timeout_s=1500)
    assert ran == 2
    assert int((job / "cycles.txt").read_text()) > 0
