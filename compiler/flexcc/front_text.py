# SPDX-License-Identifier: Apache-2.0
"""Explored designs as tables, files and a plot, and in words why the best one is what it is."""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from math import ceil, floor, log10

from flexcc import __version__
from flexcc.backend.front_view import Dot, FrontView, PlotView, Tick
from flexcc.backend.render import render
from flexcc.dse.design import Design
from flexcc.dse.explain import LayerReason
from flexcc.dse.front import Front
from flexcc.dse.objective import Objective
from flexcc.dse.placement import Placement
from flexcc.targets.device import Device

__all__ = ["FRONT_HEADER", "front_files", "front_rows", "reasons_text", "shape_text"]

FRONT_HEADER = (
    "cores",
    "array",
    "cycles",
    "ms",
    "images/s",
    "bound",
    "gap",
    "MAC efficiency",
    "DSP",
    "BRAM36",
    "LUT",
    "MB moved",
    "",
)
_WIDTH, _HEIGHT, _MARGIN = 720, 440, 70


def shape_text(design: Design) -> str:
    """The array, as --array takes it, and the window engine."""
    a = design.solution.accelerator
    window = f" + window {a.window_taps}" if a.window_taps else ""
    return f"{a.m},{a.p},{a.n}{window}"


def _cores_text(design: Design) -> str:
    return str(design.cores) if design.copies == 1 else f"{design.copies} copies"


def _kind(front: Front, design: Design) -> str:
    if design is front.best:
        return "best"
    return "front" if design in front.front else "other"


def front_rows(front: Front, *, every: bool = False) -> Iterator[tuple[str, ...]]:
    """A row for each design of the front and the best, or for every one, the fastest first."""
    for design in front.designs:
        kind = _kind(front, design)
        if kind == "other" and not every:
            continue
        yield (
            _cores_text(design),
            shape_text(design),
            f"{design.cycles:,}",
            f"{design.milliseconds:.3f}",
            f"{design.images_per_second:,.0f}",
            f"{design.bound.cycles:,.0f} {design.bound.engine}",
            f"{design.gap:.1%}",
            f"{design.efficiency:.1%}",
            f"{design.dsp:,} ({design.dsp_share:.0%})",
            f"{design.bram36:,} ({design.bram36_share:.0%})",
            "" if design.lut is None else f"{design.lut:,}",
            f"{design.traffic / 1e6:.1f}",
            "" if kind == "other" else kind,
        )


def _record(front: Front, design: Design) -> dict[str, object]:
    a = design.solution.accelerator
    return {
        "kind": _kind(front, design),
        "cores": design.cores,
        "copies": design.copies,
        "m": a.m,
        "p": a.p,
        "n": a.n,
        "drain_chains": a.q,
        "window_taps": a.window_taps,
        "cycles": design.cycles,
        "cycles_of_own_channels": design.estimate.cycles,
        "ms": round(design.milliseconds, 6),
        "images_per_second": round(design.images_per_second, 3),
        "bound_cycles": round(design.bound.cycles),
        "bound_by": design.bound.engine,
        "closed_form_cycles": round(design.solution.cost),
        "gap": round(design.gap, 6),
        "mac_efficiency": round(design.efficiency, 6),
        "dsp": design.dsp,
        "bram36": design.bram36,
        "lut": design.lut,
        "ff": design.ff,
        "bytes_moved": design.traffic,
    }


