# SPDX-License-Identifier: Apache-2.0
"""The section of the results page on the guarded designs."""

from designs.regression.figures import Figures, read_figures
from designs.regression.guarded import GUARDED

__all__ = ["section"]


def section() -> str:
    """Cycles of all guarded designs, cells and clock of those with a bitstream."""
    figures = [(design, read_figures(design.guard)) for design in GUARDED]
    rows = "\n".join(
        f"| {design.name} | {design.target} | {found.cycles_estimated:,} "
        f"| {_number(found.cycles_measured)} | {found.mac_efficiency:.1%} | {found.dsp:,} "
        f"| {_share(found.accuracy)} |"
        for design, found in figures
    )
    bits = "\n".join(
        f"| {design.name} | {found.lut:,} | {found.ff:,} | {found.dsp} | {found.ram18} "
        f"| {found.fmax_mhz:.1f} MHz | `{(found.sha256 or '')[:16]}` |"
        for design, found in figures
        if found.fmax_mhz is not None
    )
    counted = "\n".join(
        f"| {design.name} | " + " | ".join(_cells(found, name) for name in _COUNTED) + " |"
        for design, found in figures
        if found.lut is not None and found.fmax_mhz is None
    )
    return f"""\
## Guarded designs

`make regression` measures them again and fails on a table of what has become worse
([how](bitstream.md#designs-that-are-guarded)). Efficiency counts whole kernels, those of border
pixels too, so small images may exceed 100 %. Accuracy is that of 1,000 labelled samples; the other
networks have random weights here.

| design | target | cycles estimated | in simulated RTL | MAC efficiency | multipliers | accuracy |
|---|---|---|---|---|---|---|
{rows}

Bitstreams by Yosys, nextpnr-ecp5 and ecppack for LFE5U-85F, speed grade 6; the board's clock is
60 MHz. The hash is the beginning of the bitstream's SHA-256.

| design | LUT4 | FF | MULT18X18D | DP16KD | fastest clock | hash |
|---|---|---|---|---|---|---|
{bits}

Cells of the others by Yosys (`synth_xilinx -family xcup`, without pins), before any placement; in
brackets how much of them is the systolic array. An array is mapped once, the rest around it
flattened. RAM of 36 Kbit counts twice.

| design | LUT | FF | DSP48E2 | RAM, 18 Kbit | URAM288 |
|---|---|---|---|---|---|
{counted}
"""


_COUNTED = ("lut", "ff", "dsp", "ram18", "uram")


def _cells(found: Figures, name: str) -> str:
    """How many cells of a kind, and the share of the array."""
    cells = getattr(found, name)
    share = f" ({(found.array or {}).get(name, 0) / cells:.0%})" if cells else ""
    return f"{cells:,}{share}"


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.1%}"


def _number(value: int | None) -> str:
    return "" if value is None else f"{value:,}"
