# SPDX-License-Identifier: Apache-2.0
"""Areas are counted in full, and versatility costs no more than 3 % of a core."""

from dataclasses import replace
from pathlib import Path

import pytest

from flexcc.dse.area import cells
from flexcc.dse.ultra_rams import ultra_rams
from sim.baseline.area import ACCELERATOR, compare
from sim.synthesis import Area, area
from sim.yosys import SynthesisError

pytest.importorskip("pyosys", reason="needs the extra synth")

_NOTHING = Area(luts=0, lut_rams=0, registers=0, multipliers=0, block_rams=0, ultra_rams=0)


def test_cells_are_counted() -> None:
    registers = area("flex_delay", {"Width": 8, "Cycles": 2, "Reset": 1})
    assert (registers.registers, registers.lut_rams, registers.block_rams) == (16, 0, 0)
    ram = area("flex_ram_sdp", {"Width": 72, "Depth": 512})
    assert (ram.block_rams, ram.multipliers) == (2, 0)
    both = registers + ram
    assert both.registers == registers.registers + ram.registers
    assert both.block_rams == 2


def test_a_module_left_out_counts_as_nothing() -> None:
    parameters = {"M": 2, "P": 2, "N": 8, "Q": 1, "Packed": 1}
    whole = area("flex_systolic_array", parameters)
    frame = area("flex_systolic_array", parameters, left_out=("flex_pe",))
    assert (whole.multipliers, frame.multipliers) == (16, 0)
    assert _NOTHING.registers < frame.registers < whole.registers


def test_a_stand_in_replaces_the_module_of_its_name(tmp_path: Path) -> None:
    stand_in = tmp_path / "flex_delay.sv"
    stand_in.write_text(
        "module flex_delay (input logic [7:0] data_i, output logic [7:0] data_o);\n"
        "  assign data_o = ~data_i;\n"
        "endmodule\n"
    )
    inverters = area("flex_delay", {}, stand_ins=(stand_in,))
    assert (inverters.luts, inverters.registers) == (8, 0)


def test_cells_of_unknown_area_are_refused(tmp_path: Path) -> None:
    odd = tmp_path / "flex_odd.sv"
    odd.write_text(
        "module flex_odd (input logic clk_i, output logic clk_o);\n"
        "  BUFG u_buffer (.I(clk_i), .O(clk_o));\n"
        "endmodule\n"
        "(* blackbox *)\n"
        "module BUFG (input logic I, output logic O);\n"
        "endmodule\n"
    )
    with pytest.raises(SynthesisError, match="flex_odd: 1 cells BUFG"):
        area("flex_odd", {}, stand_ins=(odd,))


@pytest.mark.parametrize(
    ("beat_bytes", "cores", "size"),
    [
        (16, 1, 2 * 4096 * 16),
        # E-Net's: Yosys packs the last bytes of deep banks more closely, 30 and 60 blocks.
        pytest.param(64, 1, 835_584, marks=pytest.mark.slow),
        pytest.param(64, 2, 1_634_304, marks=pytest.mark.slow),
    ],
)
def test_ultra_rams_are_estimated(beat_bytes: int, cores: int, size: int) -> None:
    parameters = {"DataBytes": beat_bytes, "Cores": cores, "Sums": 1, "Bytes": size}
    mapped = area("flex_on_chip", parameters).ultra_rams
    accelerator = replace(
        ACCELERATOR, beat_bytes=beat_bytes, cores=cores, sums=True, on_chip_bytes=size
    )
    assert mapped <= ultra_rams(accelerator) <= 1.1 * mapped


@pytest.mark.slow
def test_versatility_costs_no_more_than_three_percent() -> None:
    areas = compare(ACCELERATOR)
    core, plain = areas.core, areas.plain
    assert core.luts + core.lut_rams <= 1.03 * (plain.luts + plain.lut_rams)
    assert core.registers <= 1.03 * plain.registers
    assert core.multipliers == plain.multipliers
    estimated = cells(ACCELERATOR, top=False)
    assert estimated.lut == pytest.approx(core.luts + core.lut_rams, rel=0.1)
    assert estimated.ff == pytest.approx(core.registers, rel=0.1)
