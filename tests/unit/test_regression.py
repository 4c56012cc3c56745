# SPDX-License-Identifier: Apache-2.0
"""The guard of the designs: what fails it, what does not, and that one cycle is seen."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from rich.console import Console

from designs.area.points import sources_hash
from designs.regression import (
    GUARDED,
    Figures,
    Verdict,
    compare,
    figures_json,
    guarded,
    moves_table,
    read_figures,
)
from designs.regression import __main__ as regression
from designs.regression.__main__ import main
from designs.regression.figures import unknown
from flexcc.bitstream import BitstreamReport
from flexcc.dse import latency
from flexcc.errors import TooSlowError
from flexcc.progress import Progress
from flexcc.synthesis import CellReport, SynthesisReport

STORED = Figures(
    cycles_estimated=1000,
    cycles_measured=1010,
    mac_efficiency=0.8,
    dsp=73,
    accuracy=0.993,
    lut=20_000,
    ff=20_000,
    ram18=50,
    fmax_mhz=66.0,
    tools={"pyosys": "1"},
    sources_sha256="a" * 64,
    sha256="b" * 64,
)


def moved(figure: str, value: float) -> Figures:
    values: dict[str, Any] = {figure: value}
    return replace(STORED, **values)


def verdicts(now: Figures, *, same_mapping: bool = True) -> dict[str, Verdict]:
    moves = compare("net", STORED, now, same_mapping=same_mapping)
    return {move.figure: move.verdict for move in moves}


def test_eight_designs_are_guarded_on_two_boards() -> None:
    targets = [design.target for design in GUARDED]
    assert targets.count("u250") >= 5
    assert targets.count("ulx3s-85f") >= 3
    for design in GUARDED:
        assert read_figures(design.guard).cycles_estimated > 0
        assert '"groups"' in design.mapping.read_text()


def test_what_is_unknown_has_a_reason(tmp_path: Path) -> None:
    bare = Figures(cycles_estimated=1, cycles_measured=None, mac_efficiency=0.5, dsp=1)
    for board, lut in ((True, "no bitstream made yet"), (False, "cells not counted yet")):
        text = figures_json(bare, board=board)
        reasons = json.loads(text)["unknown"]
        assert reasons.keys() == {n for n, value in asdict(bare).items() if value is None}
        assert "make regression-full" in reasons["cycles_measured"]
        assert lut in reasons["lut"]
        (tmp_path / "guard.json").write_text(text)
        assert read_figures(tmp_path / "guard.json") == bare
    for design in GUARDED:
        stored = json.loads(design.guard.read_text())
        nulls = {name for name, value in stored.items() if value is None}
        assert stored["unknown"].keys() == nulls, design.name


def test_measured_cycles_come_from_a_report_of_the_same_estimate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    [design] = [design for design in GUARDED if design.name == "enet"]
    monkeypatch.setattr(guarded, "FOLDER", tmp_path)
    bare = Figures(cycles_estimated=700, cycles_measured=None, mac_efficiency=0.9, dsp=1)
    assert design.reported(bare) == bare
    design.folder.mkdir()
    report = {
        "cycles": {"estimated": 700.0, "measured": 703.0},
        "mac_efficiency": {"measured": 0.8},
    }
    (design.folder / "report.json").write_text(json.dumps(report))
    assert design.reported(bare) == replace(bare, cycles_measured=703, mac_efficiency=0.8)
    other = replace(bare, cycles_estimated=701)
    assert design.reported(other) == other


BITS = BitstreamReport(
    model="net",
    target="ulx3s-85f",
    clock_mhz=60.0,
    fmax_mhz=58.0,
    slowest_path="from u_store to u_write",
    lut=20_000,
    ff=20_000,
    dsp=73,
    ram18=68,
    array={"lut": 6_000, "ff": 7_000, "dsp": 64, "ram18": 0},
    tools={"pyosys": "1"},
    sources_sha256="a" * 64,
    sha256="b" * 64,
)


def measured_with(
    cells: BitstreamReport | SynthesisReport, monkeypatch: pytest.MonkeyPatch
) -> Figures:
    """The figures of a compiled design whose cells somebody else has found."""
    name = "mnist_conv_ulx3s" if isinstance(cells, BitstreamReport) else "mnist_conv_u250"
    [design] = [design for design in GUARDED if design.name == name]
    monkeypatch.setattr(guarded, "write_bitstream", lambda *_: cells)
    monkeypatch.setattr(guarded, "write_synthesis", lambda *_: cells)
    return design.measure(Progress(), simulate=False, place=True).figures


def test_a_bitstream_tells_its_slowest_path_and_array(monkeypatch: pytest.MonkeyPatch) -> None:
    found = measured_with(BITS, monkeypatch)
    assert (found.lut, found.uram, found.array) == (20_000, 0, BITS.array)
    assert (found.fmax_mhz, found.slowest_path) == (58.0, "from u_store to u_write")
    assert unknown(found, board=True).keys() == {"cycles_measured"}


def test_cells_are_counted_of_what_no_open_tool_places(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = {
        name: CellReport(used=10 * number, array=number, available=1000)
        for number, name in enumerate(("lut", "ff", "dsp", "ram18", "uram"), 1)
    }
    cells = SynthesisReport(model="net", target="u250", tools={"pyosys": "1"}, **counts)
    found = measured_with(cells, monkeypatch)
    assert (found.lut, found.ff, found.dsp, found.ram18, found.uram) == (10, 20, 30, 40, 50)
    assert found.array == {"lut": 1, "ff": 2, "dsp": 3, "ram18": 4, "uram": 5}
    assert found.sources_sha256 == sources_hash()
    why = unknown(found, board=False)
    assert why.keys() == {"cycles_measured", "fmax_mhz", "slowest_path", "sha256"}
    assert "vendor's tools alone" in why["fmax_mhz"]


def test_a_clock_that_is_not_reached_stands_in_the_table_and_names_its_path(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The board's clock is above what the router found; then only less than it used to be."""
    name = "mnist_conv_ulx3s"
    path = "the slowest path runs from u_store to u_write"

    def slow(*_: object) -> BitstreamReport:
        raise TooSlowError(f"build: clock clk: 51.0 MHz reached; {path}", fmax_mhz=51.0)

    monkeypatch.setattr(guarded, "write_bitstream", slow)
    monkeypatch.setattr(regression, "ALWAYS_SIMULATED", ())
    refused = CliRunner().invoke(main, [name])
    assert refused.exit_code == 1, refused.output
    [line] = [text for text in refused.output.splitlines() if "fmax_mhz" in text]
    assert line.split()[0] == name
    assert line.split()[3] == "51"
    assert line.split()[-1] == "worse"
    assert path in refused.output

    monkeypatch.setattr(guarded, "write_bitstream", lambda *_: replace(BITS, fmax_mhz=50.0))
    worse = CliRunner().invoke(main, [name])
    assert worse.exit_code == 1, worse.output
    [line] = [text for text in worse.output.splitlines() if "fmax_mhz" in text]
    assert line.split()[3] == "50"
    assert line.split()[-1] == "worse"
    assert f"50.0 MHz; {path}" in " ".join(worse.output.split())


