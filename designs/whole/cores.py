# SPDX-License-Identifier: Apache-2.0
"""One image shared by several cores: cycles, and how well they scale.

`python -m designs.whole.cores` measures the networks whose `whole.toml` names numbers of cores and
writes each one's `cores.json`, with the figures of one core that its `report.json` has then.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console

from designs.design import FOLDER
from designs.whole.networks import WHOLE, Whole, load_whole, measure, stored_report
from designs.whole.verified import Verified
from flexcc.console import progress
from flexcc.progress import Progress

__all__ = ["SHARED", "Shared", "main", "section", "stored_shared"]

SHARED = tuple(name for name in WHOLE if load_whole(name).cores)
"""The names of the networks that several cores share."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """A run on `cores` cores: cycles of the simulated RTL, which left every byte as it must be."""

    cores: int
    cycles: int
    estimated: int
    compared_bytes: int


def measure_shared(whole: Whole, reports: Progress) -> tuple[Shared, ...]:
    """Simulates a network on each number of cores that it names.

    Raises:
        FlexccError: it cannot be compiled, or a byte differs.
    """
    return tuple(_shared(cores, measure(whole, reports, cores=cores)) for cores in whole.cores)


def write_shared(name: str, figures: tuple[Shared, ...]) -> None:
    """Keeps the figures of a network, behind those of one core."""
    stored = (_one_core(name), *figures)
    _path(name).write_text(json.dumps([asdict(item) for item in stored], indent=1) + "\n")


def stored_shared(name: str) -> tuple[Shared, ...]:
    """What the last measurement wrote, one core first."""
    return tuple(Shared(**item) for item in json.loads(_path(name).read_text()))


def section() -> str:
    """The section of docs/results.md."""
    rows = "\n".join(row for name in SHARED for row in _rows(name))
    return f"""\
## Several cores on one image

Every core computes a band of rows of each layer and waits for rows of its neighbours where its
kernels reach over the border; each has its own memory ports. Simulated like the whole networks
above, every byte compared. `python -m designs.whole.cores` repeats it. The run on one core is the
one that was stored when the others were measured: all are mapped by the same compiler.

| network, cores | MAC per cycle | cycles | estimated | faster | of ideal | bytes compared |
|---|---|---|---|---|---|---|
{rows}
"""


def _one_core(name: str) -> Shared:
    report = stored_report(name)
    return Shared(
        cores=1,
        cycles=report["cycles"]["measured"],
        estimated=report["cycles"]["estimated"],
        compared_bytes=report["verify"]["rtl"]["compared_bytes"],
    )


def _rows(name: str) -> list[str]:
    per_core = stored_report(name)["array"]["macs_per_cycle"]
    rows = []
    one, *others = stored_shared(name)
    for item in (one, *others):
        faster = one.cycles / item.cycles
        rows.append(
            f"| {name}, {item.cores} | {item.cores * per_core:,} | {item.cycles:,} "
            f"| {item.estimated:,} | {faster:.2f} | {faster / item.cores:.1%} "
            f"| {item.compared_bytes:,} |"
        )
    return rows


def _shared(cores: int, run: Verified) -> Shared:
    return Shared(
        cores=cores,
        cycles=run.cycles,
        estimated=run.estimated,
        compared_bytes=run.compared_bytes,
    )


def _path(name: str) -> Path:
    return FOLDER / name / "cores.json"


def main() -> None:
    """Measures every network and keeps its figures."""
    with progress(Console(stderr=True), wanted=True) as reports:
        for name in SHARED:
            write_shared(name, measure_shared(load_whole(name), reports))


if __name__ == "__main__":
    main()
