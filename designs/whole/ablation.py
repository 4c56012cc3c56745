# SPDX-License-Identifier: Apache-2.0
"""What each technique of the explorer gains: networks mapped without it, on the same array.

`python -m designs.whole.ablation [NETWORK...]` simulates them in the RTL (default: all), every byte
compared, and writes `ablation.json`.
"""

import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from math import prod
from pathlib import Path

from rich.console import Console

from designs.whole.networks import compilation, load_whole
from designs.whole.tables import header, row
from designs.whole.verified import verified
from flexcc.console import progress
from flexcc.dse import Technique
from flexcc.progress import Progress

__all__ = ["ABLATED", "Ablated", "main", "section", "stored_ablation"]

ABLATED = ("enet", "openpose", "unet")
"""The networks that are mapped without techniques."""
_WITHOUT: tuple[tuple[Technique, ...], ...] = (
    (),
    *((technique,) for technique in Technique),
    tuple(Technique),
)
_STORED = Path(__file__).resolve().parent / "ablation.json"
_REPORTED = 2.3
"""What dynamic tiling, fusion and data layout gain in FlexCNN, together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ablated:
    """Cycles of a network `without` techniques; `measured` are those of the RTL."""

    network: str
    without: tuple[str, ...]
    estimated: int
    measured: int


def stored_ablation() -> tuple[Ablated, ...]:
    """What was measured last."""
    values = json.loads(_STORED.read_text())
    return tuple(Ablated(**{**value, "without": tuple(value["without"])}) for value in values)


def _named(without: Sequence[Technique]) -> tuple[str, ...]:
    return tuple(technique.value for technique in without)


def _write(found: Mapping[tuple[str, tuple[str, ...]], Ablated]) -> None:
    keys = [(name, _named(without)) for name in ABLATED for without in _WITHOUT]
    values = [asdict(found[key]) for key in keys if key in found]
    _STORED.write_text(json.dumps(values, indent=1) + "\n")


def measure(name: str, without: Sequence[Technique], reports: Progress) -> Ablated:
    """A network on its array without some techniques, simulated, and its every byte compared.

    Raises:
        FlexccError: a byte differs.
    """
    with tempfile.TemporaryDirectory() as folder:
        options = compilation(load_whole(name), Path(folder))
        run = verified(replace(options, without=tuple(without)), reports)
    return Ablated(
        network=name,
        without=_named(without),
        estimated=run.estimated,
        measured=run.cycles,
    )


def section() -> str:
    """The section of docs/results.md."""
    rows: list[str] = []
    gains: list[str] = []
    for name in ABLATED:
        own = [item for item in stored_ablation() if item.network == name]
        base = own[0].measured
        single = prod(item.measured / base for item in own if len(item.without) == 1)
        together = own[-1].measured / base
        gains.append(f"| {name} | {together:.2f} | {single:.2f} |")
        rows += [row(_cells(item, base)) for item in own]
    titles = ("network", "without", "cycles", "estimated", "times as long")
    return f"""\
## What each technique gains

The networks above on the same arrays, simulated and compared like them, mapped without one
technique of the explorer or all three: tiles of each layer's own size (else one size, the best for
all layers), fusion of sums, bends, tables, poolings and depthwise layers into other stages (else
each is a stage), layout (reshapes, output phases side by side, and concatenations that name their
parts; else each is copied).
`flexcc --without tiling|fusion|layout` does so, `python -m designs.whole.ablation` repeats this.

{header(*titles)}
{chr(10).join(rows)}

By how much all three together make a run shorter, and the product of what each does alone.
FlexCNN reports {_REPORTED} for its dynamic tiling, fusion and layout over a fixed mapping.

{header("network", "together", "product")}
{chr(10).join(gains)}
"""


def _cells(item: Ablated, base: int) -> tuple[str, ...]:
    without = "all three" if len(item.without) == len(Technique) else ", ".join(item.without)
    cycles = f"{item.measured:,}", f"{item.estimated:,}"
    return (item.network, without, *cycles, f"{item.measured / base:.2f}")


def main(names: Sequence[str] = ()) -> None:
    """Measures the networks `names`, or all, and writes what was found."""
    kept = stored_ablation() if _STORED.is_file() else ()
    found = {(item.network, item.without): item for item in kept}
    with progress(Console(stderr=True), wanted=True) as reports:
        for name in names or ABLATED:
            for without in _WITHOUT:
                found[name, _named(without)] = measure(name, without, reports)
                _write(found)


if __name__ == "__main__":
    main(sys.argv[1:])