def reasons_text(
    front: Front,
    reasons: Sequence[LayerReason],
    *,
    device: Device,
    objective: Objective,
    model: str,
    placement: Placement,
) -> str:
    """Why the best design, in one screen: against the next one, its bound, layer by layer."""
    best, a = front.best, front.best.solution.accelerator
    cores = _cores_text(best) + (" cores" if best.copies == 1 and best.cores > 1 else "")
    cores = "1 core" if cores == "1" else cores
    head = f"{model} on {device.name} for {objective.value}: {cores} of {shape_text(best)}"
    time = f"{best.milliseconds:.3f} ms at {best.clock_mhz:g} MHz (assumed)"
    counts = f"{len(front.designs)} mapped, {len(front.refused)} without a legal mapping"
    bound = f"{best.bound.cycles:,.0f} cycles of {best.bound.engine}"
    lines = [
        f"{head}, {best.cycles:,} cycles, {time}",
        f"{front.shapes} arrays looked at, {counts}",
        f"bound of this array's engines: {bound}; gap {best.gap:.1%}",
    ]
    if front.bound is not None and front.gap is not None:
        lines.append(
            f"bound of all arrays by closed forms: {front.bound:,.0f} cycles; "
            f"least found {front.least:,.0f}, gap {front.gap:.1%}; "
            f"this design {best.solution.cost:,.0f}"
        )
    others = [design for design in front.designs if design is not best]
    if others:
        other = min(others, key=lambda design: (design.key(objective), design.dsp))
        lines.append(
            f"next best: {_cores_text(other)} x {shape_text(other)}: "
            f"{other.cycles - best.cycles:+,} cycles, {other.dsp - best.dsp:+,} DSP, "
            f"{other.bram36 - best.bram36:+,} BRAM36"
        )
    if placement.used > 1:
        lines.append(
            f"with each tensor whole in one of {placement.used} memory channels: "
            f"{placement.cycles:,} cycles (CP-SAT; bound {placement.bound:,})"
        )
    shown = sum(reason.cycles for reason in reasons)
    total = best.estimate.cycles
    rest = len(best.estimate.stages) - len(reasons)
    lines.append(
        f"the {len(reasons)} longest layers take {shown / total:.0%} of the run, "
        f"{rest} others the rest:"
    )
    width = max((len(reason.name) for reason in reasons), default=0)
    for reason in reasons:
        other_text = "no other tiles fit"
        if reason.other is not None and reason.other_cycles is not None:
            other_text = f"next {reason.other}: {reason.other_cycles:+,}"
        lines.append(
            f"  {reason.name:<{width}} {reason.cycles:>11,} cycles, {reason.binding} works "
            f"{reason.busy:,}; tiles {reason.tiles}, {other_text}"
        )
    if best.copies == 1:
        option = f" --cores {best.cores}" if best.cores > 1 else ""
        lines.append(
            f"build it: flexcc ... --target {device.name} --array {a.m},{a.p},{a.n}{option}"
        )
    return "\n".join(lines) + "\n"


def front_files(front: Front, reasons: str, title: str) -> dict[str, bytes]:
    """designs.csv, designs.json, front.svg and front.html."""
    records = [_record(front, design) for design in front.designs]
    table = io.StringIO()
    writer = csv.DictWriter(table, fieldnames=list(records[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    plot = render("report/front.svg.j2", _plot(front, title))
    view = FrontView(
        title=title,
        version=__version__,
        plot=plot,
        header=FRONT_HEADER,
        rows=tuple(front_rows(front, every=True)),
        reasons=reasons,
    )
    document = {"title": title, "shapes": front.shapes, "designs": records}
    return {
        "designs.csv": table.getvalue().encode(),
        "designs.json": (json.dumps(document, indent=2) + "\n").encode(),
        "front.svg": plot.encode(),
        "front.html": render("report/front.html.j2", view).encode(),
    }


class _Axis:
    """A logarithmic axis over `values`, from pixel `first` to pixel `last`."""

    def __init__(self, values: Sequence[float], first: float, last: float) -> None:
        self._low = floor(log10(min(values)) * 4) / 4
        self._high = max(ceil(log10(max(values)) * 4) / 4, self._low + 0.25)
        self._first, self._last = first, last

    def at(self, value: float) -> float:
        share = (log10(value) - self._low) / (self._high - self._low)
        return round(self._first + share * (self._last - self._first), 1)

    def ticks(self) -> tuple[Tick, ...]:
        decades = range(floor(self._low), ceil(self._high) + 1)
        values = (digit * 10.0**decade for decade in decades for digit in (1, 2, 5))
        inside = (v for v in values if self._low - 1e-9 <= log10(v) <= self._high + 1e-9)
        return tuple(Tick(at=self.at(value), label=f"{value:g}") for value in inside)


def _plot(front: Front, title: str) -> PlotView:
    x = _Axis([design.dsp for design in front.designs], _MARGIN, _WIDTH - _MARGIN)
    times = [1000 / design.images_per_second for design in front.designs]
    y = _Axis(times, _HEIGHT - _MARGIN, _MARGIN)
    dots = tuple(
        Dot(
            x=x.at(design.dsp),
            y=y.at(time),
            kind=_kind(front, design),
            label=f"{_cores_text(design)} x {shape_text(design)}: {time:.3f} ms, {design.dsp} DSP",
        )
        for design, time in zip(front.designs, times, strict=True)
    )
    line = "L".join(
        f"{x.at(design.dsp)} {y.at(1000 / design.images_per_second)}" for design in front.front
    )
    return PlotView(
        title=title,
        width=_WIDTH,
        height=_HEIGHT,
        margin=_MARGIN,
        x_title="multipliers (DSP)",
        y_title="ms per image",
        x_ticks=x.ticks(),
        y_ticks=y.ticks(),
        line=f"M{line}",
        dots=dots,
    )
