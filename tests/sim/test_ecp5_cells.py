# SPDX-License-Identifier: Apache-2.0
"""The models of ECP5's cells, against what Yosys infers: random words through both widths."""

from pathlib import Path

import pytest

from sim.bitstream import netlist
from sim.ecp5.netlist import simulation_source
from sim.runner import simulate
from sim.sources import sources_for

pytestmark = [pytest.mark.rtl, pytest.mark.slow]


def _ports(width: int, depth: int, lane: int) -> list[str]:
    address = (depth - 1).bit_length()
    return [
        "input logic clk_i",
        f"input logic [{width // lane - 1}:0] wr_en_i",
        f"input logic [{address - 1}:0] wr_addr_i",
        f"input logic [{width - 1}:0] wr_data_i",
        "input logic rd_en_i",
        f"input logic [{address - 1}:0] rd_addr_i",
        f"output logic [{width - 1}:0] rd_data_o",
    ]


# One pattern for each width that a block may have: 36, 18, 9, 4, 2, 1 bits, and byte enables.
@pytest.mark.parametrize(
    ("width", "depth", "lane"),
    [(36, 512, 36), (72, 512, 9), (18, 1024, 9), (9, 2048, 9), (8, 4096, 8), (16, 8192, 8)],
)
def test_ram_of_blocks(tmp_path: Path, width: int, depth: int, lane: int) -> None:
    parameters = {"Width": width, "Depth": depth, "LaneWidth": lane}
    mapped = netlist(sources_for("flex_ram_sdp"), "flex_ram_sdp", tmp_path, parameters=parameters)
    assert "DP16KD" in mapped.read_text()
    ports = _ports(width, depth, lane)
    source = simulation_source(mapped, "flex_ram_sdp", ports, tmp_path / "simulated")
    env = {"DEPTH": str(depth), "LANE_WIDTH": str(lane)}
    ran = simulate("flex_ram_sdp", tmp_path, {}, extra_sources=[source], env=env)
    assert ran == 2


@pytest.mark.parametrize("lanes", [1, 8])
def test_multipliers(tmp_path: Path, lanes: int) -> None:
    """A chain of products: its sums are those of the bench."""
    parameters = {"Lanes": lanes, "Packed": 0}
    mapped = netlist(sources_for("flex_mac_cell"), "flex_mac_cell", tmp_path, parameters=parameters)
    assert mapped.read_text().count("MULT18X18D") == lanes
    width = 16 + (lanes - 1).bit_length()
    ports = [
        "input logic clk_i",
        f"input logic [{8 * lanes - 1}:0] x_i",
        f"input logic [{8 * lanes - 1}:0] w_i",
        f"output logic [{width - 1}:0] sum_o",
    ]
    source = simulation_source(mapped, "flex_mac_cell", ports, tmp_path / "simulated")
    env = {"LANES": str(lanes), "PACKED": "0"}
    assert simulate("flex_mac_cell", tmp_path, {}, extra_sources=[source], env=env) == 1
