# SPDX-License-Identifier: Apache-2.0
"""What has moved between two sets of figures, and whether that is a regression."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from rich import box
from rich.table import Table

from designs.regression.figures import Figures

__all__ = ["Move", "Verdict", "compare", "moves_table"]


class Verdict(Enum):
    """What a move means; only WORSE and CHANGED fail."""

    WORSE = "worse"
    """More cycles or cells, less speed, beyond the tolerance."""
    CHANGED = "changed"
    """Something that must not move where nothing else has."""
    BETTER = "better"
    NEAR = "within tolerance"
    NEW = "new"

    @property
    def fails(self) -> bool:
        """Whether a regression fails on it."""
        return self in (Verdict.WORSE, Verdict.CHANGED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A figure of a design that is not what it was."""

    design: str
    figure: str
    stored: int | float | str | None
    now: int | float | str | None
    verdict: Verdict


# Figure: whether more is better, and by what share it may become worse. Place and route answer
# every change of a netlist with another placement, hence the room.
_RULES: dict[str, tuple[bool, float]] = {
    "cycles_measured": (False, 0.0),
    "mac_efficiency": (True, 0.0),
    "accuracy": (True, 0.0),
    "dsp": (False, 0.0),
    "lut": (False, 0.02),
    "ff": (False, 0.02),
    "ram18": (False, 0.0),
    "uram": (False, 0.0),
    "fmax_mhz": (True, 0.15),
}


def compare(design: str, stored: Figures, now: Figures, *, same_mapping: bool) -> list[Move]:
    """What has moved; figures that are not measured now are left out.

    An estimate for an unchanged mapping may not move at all, as a formula has then changed while
    the hardware has not. A bitstream may not move when neither its sources nor its tools have.
    """
    moves: list[Move] = []

    def moved(figure: str, verdict: Verdict) -> None:
        before, after = getattr(stored, figure), getattr(now, figure)
        moves.append(Move(design=design, figure=figure, stored=before, now=after, verdict=verdict))

    if now.cycles_estimated != stored.cycles_estimated:
        more = now.cycles_estimated > stored.cycles_estimated
        other = Verdict.CHANGED if same_mapping else Verdict.BETTER
        moved("cycles_estimated", Verdict.WORSE if more else other)
    for figure, (more_is_better, room) in _RULES.items():
        if figure == "mac_efficiency" and _measured_differently(stored, now):
            continue
        before, after = getattr(stored, figure), getattr(now, figure)
        if after is None or after == before:
            continue
        if before is None:
            moved(figure, Verdict.NEW)
            continue
        loss = (before - after if more_is_better else after - before) / before
        worse = Verdict.WORSE if loss > room else Verdict.NEAR
        moved(figure, worse if loss > 0 else Verdict.BETTER)
    if now.sha256 is not None and now.sha256 != stored.sha256:
        same = (now.sources_sha256, now.tools) == (stored.sources_sha256, stored.tools)
        moved("sha256", Verdict.CHANGED if same else Verdict.NEW)
    return moves


def _measured_differently(stored: Figures, now: Figures) -> bool:
    """Whether one efficiency is of measured cycles, the other of estimated ones."""
    return (stored.cycles_measured is None) != (now.cycles_measured is None)


def moves_table(moves: Iterable[Move]) -> Table:
    """The moves as a table, those that fail in red."""
    table = Table("design", "figure", "stored", "now", "change", "verdict", box=box.SIMPLE)
    for move in moves:
        style = "red" if move.verdict.fails else ""
        change = ""
        if isinstance(move.stored, int | float) and isinstance(move.now, int | float):
            change = f"{_text(move.now - move.stored, '+')} ({move.now / move.stored - 1:+.2%})"
        table.add_row(
            move.design,
            move.figure,
            _text(move.stored),
            _text(move.now),
            change,
            move.verdict.value,
            style=style,
        )
    return table


def _text(value: int | float | str | None, sign: str = "") -> str:
    match value:
        case None:
            return ""
        case int():
            return f"{value:{sign},}"
        case float():
            return f"{value:{sign},.4g}"
    return value[:12]
