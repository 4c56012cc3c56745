# SPDX-License-Identifier: Apache-2.0
"""The tools behind a bitstream, on a module that takes seconds: same bytes, and what is refused."""

import shutil
from pathlib import Path

import pytest

from sim.bitstream import Bitstream, Device, PlacementError, make_bitstream
from sim.sources import INCLUDE, sources_for

pytestmark = [pytest.mark.rtl, pytest.mark.slow]

TOP = "flex_uart_rx"
SITES = {"clk_i": "G2", "rst_ni": "R1", "rx_i": "M1", "valid_o": "L4"}
LIGHTS = ("B2", "C2", "C1", "D2", "D1", "E2", "E1", "H3")
CELLS = {"TRELLIS_COMB": 83640, "TRELLIS_FF": 83640, "MULT18X18D": 156, "DP16KD": 208}


def make(folder: Path, *, clock_mhz: float = 60.0, **fewer: int) -> Bitstream:
    """From copies of the sources, so that each run has paths of its own."""
    source = folder / "rtl"
    shutil.copytree(INCLUDE, source / "include")
    sources = [Path(shutil.copy(path, source)) for path in sources_for(TOP)]
    sources = [Path(shutil.copy(INCLUDE.parent / "flex_pkg.sv", source)), *sources]
    sites = SITES | {f"data_o[{bit}]": site for bit, site in enumerate(LIGHTS)}
    pins = [f'LOCATE COMP "{port}" SITE "{site}";' for port, site in sites.items()]
    pins += [f'IOBUF PORT "{port}" IO_TYPE=LVCMOS33;' for port in sites]
    return make_bitstream(
        sources,
        TOP,
        black_boxes=(),
        constraints="\n".join(pins),
        device=Device(
            size="85k",
            package="CABGA381",
            speed=6,
            clock_mhz=clock_mhz,
            available=CELLS | fewer,
        ),
        folder=folder / "bits",
    )


def test_the_same_sources_elsewhere_give_the_same_bytes(tmp_path: Path) -> None:
    first = make(tmp_path / "here")
    second = make(tmp_path / "somewhere" / "else")
    assert first == second
    bits = [tmp_path / folder / "bits" / f"{TOP}.bit" for folder in ("here", "somewhere/else")]
    assert bits[0].read_bytes() == bits[1].read_bytes()
    routed = first.routed
    assert routed.fmax_mhz > 60
    # Line, data, two counters, valid, busy.
    assert routed.ff == first.mapped.total["TRELLIS_FF"] == 2 + 8 + 5 + 4 + 1 + 1
    assert (routed.dsp, routed.ram18) == (0, 0)


def test_a_clock_that_is_too_fast_names_it_and_the_path(tmp_path: Path) -> None:
    wanted = (
        r"clock \S*: \d+\.\d MHz reached, 2000 MHz needed; the slowest path runs from .*_q.* to "
    )
    with pytest.raises(PlacementError, match=wanted):
        make(tmp_path, clock_mhz=2000)


def test_too_few_cells_name_the_resource_before_anything_is_placed(tmp_path: Path) -> None:
    with pytest.raises(PlacementError, match="TRELLIS_FF: 21 needed, 20 available; most of them"):
        make(tmp_path, TRELLIS_FF=20)
    assert not (tmp_path / "bits" / "nextpnr.json").exists()
