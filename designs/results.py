# SPDX-License-Identifier: Apache-2.0
"""Measures designs and single layers anew: writes docs/results.md and the JSON that guards it.

Run by `make results`; the diff of what it writes is the change in performance.
"""

import json
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from designs.agreement.figures import stored as agreement_figures
from designs.agreement.table import section as agreement_section
from designs.design import FOLDER, load_design
from designs.enet import accuracy
from designs.enet.accuracy import Accuracy
from designs.enet.table import section as enet_section
from designs.mnist_conv_u250.demo import Figures, measure
from designs.trained.figures import stored as trained_figures
from designs.trained.table import section as trained_section
from designs.trained.whole import RUNS, at_hand, load_run
from designs.trained.whole import measure as measure_trained
from designs.trained.whole_table import section as trained_whole_section
from designs.versatility.figures import STORED, to_json
from designs.versatility.figures import Figures as Versatility
from designs.versatility.reshapes import measure_reshapes
from designs.versatility.tables import sections
from designs.versatility.zeros import measure_zeros
from designs.whole.cores import SHARED, measure_shared, write_shared
from designs.whole.cores import section as cores_section
from designs.whole.estimator import write_page as write_estimator_page
from designs.whole.networks import WHOLE, load_whole
from designs.whole.networks import measure as measure_whole
from designs.whole.tables import section as whole_section
from flexcc.console import progress
from flexcc.report import Report, report_json
from flexcc.report_text import known, latency_text
from sim.baseline.area import ACCELERATOR, Comparison, compare
from sim.synthesis import Area

PAGE = FOLDER.parent / "docs" / "results.md"


def page(figures: Figures, segmented: Accuracy, versatility: Versatility, areas: Comparison) -> str:
    """The text of docs/results.md."""
    report, stalled = figures.report, figures.stalled
    rtl = report.verify.rtl
    assert rtl is not None
    digits = f"{figures.right:,} of {figures.total:,}"
    rows = (
        ("array", f"{_array(report)}, {report.array.macs_per_cycle} MAC per cycle"),
        ("cycles in the simulated RTL", known(report.cycles.measured, "{:,}")),
        ("cycles estimated before simulation", known(report.cycles.estimated, "{:,}")),
        ("MAC efficiency, useful MAC / (cycles x array)", _percent(report.mac_efficiency.measured)),
        ("latency", latency_text(report)),
        ("DSP48 for array, requantisation and control", known(report.resources.dsp.used, "{:,}")),
        ("accuracy of the integer reference", f"{figures.right / figures.total:.2%} ({digits})"),
        ("RTL equal to the reference", f"{rtl.compared_bytes:,} bytes of {rtl.images} digits"),
        (
            "the same with random memory stalls",
            f"{stalled.compared_bytes:,} bytes, {known(stalled.cycles, '{:,}')} cycles at most",
        ),
    )
    table = "\n".join(f"| {label} | {text} |" for label, text in rows)
    layers = "\n".join(
        f"| {layer.name} | {layer.op} | {layer.macs:,} | {known(layer.cycles, '{:,}')} "
        f"| {layer.engines.load:,} | {layer.engines.weights:,} | {layer.engines.array:,} "
        f"| {layer.engines.store:,} |"
        for layer in report.layers
    )
    return f"""\
# Results

<!-- Written by `make results`. Do not edit. -->

Every figure here is measured by `make results`, which also writes the `report.json` of each
design and the JSON of accuracies and single layers; tests fail when the sources give other cycles,
another accuracy or another number of multipliers. Cycles are those of the RTL in Verilator, from
start to done, with a memory that answers after 100 cycles and moves one beat per cycle and port. No
tool has timed the design yet, so every figure in ms names its clock as assumed.

## mnist_conv on u250

A LeNet-like network for handwritten digits, {report.macs:,} useful multiply-accumulates.
`make demo` shows the same run.

| figure | value |
|---|---|
{table}

Estimated cycles by layer: what it adds to the run, and how long each engine works for it.

| layer | operation | useful MAC | adds | load | weights | array | store |
|---|---|---|---|---|---|---|---|
{layers}

{whole_section()}
{trained_whole_section()}
{cores_section()}
{enet_section(segmented)}
{trained_section(trained_figures())}
{agreement_section(agreement_figures())}
{sections(versatility)}
{_areas(areas)}"""


