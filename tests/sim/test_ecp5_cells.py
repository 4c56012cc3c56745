# SPDX-License-Identifier: Apache-2.0
"""The models of ECP5's cells, against what Yosys infers: random words through both widths."""

import re
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


def _cells(mapped: Path, kind: str) -> int:
    """Instances; other cells are named after them."""
    return len(re.findall(rf"^ *{kind} ", mapped.read_text(), re.MULTILINE))


# One pattern for each width that a block may have, and byte enables in 9, 18 and 36 bits.
@pytest.mark.parametrize(
    ("width", "depth", "lane", "block"),
    [
        (36, 512, 36, 36),
        (72, 512, 9, 36),
        (18, 1024, 9, 18),
        (9, 2048, 9, 9),
        (8, 4096, 8, 4),
        (16, 8192, 8, 2),
        (2, 16384, 2, 1),
    ],
)
def test_ram_of_blocks(tmp_path: Path, width: int, depth: int, lane: int, block: int) -> None:
    parameters = {"Width": width, "Depth": depth, "LaneWidth": lane}
    mapped = netlist(sources_for("flex_ram_sdp"), "flex_ram_sdp", tmp_path, parameters=parameters)
    text = mapped.read_text()
    widths = set(re.findall(r"DATA_WIDTH_[AB]\(32'd(\d+)\)", text))
    assert _cells(mapped, "DP16KD") == max(1, width * depth // 16384)
    assert widths == {str(block)}
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
    assert _cells(mapped, "MULT18X18D") == lanes
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


def test_multipliers_of_parts(tmp_path: Path) -> None:
    """27 x 25 bits of four multipliers: products of signed and unsigned parts."""
    parameters = {"Pixels": 1, "Slopes": 1, "Wide": 0}
    top = "flex_requantize_lane"
    mapped = netlist(sources_for(top), top, tmp_path, parameters=parameters)
    assert _cells(mapped, "MULT18X18D") == 4
    ports = [
        "input logic clk_i",
        "input logic rst_ni",
        "input logic valid_i",
        "input logic [0:0][26:0] acc_i",
        "input logic [23:0] mult_i",
        "input logic [5:0] shift_i",
        "input logic signed [47:0] bias_i",
        "input logic signed [26:0] below_last_i",
        "input logic signed [24:0] below_mult_i",
        "input logic [5:0] below_shift_i",
        "input logic signed [47:0] below_bias_i",
        "input logic signed [7:0] zero_point_i",
        "input logic signed [7:0] low_i",
        "input logic signed [7:0] high_i",
        "output logic valid_o",
        "output logic [0:0][7:0] data_o",
    ]
    source = simulation_source(mapped, top, ports, tmp_path / "simulated")
    env = {"PIXELS": "1", "SLOPES": "1", "WIDE": "0"}
    assert simulate(top, tmp_path, {}, extra_sources=[source], env=env) == 3
