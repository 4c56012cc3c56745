# SPDX-License-Identifier: Apache-2.0
"""Where the cycles of a simulated run went, as people read it."""

from collections.abc import Iterable
from dataclasses import fields

from flexcc.measured import ArrayCycles, EngineCounts
from flexcc.report import Report, RunReport, RunSummary

__all__ = [
    "ARRAY_TITLE",
    "ENGINE_HEADER",
    "account_rows",
    "array_header",
    "array_rows",
    "engine_rows",
    "losses_text",
]

ARRAY_TITLE = "where the array's cycles went"
ENGINE_HEADER = ("engine", "busy", "starved", "blocked", "idle")
_KINDS = tuple(field.name for field in fields(ArrayCycles))
_LEAST_SHARE = 0.0005
_WAITS = {
    "records": "waiting for records",
    "window": "waiting for input",
    "weights": "waiting for weights",
    "parameters": "waiting for parameters",
    "second": "waiting for second tensors",
    "output": "waiting for the output buffer",
    "drain": "waiting for the drain",
    "end": "after the last step",
}


def losses_text(report: Report) -> str | None:
    """The shares of useful and of lost cycles, the largest loss first; None without a run."""
    if report.run is None:
        return None
    array = report.run.array
    useful = report.macs / report.array.macs_per_cycle
    losses = {text: getattr(array, kind) for kind, text in _WAITS.items()}
    losses["multipliers without work"] = array.steps - useful
    ordered = sorted(losses.items(), key=lambda item: (-item[1], item[0]))
    parts = [f"{useful / array.total:.1%} useful"]
    parts += [
        f"{cycles / array.total:.1%} {text}"
        for text, cycles in ordered
        if cycles >= _LEAST_SHARE * array.total
    ]
    return ", ".join(parts)


def array_header() -> tuple[str, ...]:
    """The columns of `array_rows`."""
    return ("layer", "cycles", *_KINDS)


def array_rows(
    layers: Iterable[tuple[str, ArrayCycles]], run: RunReport
) -> tuple[tuple[str, ...], ...]:
    """A row for each layer, and one for the run."""
    rows = [*layers, ("run", run.array)]
    return tuple(
        (name, f"{part.total:,}", *(_count(getattr(part, kind)) for kind in _KINDS))
        for name, part in rows
    )


def account_rows(report: Report | RunSummary) -> tuple[tuple[str, ...], ...]:
    """The rows of the array of a report or a run; none where nothing was measured."""
    if report.run is None:
        return ()
    if isinstance(report, RunSummary):
        layers = list((report.layers or {}).items())
    else:
        layers = [(x.name, x.measured) for x in report.layers if x.measured is not None]
    return array_rows(layers, report.run)


def engine_rows(run: RunReport) -> tuple[tuple[str, ...], ...]:
    """A row for each engine."""
    return tuple((name, *map(_count, _counts(counts))) for name, counts in run.engines.items())


def _counts(counts: EngineCounts) -> tuple[int, ...]:
    return tuple(getattr(counts, name) for name in ENGINE_HEADER[1:])


def _count(cycles: int) -> str:
    return f"{cycles:,}" if cycles else "-"
