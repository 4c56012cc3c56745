# SPDX-License-Identifier: Apache-2.0
"""The figures of a design that a change of the sources may move, as `guard.json` beside it."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from flexcc.bitstream import BitstreamReport
from flexcc.report import Report

__all__ = ["Figures", "design_figures", "figures_json", "read_figures"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What is guarded; None is what was not measured or does not exist.

    Cycles are those of a whole run, `measured` in the simulated RTL. `lut` to `sha256` are of the
    bitstream, see `BitstreamReport`; `dsp` are the explorer's, which the bitstream's must equal.
    """

    cycles_estimated: int
    cycles_measured: int | None
    mac_efficiency: float
    dsp: int
    lut: int | None = None
    ff: int | None = None
    ram18: int | None = None
    fmax_mhz: float | None = None
    tools: dict[str, str] | None = None
    sources_sha256: str | None = None
    sha256: str | None = None


def design_figures(report: Report, bits: BitstreamReport | None) -> Figures:
    """The figures of a compiled design, and of its bitstream where one was made."""
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
    )
    if bits is None:
        return figures
    values = asdict(figures) | {
        "dsp": bits.dsp,
        "lut": bits.lut,
        "ff": bits.ff,
        "ram18": bits.ram18,
        "fmax_mhz": bits.fmax_mhz,
        "tools": bits.tools,
        "sources_sha256": bits.sources_sha256,
        "sha256": bits.sha256,
    }
    return Figures(**values)


def figures_json(figures: Figures) -> str:
    """The text of a guard.json."""
    return json.dumps(asdict(figures), indent=2, allow_nan=False) + "\n"


def read_figures(path: Path) -> Figures:
    """The figures of a guard.json; TypeError for a key too many or too few."""
    values: dict[str, Any] = json.loads(path.read_text())
    return Figures(**values)
