# SPDX-License-Identifier: Apache-2.0
"""What is read from nextpnr's report, and what of it ends a flow."""

import json
from typing import Any

import pytest

from sim.bitstream import PlacementError, read_report

STORE = "u_board.u_top.gen_core[0].u_core.u_store.u_requests"
WRITE = "u_board.u_top.gen_core[0].u_core.u_write"


def report(*, fmax: float = 62.29, **more: int) -> str:
    used = {"TRELLIS_COMB": 23700, "TRELLIS_FF": 24756, "MULT18X18D": 145, "DP16KD": 68} | more
    available = {
        "TRELLIS_COMB": 83640,
        "TRELLIS_FF": 83640,
        "MULT18X18D": 156,
        "DP16KD": 208,
    }
    clock = "posedge $glbnet$clk"
    steps: list[dict[str, Any]] = [
        {"from": {"cell": f"{STORE}.tiles_done_o_TRELLIS_FF_Q"}, "to": {"cell": "abort_q_LUT4_C"}},
        {"from": {"cell": "abort_q_LUT4_C"}, "to": {"cell": f"{WRITE}.u_fifo.ready_q_LUT4_D"}},
    ]
    paths = [
        {"from": "<async>", "to": clock, "path": []},
        {"from": clock, "to": clock, "path": steps},
    ]
    return json.dumps(
        {
            "utilization": {
                kind: {"used": count, "available": available[kind]} for kind, count in used.items()
            },
            "fmax": {"$glbnet$clk": {"achieved": fmax, "constraint": 60.0}},
            "critical_paths": paths,
        }
    )


def test_figures_of_a_design_that_is_good() -> None:
    fmax, cells = read_report(report(), 60.0)
    assert fmax == 62.29
    assert cells == {"lut": 23700, "ff": 24756, "dsp": 145, "ram18": 68}


def test_too_many_cells_name_the_resource() -> None:
    with pytest.raises(PlacementError) as caught:
        read_report(report(MULT18X18D=170, DP16KD=209), 60.0)
    assert str(caught.value) == (
        "MULT18X18D: 170 needed, 156 available; DP16KD: 209 needed, 208 available; "
        "choose a smaller array"
    )


def test_a_slow_clock_names_the_modules_of_its_slowest_path() -> None:
    with pytest.raises(PlacementError) as caught:
        read_report(report(fmax=59.94), 60.0)
    assert str(caught.value) == (
        "clock $glbnet$clk: 59.9 MHz reached, 60 MHz needed; the slowest path runs from "
        "u_board.u_top.gen_core[0].u_core.u_store.u_requests to "
        "u_board.u_top.gen_core[0].u_core.u_write.u_fifo; choose a smaller array, or cut the path "
        "with a register"
    )
