# SPDX-License-Identifier: Apache-2.0
"""One register more in the RTL, and the guard of the designs sees it."""

import shutil
from pathlib import Path

import pytest

import sim.sources
from designs.regression import GUARDED, Verdict, compare, moves_table, read_figures
from flexcc.progress import Progress

pytestmark = [pytest.mark.rtl, pytest.mark.slow]

NAME = "mnist_conv_ulx3s"
# Activations come a cycle later from memory.
REGISTER = """
  logic [DataBytes*8-1:0] late_data;
  logic late_valid, late_ready;
  flex_stream_register #(
    .Width(DataBytes * 8)
  ) u_late (
    .clk_i,
    .rst_ni     (core_rst_n),
    .in_data_i  (late_data),
    .in_valid_i (late_valid),
    .in_ready_o (late_ready),
    .out_data_o (load_data),
    .out_valid_o(load_valid),
    .out_ready_i(load_ready)
  );

  flex_axi_read #("""
EDITS = (
    (".data_data_o  (load_data)", ".data_data_o  (late_data)"),
    (".data_valid_o (load_valid)", ".data_valid_o (late_valid)"),
    (".data_ready_i (load_ready)", ".data_ready_i (late_ready)"),
    ("\n  flex_axi_read #(", REGISTER),
)


def test_a_register_in_the_rtl_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = tmp_path / "rtl"
    shutil.copytree(sim.sources.RTL, copy)
    core = copy / "flex_core.sv"
    text = core.read_text()
    for old, new in EDITS:
        assert old in text
        text = text.replace(old, new, 1)
    core.write_text(text)
    lists = tuple(
        copy / path.name if path.parent == sim.sources.RTL else path
        for path in sim.sources.FILE_LISTS
    )
    monkeypatch.setattr(sim.sources, "FILE_LISTS", lists)

    [design] = [design for design in GUARDED if design.name == NAME]
    measured = design.measure(Progress(), simulate=True, place=False)
    same = design.mapping.read_text() == measured.mapping
    stored = read_figures(design.guard)
    moves = compare(NAME, stored, measured.figures, same_mapping=same)
    by_figure = {move.figure: move for move in moves}
    assert by_figure.keys() == {"cycles_measured", "mac_efficiency"}
    assert by_figure["cycles_measured"].verdict is Verdict.WORSE
    assert stored.cycles_measured is not None
    assert measured.figures.cycles_measured is not None
    assert stored.cycles_measured < measured.figures.cycles_measured < stored.cycles_measured + 50
    assert moves_table(moves).row_count == 2
