# SPDX-License-Identifier: Apache-2.0
"""What is read from nextpnr's report, and what of it ends a flow."""

import json
from typing import Any

import pytest

from sim.bitstream import (
    PlacementError,
    Routed,
    TooSlowError,
    count_cells,
    read_report,
    require_room,
)

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
    assert read_report(report(), 60.0) == Routed(
        lut=23700,
        ff=24756,
        dsp=145,
        ram18=68,
        fmax_mhz=62.29,
        slowest_path=f"from {STORE} to {WRITE}.u_fifo",
    )


def test_too_many_cells_name_the_resource() -> None:
    with pytest.raises(PlacementError) as caught:
        read_report(report(MULT18X18D=170, DP16KD=209), 60.0)
    assert str(caught.value) == (
        "MULT18X18D: 170 needed, 156 available; DP16KD: 209 needed, 208 available; "
        "choose a smaller array"
    )


def test_a_slow_clock_names_the_modules_of_its_slowest_path() -> None:
    with pytest.raises(TooSlowError) as caught:
        read_report(report(fmax=59.94), 60.0)
    assert caught.value.fmax_mhz == 59.94
    assert str(caught.value) == (
        "clock $glbnet$clk: 59.9 MHz reached, 60 MHz needed; the slowest path runs from "
        "u_board.u_top.gen_core[0].u_core.u_store.u_requests to "
        "u_board.u_top.gen_core[0].u_core.u_write.u_fifo; choose a smaller array, or cut the path "
        "with a register"
    )


def netlist(**cells: str) -> str:
    top = {"attributes": {"top": "1"}, "cells": {n: {"type": t} for n, t in cells.items()}}
    return json.dumps({"modules": {"LUT4": {"attributes": {}, "cells": {}}, "flex_ulx3s": top}})


ARRAY = "u_board.u_top.gen_core[0].u_core.u_vsa.u_array"
NETLIST = netlist(
    **{
        f"{ARRAY}.gen_row[0].u_pe.$mul_1": "MULT18X18D",
        f"{ARRAY}.gen_row[0].u_pe.$mul_2": "MULT18X18D",
        f"{STORE}.$mul_3": "MULT18X18D",
        f"{STORE}.count_q_LUT4_D": "LUT4",
        f"{STORE}.sum_CCU2C_S": "CCU2C",
        f"{STORE}.u_fifo.ram": "TRELLIS_DPR16X4",
        f"{STORE}.count_q": "TRELLIS_FF",
        f"{STORE}.mux": "PFUMX",
    }
)


def test_cells_are_counted_by_instance() -> None:
    cells = count_cells(NETLIST)
    assert cells.total["MULT18X18D"] == 3
    # A LUT, two of a carry, four of a RAM.
    assert cells.total["TRELLIS_COMB"] == 7
    assert cells.total["TRELLIS_FF"] == 1
    assert cells.below("u_vsa.u_array") == {"MULT18X18D": 2}


def test_a_design_too_large_names_resource_and_instances() -> None:
    cells = count_cells(NETLIST)
    require_room(cells, {"MULT18X18D": 3, "DP16KD": 0})
    with pytest.raises(PlacementError) as caught:
        require_room(cells, {"MULT18X18D": 2, "DP16KD": 0})
    assert str(caught.value) == (
        f"MULT18X18D: 3 needed, 2 available; most of them in {ARRAY}.gen_row[0].u_pe (2), "
        f"{STORE} (1); choose a smaller array"
    )
