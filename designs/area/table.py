# SPDX-License-Identifier: Apache-2.0
"""Estimated against mapped resources: a section of docs/estimator.md, from the stored points."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

from designs.area.points import Point, Whole, points, wholes
from designs.regression.figures import read_figures
from designs.regression.guarded import GUARDED
from flexcc.accelerator import Accelerator
from flexcc.backend.archive import unpack
from flexcc.dse.area import Part, array_cells, cells, part_cells, stored_constants
from flexcc.dse.rams import core_rams, ram_halves
from flexcc.dse.resources import array_multipliers, multipliers, resources
from flexcc.targets import Family, load_device

__all__ = ["Count", "guarded_counts", "part_counts", "section", "whole_counts"]

_ESTIMATED = ("LUT", "FF")


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """Estimated and mapped cells of a kind, `fitted` or held out."""

    name: str
    kind: str
    estimated: float
    mapped: int
    fitted: bool

    @property
    def error(self) -> float:
        """The estimate's error as a share of what was mapped."""
        return self.estimated / self.mapped - 1 if self.mapped else float(self.estimated)


def whole_counts() -> Iterator[Count]:
    """All kinds of cells of each design, its array too if that was mapped."""
    for whole in wholes():
        for kind, estimated, mapped in _whole(whole):
            yield Count(
                name=whole.name,
                kind=kind,
                estimated=estimated,
                mapped=mapped,
                fitted=whole.fitted and kind in _ESTIMATED,
            )


def _whole(whole: Whole) -> Iterator[tuple[str, float, int]]:
    a = whole.accelerator
    area = cells(a, top=whole.module == "flex_top")
    array = array_cells(a)
    dsp = multipliers(a, Family.XCUP)
    halves = a.cores * sum(map(ram_halves, core_rams(a)))
    if whole.array is None:
        dsp -= a.cores * array_multipliers(m=a.m, p=a.p, n=a.n, packed=a.packed)
        mapped = whole.around
        area = area + array * -1
    else:
        mapped = whole.around
        for _ in range(a.cores):
            mapped = mapped + whole.array
    yield "DSP48E2", dsp, mapped.multipliers
    yield "RAM, 18 Kbit", halves, mapped.block_rams
    yield "UltraRAM", 0, mapped.ultra_rams
    yield "LUT", area.lut, mapped.luts + mapped.lut_rams
    yield "FF", area.ff, mapped.registers


def guarded_counts() -> Iterator[Count]:
    """All kinds of cells of the guarded designs that Yosys has counted for UltraScale+."""
    for design in GUARDED:
        figures, device = read_figures(design.guard), load_device(design.target)
        if device.family is not Family.XCUP or figures.lut is None:
            continue
        packed = json.loads(design.mapping.read_text())["accelerator"]
        found = resources(unpack(packed, {}, (Accelerator,)), device)
        assert found.lut is not None
        assert found.ff is not None
        pairs = (
            ("DSP48E2", found.dsp, figures.dsp),
            ("RAM, 36 Kbit", found.bram36, figures.ram18 and -(-figures.ram18 // 2)),
            ("UltraRAM", found.uram, figures.uram),
            ("LUT", found.lut, figures.lut),
            ("FF", found.ff, figures.ff),
        )
        for kind, estimated, mapped in pairs:
            assert estimated is not None
            assert mapped is not None
            yield Count(
                name=design.name, kind=kind, estimated=estimated, mapped=mapped, fitted=False
            )


def _estimated(point: Point) -> tuple[float, float]:
    found = part_cells(Part(name=point.part, terms=point.terms), stored_constants())
    return found.lut + point.lut - point.own_lut, found.ff


def part_counts() -> Iterator[Count]:
    """LUTs and registers of each module."""
    for point in points():
        lut, ff = _estimated(point)
        name = _name(point)
        for kind, estimated, mapped in (("LUT", lut, point.lut), ("FF", ff, point.ff)):
            yield Count(
                name=name,
                kind=kind,
                estimated=estimated,
                mapped=mapped,
                fitted=not point.held_out,
            )


def _name(point: Point) -> str:
    shown = ("M", "P", "N", "Q", "DataBytes", "Taps", "Slopes", "Sums", "Wide", "Packed")
    values = ", ".join(f"{k}={v}" for k, v in point.parameters.items() if k in shown)
    return f"`{point.module}` {values}"


def _row(count: Count) -> str:
    how = "fitted" if count.fitted else "held out"
    if count.kind not in _ESTIMATED:
        how = "no constants"
    error = f"{count.error:+.1%}" if count.estimated != count.mapped else "0"
    return (
        f"| {count.name} | {how} | {count.kind} | {count.estimated:,.0f} | {count.mapped:,} "
        f"| {error} |"
    )


def section() -> str:
    """The section."""
    designs = "\n".join(_row(count) for count in (*whole_counts(), *guarded_counts()))
    parts = "\n".join(_row(count) for count in part_counts())
    return f"""\
## Resources

What the explorer says of an accelerator's cells ([dse.md](dse.md)) and what Yosys makes of it on
UltraScale+ (`synth_xilinx -family xcup`). Formulas have constants that
`python -m designs.area.fit` finds from modules mapped one by one, and the share that is left of
them in one netlist; multipliers and RAMs have none. A test fails when what was held out is off by
more than 10 %, or multipliers or RAMs at all; of the guarded designs, which go by their names, RAMs
may differ by 10 %, too. HLS kernels are estimated as the RTL is. Where an array was not mapped the
rest is compared.

| design: array | | cells | estimated | mapped | error |
|---|---|---|---|---|---|
{designs}

Modules alone:

| module | | cells | estimated | mapped | error |
|---|---|---|---|---|---|
{parts}
"""
