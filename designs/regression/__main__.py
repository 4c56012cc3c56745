# SPDX-License-Identifier: Apache-2.0
"""Measures the guarded designs and fails when one has become worse.

    python -m designs.regression [--full | --simulate | --estimates] [--accept] [DESIGN...]

All are compiled, two simulated, one placed and routed; with `--full` all of them, and the cells of
those counted that no open tool places; with `--simulate` all simulated and none placed, with
`--estimates` neither. `--accept` stores what is measured in
place of what was; figures that were not measured stay, unless the mapping has changed; cycles that
none has measured are those of the report beside the design, if it estimates the same.
"""

import sys
from dataclasses import asdict, replace

import click
from rich.console import Console

from designs.regression.compare import Move, Verdict, compare, moves_table
from designs.regression.figures import Figures, figures_json, read_figures
from designs.regression.guarded import (
    ALWAYS_PLACED,
    ALWAYS_SIMULATED,
    GUARDED,
    Guarded,
    Measurement,
)
from flexcc.console import progress
from flexcc.errors import FlexccError, TooSlowError
from flexcc.report import report_json
from flexcc.targets import load_device


def judge(design: Guarded, measured: Measurement) -> list[Move]:
    """What of a design has moved since its figures were stored."""
    stored = read_figures(design.guard)
    same = design.mapping.read_text() == measured.mapping
    return compare(design.name, stored, measured.figures, same_mapping=same)


def too_slow(design: Guarded, fmax_mhz: float) -> Move:
    """The clock that a design reaches, too slow for its board."""
    stored = read_figures(design.guard).fmax_mhz if design.guard.exists() else None
    return Move(
        design=design.name, figure="fmax_mhz", stored=stored, now=fmax_mhz, verdict=Verdict.WORSE
    )


def accept(design: Guarded, measured: Measurement) -> None:
    """Stores figures and mapping; a board's design also its report."""
    figures = measured.figures
    if design.guard.exists():
        stored = read_figures(design.guard)
        same = design.mapping.read_text() == measured.mapping
        figures = _merged(stored, figures, same_mapping=same)
    if figures.cycles_measured is None:
        figures = design.reported(figures)
    board = load_device(design.target).board is not None
    design.guard.write_text(figures_json(figures, board=board))
    design.mapping.write_text(measured.mapping)
    if board and figures == measured.figures:
        (design.folder / "report.json").write_text(report_json(measured.report))


def _merged(stored: Figures, now: Figures, *, same_mapping: bool) -> Figures:
    """What is measured now, and of what is not what was stored for the same mapping."""
    if not same_mapping:
        return now
    kept = {
        name: value
        for name, value in asdict(stored).items()
        if getattr(now, name) is None and value is not None
    }
    if "cycles_measured" in kept:
        kept["mac_efficiency"] = stored.mac_efficiency
    return replace(now, **kept)


@click.command()
@click.argument("names", nargs=-1)
@click.option("--full", is_flag=True, help="Simulate and place all, count all cells.")
@click.option("--simulate", "simulated", is_flag=True, help="Simulate all, make no bitstream.")
@click.option("--estimates", is_flag=True, help="Simulate none, make no bitstream: two minutes.")
@click.option("--accept", "accepted", is_flag=True, help="Store the figures; review the diff.")
def main(
    *, names: tuple[str, ...], full: bool, simulated: bool, estimates: bool, accepted: bool
) -> None:
    """Measure the guarded designs and fail when one has become worse."""
    if full + simulated + estimates > 1:
        raise click.UsageError("--full, --simulate and --estimates exclude each other")
    usual = not (simulated or estimates)
    known = {design.name: design for design in GUARDED}
    unknown = sorted(set(names) - set(known))
    if unknown:
        raise click.UsageError(f"no design {', '.join(unknown)}; there are {', '.join(known)}")
    console, errors = Console(width=120), Console(stderr=True)
    moves: list[Move] = []
    failed: list[str] = []
    for design in [known[name] for name in names] or GUARDED:
        try:
            with progress(errors, wanted=True) as reports:
                measured = design.measure(
                    reports,
                    simulate=full or simulated or (usual and design.name in ALWAYS_SIMULATED),
                    place=full or (usual and design.name in ALWAYS_PLACED),
                )
        except FlexccError as error:
            failed.append(f"{design.name}: {error}")
            if isinstance(error, TooSlowError):
                moves.append(too_slow(design, error.fmax_mhz))
            continue
        figures = measured.figures
        if accepted:
            if design.guard.exists():
                moves += judge(design, measured)
            accept(design, measured)
        else:
            moves += judge(design, measured)
        cycles = figures.cycles_measured or figures.cycles_estimated
        kind = "measured" if figures.cycles_measured else "estimated"
        line = f"{design.name}: {cycles:,} cycles {kind}"
        if figures.fmax_mhz is not None:
            line += f", {figures.fmax_mhz:.1f} MHz; the slowest path runs {figures.slowest_path}"
        console.print(line, markup=False, highlight=False)
    if moves:
        console.print(moves_table(moves))
    for text in failed:
        console.print(text, style="red", markup=False, highlight=False)
    worse = [move for move in moves if move.verdict.fails]
    if failed or (worse and not accepted):
        console.print(
            f"{len(worse)} figures moved for the worse, {len(failed)} designs failed; if that is "
            "meant: make regression ACCEPT=1, and say in the commit why"
        )
        sys.exit(1)
    if not moves:
        console.print("nothing has moved")


if __name__ == "__main__":
    main()
