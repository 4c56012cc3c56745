# SPDX-License-Identifier: Apache-2.0
"""The figures of a design that a change of the sources may move, as `guard.json` beside it."""

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from flexcc.bitstream import BitstreamReport
from flexcc.report import Report
from flexcc.synthesis import SynthesisReport

__all__ = ["Figures", "design_figures", "figures_json", "read_figures", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What is guarded; None is what was not measured or does not exist.

    Cycles are those of a whole run, `measured` in the simulated RTL. `accuracy` is the share of
    labelled samples that the integers get right. `lut` to `sha256` are of the bitstream, see
    `BitstreamReport`; of designs that no open tool places they are what Yosys maps, `ram18` in
    halves of 36 Kbit. `array` is how much of each the systolic arrays are. `dsp` are the
    explorer's, which those that are mapped must equal.
    """

    cycles_estimated: int
    cycles_measured: int | None
    mac_efficiency: float
    dsp: int
    accuracy: float | None = None
    lut: int | None = None
    ff: int | None = None
    ram18: int | None = None
    uram: int | None = None
    array: dict[str, int] | None = None
    fmax_mhz: float | None = None
    slowest_path: str | None = None
    tools: dict[str, str] | None = None
    sources_sha256: str | None = None
    sha256: str | None = None


def design_figures(
    report: Report,
    cells: BitstreamReport | SynthesisReport | None,
    accuracy: float | None = None,
    *,
    sources_sha256: str | None = None,
) -> Figures:
    """The figures of a compiled design, and of its bitstream or its cells where there are some.

    `sources_sha256` is that of the sources of cells that were only counted.
    """
    estimated, dsp = report.cycles.estimated, report.resources.dsp.used
    measured, efficiency = report.cycles.measured, report.mac_efficiency
    assert estimated is not None
    assert dsp is not None
    share = efficiency.estimated if measured is None else efficiency.measured
    assert share is not None
    figures = Figures(
        cycles_estimated=int(estimated),
        cycles_measured=None if measured is None else int(measured),
        mac_efficiency=share,
        dsp=dsp,
        accuracy=accuracy,
        uram=None if report.resources.uram.available else 0,
    )
    match cells:
        case None:
            return figures
        case BitstreamReport():
            return replace(
                figures,
                dsp=cells.dsp,
                lut=cells.lut,
                ff=cells.ff,
                ram18=cells.ram18,
                array=cells.array,
                fmax_mhz=cells.fmax_mhz,
                slowest_path=cells.slowest_path,
                tools=cells.tools,
                sources_sha256=cells.sources_sha256,
                sha256=cells.sha256,
            )
        case SynthesisReport():
            counts = {name: getattr(cells, name) for name in _COUNTED}
            return replace(
                figures,
                **{name: count.used for name, count in counts.items()},
                array={name: count.array for name, count in counts.items()},
                tools=cells.tools,
                sources_sha256=sources_sha256,
            )


_COUNTED = ("lut", "ff", "dsp", "ram18", "uram")
_NOT_SIMULATED = "not simulated yet: make regression-full ACCEPT=1"
_NOT_PLACED = "no bitstream made yet: make regression-full ACCEPT=1"
_NOT_COUNTED = "cells not counted yet: make regression-full ACCEPT=1"
_VENDOR = "placed by the vendor's tools alone"
_UNLABELLED = "random weights, or samples without labels"


def unknown(figures: Figures, *, board: bool) -> dict[str, str]:
    """Why figures are None, by name; `board` is one whose bitstreams are made with open tools."""
    reasons = {"cycles_measured": _NOT_SIMULATED, "accuracy": _UNLABELLED}
    if not board:
        reasons |= dict.fromkeys(("fmax_mhz", "slowest_path", "sha256"), _VENDOR)
    other = _NOT_PLACED if board else _NOT_COUNTED
    return {
        name: reasons.get(name, other) for name, value in asdict(figures).items() if value is None
    }


def figures_json(figures: Figures, *, board: bool) -> str:
    """The text of a guard.json: the figures, and why some are `unknown`."""
    values = asdict(figures) | {"unknown": unknown(figures, board=board)}
    return json.dumps(values, indent=2, allow_nan=False) + "\n"


def read_figures(path: Path) -> Figures:
    """The figures of a guard.json; TypeError for a key too many or too few."""
    values: dict[str, Any] = json.loads(path.read_text())
    del values["unknown"]
    return Figures(**values)