def test_ways_to_measure_exclude_each_other() -> None:
    refused = CliRunner().invoke(main, ["--full", "--estimates"])
    assert refused.exit_code == 2
    assert "--full, --simulate and --estimates exclude each other" in refused.output


def test_nothing_moves() -> None:
    assert verdicts(STORED) == {}
    # What was not measured now says nothing.
    assert verdicts(replace(STORED, cycles_measured=None, sha256=None, fmax_mhz=None)) == {}


@pytest.mark.parametrize(
    ("figure", "worse", "near", "better"),
    [
        ("cycles_measured", 1011, None, 1009),
        ("dsp", 74, None, 72),
        ("ram18", 51, None, 49),
        ("lut", 20_401, 20_399, 19_000),
        ("ff", 20_401, 20_399, 19_000),
        ("fmax_mhz", 56.0, 60.0, 70.0),
        ("mac_efficiency", 0.79, None, 0.81),
        ("accuracy", 0.992, None, 0.994),
    ],
)
def test_a_figure_has_its_room(
    figure: str, worse: float, near: float | None, better: float
) -> None:
    assert verdicts(moved(figure, worse)) == {figure: Verdict.WORSE}
    assert verdicts(moved(figure, better)) == {figure: Verdict.BETTER}
    if near is not None:
        assert verdicts(moved(figure, near)) == {figure: Verdict.NEAR}
    assert [verdict for verdict in Verdict if verdict.fails] == [Verdict.WORSE, Verdict.CHANGED]


def test_an_estimate_becomes_better_only_with_another_mapping() -> None:
    fewer, more = (replace(STORED, cycles_estimated=cycles) for cycles in (999, 1001))
    assert verdicts(fewer) == {"cycles_estimated": Verdict.CHANGED}
    assert verdicts(fewer, same_mapping=False) == {"cycles_estimated": Verdict.BETTER}
    assert verdicts(more, same_mapping=False) == {"cycles_estimated": Verdict.WORSE}


def test_a_bitstream_moves_with_its_sources_or_tools_alone() -> None:
    other = replace(STORED, sha256="c" * 64)
    assert verdicts(other) == {"sha256": Verdict.CHANGED}
    assert verdicts(replace(other, sources_sha256="d" * 64)) == {"sha256": Verdict.NEW}
    assert verdicts(replace(other, tools={"pyosys": "2"})) == {"sha256": Verdict.NEW}


def test_the_table_can_be_read() -> None:
    moves = compare("net", STORED, replace(STORED, cycles_measured=1011), same_mapping=True)
    console = Console(width=100, record=True)
    console.print(moves_table(moves))
    [line] = [text for text in console.export_text().splitlines() if "net" in text]
    assert line.split() == ["net", "cycles_measured", "1,010", "1,011", "+1", "(+0.10%)", "worse"]


def test_one_cycle_in_a_latency_formula_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every half of the output buffer is held a cycle longer, by the formula."""
    names = ["mnist_conv_u250", "mnist_conv_ulx3s"]
    runner = CliRunner()
    same = runner.invoke(main, ["--estimates", *names])
    assert same.exit_code == 0, same.output
    assert "nothing has moved" in same.output

    held = latency.array_latency
    monkeypatch.setattr(latency, "array_latency", lambda accelerator: held(accelerator) + 1)
    worse = runner.invoke(main, ["--estimates", *names])
    assert worse.exit_code == 1, worse.output
    for design in GUARDED:
        if design.name in names:
            stored = read_figures(design.guard).cycles_estimated
            [line] = [text for text in worse.output.splitlines() if "cycles_estimated" in text
                      and design.name in text]  # fmt: skip
            assert f"{stored:,}" in line
            assert line.split()[-1] == "worse"
    assert "make regression ACCEPT=1" in worse.output
