# SPDX-License-Identifier: Apache-2.0
"""Estimated against measured cycles of whole networks and of their layers: docs/estimator.md.

`make estimator-report` writes it from the stored reports; so does measuring a network anew.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass

from designs.area.table import section as area_section
from designs.design import FOLDER

__all__ = ["SHARE", "Comparison", "layers", "page", "runs", "write_page"]

PAGE = FOLDER.parent / "docs" / "estimator.md"
SHARE = 0.005
"""Layers are compared that take at least this share of their run."""
_WORST = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Estimated and measured cycles of a run, or of a layer of it."""

    network: str
    name: str
    estimated: int
    measured: int

    @property
    def error(self) -> float:
        """The estimate's error as a share of what was measured; negative where it is too low."""
        return self.estimated / self.measured - 1


def _networks() -> list[str]:
    return sorted(path.parent.name for path in FOLDER.glob("*/whole.toml"))


def runs() -> Iterator[Comparison]:
    """Whole networks on the array of their `whole.toml`, then on several cores where measured."""
    for network in _networks():
        report = json.loads((FOLDER / network / "report.json").read_text())
        array, cycles = report["array"], report["cycles"]
        shape = f"{array['m']} x {array['p']} x {array['n']}"
        yield Comparison(
            network=network,
            name=shape,
            estimated=cycles["estimated"],
            measured=cycles["measured"],
        )
        stored = FOLDER / network / "cores.json"
        shared = json.loads(stored.read_text()) if stored.is_file() else []
        for item in (item for item in shared if item["cores"] > 1):
            yield Comparison(
                network=network,
                name=f"{item['cores']} cores of {shape}",
                estimated=item["estimated"],
                measured=item["cycles"],
            )


def layers(network: str) -> list[Comparison]:
    """The layers of a network that take SHARE of the run or more, the worst estimate first.

    A layer is measured from the last step of the one before to its own, and estimated from the end
    of one to the end of the next.
    """
    report = json.loads((FOLDER / network / "report.json").read_text())
    least = SHARE * report["cycles"]["measured"]
    found = [
        Comparison(
            network=network,
            name=layer["name"],
            estimated=layer["cycles"],
            measured=sum(layer["measured"].values()),
        )
        for layer in report["layers"]
    ]
    long = [layer for layer in found if layer.measured >= least]
    return sorted(long, key=lambda layer: (-abs(layer.error), layer.name))


def _rows(comparisons: list[Comparison]) -> str:
    return "\n".join(
        f"| {item.network} | {item.name} | {item.estimated:,} | {item.measured:,} "
        f"| {item.error:+.2%} |"
        for item in comparisons
    )


def page() -> str:
    """The text of docs/estimator.md."""
    whole = list(runs())
    errors = [abs(item.error) for item in whole]
    worst = [item for network in _networks() for item in layers(network)[:_WORST]]
    counts = ", ".join(f"{network} {len(layers(network))}" for network in _networks())
    return f"""\
# The estimator against the simulated RTL

<!-- Written by `make estimator-report`. Do not edit. -->

Cycles that the explorer's timeline estimates ([dse.md](dse.md)) and that Verilator counts, from
start to done, with a memory that answers after 100 cycles and moves one beat per cycle and port.
Mean error {sum(errors) / len(errors):.2%}, worst {max(errors):.2%}; a test fails above 2 % and 5 %.

| network | array | estimated | measured | error |
|---|---|---|---|---|
{_rows(whole)}

The {_WORST} worst layers of each network, of those that take {SHARE:.1%} of its run or more
({counts}). A layer is measured from the last step of the one before to its own. A test fails when
one is off by more than 15 %.

| network | layer | estimated | measured | error |
|---|---|---|---|---|
{_rows(worst)}

{area_section()}"""


def write_page() -> None:
    """Writes docs/estimator.md."""
    PAGE.write_text(page())


if __name__ == "__main__":
    write_page()
