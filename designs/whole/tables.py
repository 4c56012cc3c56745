# SPDX-License-Identifier: Apache-2.0
"""The section of docs/results.md on whole networks, from their stored reports."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from typing import Any

from designs.whole.networks import WHOLE, load_whole, stored_report
from flexcc.measured import ArrayCycles

__all__ = ["figures", "header", "losses", "losses_header", "row", "section"]

_KINDS = tuple(field.name for field in fields(ArrayCycles))
_HEADERS = {"window": "input", "output": "output buffer"}
_COLUMNS = (
    *("network, array", "useful MAC", "cycles", "estimated", "MAC efficiency", "goal", "least"),
    *("latency", "bytes compared"),
)
# Layers that lose less than this share of the run's cycles are told together.
_SHARE = 0.005


def section() -> str:
    """The section, which says what the reports of all whole networks say."""
    reports = {name: stored_report(name) for name in WHOLE}
    summary = "\n".join(row(_summary(name, report)) for name, report in reports.items())
    lost = "\n".join(row(losses(name, report)) for name, report in reports.items())
    layers = "\n".join(_layers(name, report) for name, report in reports.items())
    return f"""\
## Whole networks

Each network in one run of the simulated RTL, with seeded random weights, on one image: every tensor
and every other byte of memory is compared with the integer reference.
`python -m designs.whole.networks` repeats it and writes the `report.json` beside each network. MAC
efficiency is useful MAC / (cycles x multipliers of the array); a test guards the least one.

{header(*_COLUMNS)}
{summary}

Where the cycles of the array went, in percent of the run. A cycle is a step, or it is lost, under
the first cause that holds; `no work` are multipliers that a step leaves idle, or less than none
where outputs that nobody reads are not computed. [report.md](report.md) explains the causes.

{losses_header()}
{lost}

{layers}"""


def _summary(name: str, report: Mapping[str, Any]) -> tuple[str, ...]:
    whole = load_whole(name)
    *common, latency, compared = figures(name, report)
    return (*common, f"{whole.goal:.0%}", f"{whole.least:.0%}", latency, compared)


def figures(name: str, report: Mapping[str, Any]) -> tuple[str, ...]:
    """Network and array, useful MAC, cycles, estimate, MAC efficiency, latency, bytes compared."""
    array, rtl = report["array"], report["verify"]["rtl"]
    shape = f"{array['m']} x {array['p']} x {array['n']}, {array['macs_per_cycle']:,} MAC per cycle"
    return (
        f"{name} on {report['target']}, {shape}",
        f"{report['macs']:,}",
        f"{report['cycles']['measured']:,}",
        f"{report['cycles']['estimated']:,}",
        f"{report['mac_efficiency']['measured']:.1%}",
        f"{report['latency_ms']:.2f} ms at {report['clock_source']} {report['clock_mhz']:g} MHz",
        f"{rtl['compared_bytes']:,}",
    )


def losses_header() -> str:
    """The header of a table of `losses`."""
    causes = (_HEADERS.get(kind, kind) for kind in _KINDS if kind != "steps")
    return header("network", "useful", "no work", *causes)


def losses(name: str, report: Mapping[str, Any]) -> tuple[str, ...]:
    """Where the cycles of the array went, in percent of the run."""
    array, cycles = report["run"]["array"], report["cycles"]["measured"]
    useful = report["macs"] / report["array"]["macs_per_cycle"]
    waits = (array.get(kind, 0) for kind in _KINDS if kind != "steps")
    counts = (useful, array["steps"] - useful, *waits)
    return (name, *(f"{count / cycles:.2%}" for count in counts))


def _layers(name: str, report: Mapping[str, Any]) -> str:
    """A row for each layer that loses much, and one for the others."""
    per_cycle, least = report["array"]["macs_per_cycle"], _SHARE * report["cycles"]["measured"]
    shown: list[Mapping[str, Any]] = []
    others: list[Mapping[str, Any]] = []
    for layer in report["layers"]:
        lost = sum(layer["measured"].values()) - layer["macs"] / per_cycle
        (shown if lost >= least else others).append(layer)
    rows = [row(_layer(layer["name"], [layer], per_cycle)) for layer in shown]
    if others:
        title = f"{len(others)} others" if shown else f"all {len(others)}"
        rows.append(row(_layer(title, others, per_cycle)))
    title_row = header("layer", "useful MAC", "cycles", "estimated", "MAC efficiency", "waits for")
    return (
        f"{name}, layers that lose {_SHARE:.1%} of the run or more, each from the last step\n"
        f"of the layer before to its own:\n\n{title_row}\n" + "\n".join(rows) + "\n" + _missed(name)
    )


def _missed(name: str) -> str:
    """What keeps a network from its goal; empty where nothing does."""
    whole = load_whole(name)
    if not whole.missed:
        return ""
    lines = "\n".join(f"- {reason}" for reason in whole.missed)
    return f"\nWhat keeps {name} from {whole.goal:.0%}, and what would win it back:\n\n{lines}\n"


def _layer(title: str, layers: Sequence[Mapping[str, Any]], per_cycle: int) -> tuple[str, ...]:
    waits = {
        _HEADERS.get(kind, kind): sum(layer["measured"].get(kind, 0) for layer in layers)
        for kind in _KINDS
        if kind != "steps"
    }
    macs = sum(layer["macs"] for layer in layers)
    cycles = sum(sum(layer["measured"].values()) for layer in layers)
    return (
        title,
        f"{macs:,}",
        f"{cycles:,}",
        f"{sum(layer['cycles'] for layer in layers):,}",
        f"{macs / (cycles * per_cycle):.1%}",
        ", ".join(f"{cause} {count:,}" for cause, count in waits.items() if count),
    )


def row(cells: Iterable[str]) -> str:
    """A row of a table."""
    return f"| {' | '.join(cells)} |"


def header(*names: str) -> str:
    """The first two lines of a table with columns of these names."""
    return f"{row(names)}\n|{'---|' * len(names)}"