def _areas(areas: Comparison) -> str:
    """The section on the area of versatility."""
    a = ACCELERATOR
    rows = "\n".join(
        _area_row(label, count(areas.core), count(areas.plain), count(areas.array))
        for label, count in _CELLS
    )
    return f"""\
## What versatility costs

A core of {a.m} x {a.p} x {a.n} multipliers against the same core for plain convolutions of stride
1 and 2: kernel counters in place of reduction lists, two column phases at most in the load engine,
no output phases in the store engine and the requantiser. [synthesis.md](synthesis.md) tells how
both are built. Memory ports of {a.beat_bytes} bytes; {a.act_words:,} words of activations and
{a.out_words:,} of outputs a bank and half, {a.weight_words:,} of weights; {a.list_entries:,} list
entries. Yosys, `synth_xilinx -family xcup`, flattened. A test fails when LUT or FF rise by more
than 3 %, or when the multipliers differ.

| | versatile core | plain core | difference | share | array in both |
|---|---|---|---|---|---|
{rows}
"""


# The rows on area: what is counted, and how.
_CELLS: tuple[tuple[str, Callable[[Area], int]], ...] = (
    ("LUT", lambda area: area.luts + area.lut_rams),
    ("of these RAM or shift register", lambda area: area.lut_rams),
    ("FF", lambda area: area.registers),
    ("DSP48E2", lambda area: area.multipliers),
    ("block RAM, 18 Kbit", lambda area: area.block_rams),
    ("UltraRAM", lambda area: area.ultra_rams),
)


def _area_row(label: str, versatile: int, plain: int, array: int) -> str:
    more = versatile - plain
    share = f"{more / plain:+.2%}" if more else "0"
    return f"| {label} | {versatile:,} | {plain:,} | {more:+,} | {share} | {array:,} |"


def _array(report: Report) -> str:
    return f"{report.array.m} x {report.array.p} x {report.array.n}"


def _percent(share: float | None) -> str:
    return known(share, "{:.1%}")


def main() -> None:
    """Measures and writes."""
    design = load_design("mnist_conv_u250")
    with (
        tempfile.TemporaryDirectory() as folder,
        progress(Console(stderr=True), wanted=True) as reports,
    ):
        build = Path(folder) / "build"
        figures = measure(build, reports)
        assert json.loads((build / "report.json").read_text()) == json.loads(
            json.dumps(asdict(figures.report))
        )
        shutil.copyfile(build / "report.json", design.folder / "report.json")
        reports.step("segmenting pictures with the trained E-Net")
        segmented = accuracy.accuracy(accuracy.segment())
        for whole in map(load_whole, WHOLE):
            whole.stored.write_text(report_json(measure_whole(whole, reports)))
        for run in map(load_run, filter(at_hand, RUNS)):
            run.stored.write_text(report_json(measure_trained(run, reports)))
        for name in SHARED:
            write_shared(name, measure_shared(load_whole(name), reports))
        zeros, reshapes = measure_zeros(reports), measure_reshapes(reports)
        reports.step("synthesising the core and the plain one")
        areas = compare(ACCELERATOR)
    versatility = Versatility(zeros=zeros, reshapes=reshapes)
    accuracy.STORED.write_text(accuracy.to_json(segmented))
    STORED.write_text(to_json(versatility))
    PAGE.write_text(page(figures, segmented, versatility, areas))
    write_estimator_page()


if __name__ == "__main__":
    main()
