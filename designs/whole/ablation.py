# SPDX-License-Identifier: Apache-2.0
"""What each technique of the explorer gains: networks mapped without it, on the same array.

`python -m designs.whole.ablation [NETWORK...]` estimates them (default: all), simulates those of
`MEASURED` in the RTL, every byte compared, and writes `ablation.json`.
"""

import json
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from math import prod
from pathlib import Path

from rich.console import Console

from designs.models import NETWORKS
from designs.whole.networks import load_whole
from designs.whole.tables import header, row
from flexcc import compile_model, passes
from flexcc.console import progress
from flexcc.driver import require_equal
from flexcc.dse import Reshape, Technique, explore
from flexcc.frontend.calibration import random_calibration
from flexcc.frontend.network import import_network
from flexcc.options import ArrayShape, Backend, Options
from flexcc.progress import Progress
from flexcc.quantization import QuantizationOptions, quantize
from flexcc.targets import load_device

__all__ = ["ABLATED", "MEASURED", "Ablated", "main", "section", "stored_ablation"]

ABLATED = ("enet", "openpose", "unet")
"""The networks that are mapped without techniques."""
_WITHOUT: tuple[tuple[Technique, ...], ...] = (
    (),
    *((technique,) for technique in Technique),
    tuple(Technique),
)
MEASURED = (
    ("enet", ("tiling", "fusion", "layout")),
    ("enet", ("fusion",)),
    ("enet", ("layout",)),
)
"""Networks and techniques whose runs are simulated, too."""

_STORED = Path(__file__).resolve().parent / "ablation.json"
_SEED = 1
_REPORTED = 2.3
"""What dynamic tiling, fusion and data layout gain in FlexCNN, together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ablated:
    """Cycles of a network `without` techniques; `measured` are those of the RTL, or None."""

    network: str
    without: tuple[str, ...]
    estimated: int
    measured: int | None


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


def estimated(name: str) -> Iterator[Ablated]:
    """A network on its array, with all techniques and without each and all, estimated."""
    whole = load_whole(name)
    graph = passes.lower(import_network(NETWORKS[name]()).graph)
    quantized = quantize(graph, random_calibration(graph, _SEED), QuantizationOptions())
    integer = passes.lower(quantized.graph)
    device = load_device(whole.target)
    for without in _WITHOUT:
        found = explore(integer, device, whole.array, tuple(Reshape), without=without)
        yield Ablated(
            network=name,
            without=_named(without),
            estimated=found.estimate.cycles,
            measured=None,
        )


def simulated(item: Ablated, reports: Progress) -> Ablated:
    """The same with the cycles of the RTL, whose every byte is compared.

    Raises:
        FlexccError: a byte differs.
    """
    whole = load_whole(item.network)
    m, p, n = whole.array
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / f"{item.network}.onnx"
        model.write_bytes(NETWORKS[item.network]().SerializeToString(deterministic=True))
        report = compile_model(
            Options(
                model=model,
                target=whole.target,
                output=Path(folder) / "build",
                random_calibration=True,
                seed=_SEED,
                array=ArrayShape(m=m, p=p, n=n),
                without=tuple(map(Technique, item.without)),
                verify=(Backend.RTL,),
            ),
            reports,
        )
    require_equal(report)
    assert report.cycles.measured is not None
    assert report.cycles.estimated == item.estimated
    return replace(item, measured=round(report.cycles.measured))


def section() -> str:
    """The section of docs/results.md."""
    rows: list[str] = []
    gains: list[str] = []
    for name in ABLATED:
        own = [item for item in stored_ablation() if item.network == name]
        base = own[0].estimated
        single = prod(item.estimated / base for item in own if len(item.without) == 1)
        together = own[-1].estimated / base
        gains.append(f"| {name} | {together:.2f} | {single:.2f} |")
        rows += [row(_cells(item, base)) for item in own]
    titles = ("network", "without", "cycles estimated", "in the RTL", "times as long")
    return f"""\
## What each technique gains

The networks above on the same arrays, mapped without one technique of the explorer or all three:
tiles of each layer's own size (else one size, the best for all layers), fusion of sums, bends,
tables, poolings and depthwise layers into other stages (else each is a stage), layout (reshapes,
output phases side by side, and concatenations that name their parts; else each is copied).
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
    measured = "" if item.measured is None else f"{item.measured:,}"
    ratio = f"{item.estimated / base:.2f}"
    return (item.network, without, f"{item.estimated:,}", measured, ratio)


def main(names: Sequence[str] = ()) -> None:
    """Measures the networks `names`, or all, and writes what was found."""
    kept = stored_ablation() if _STORED.is_file() else ()
    found = {(item.network, item.without): item for item in kept}
    with progress(Console(stderr=True), wanted=True) as reports:
        for name in names or ABLATED:
            reports.step(f"mapping {name}")
            for item in estimated(name):
                key = name, item.without
                found[key] = simulated(item, reports) if key in MEASURED else item
                _write(found)


if __name__ == "__main__":
    main(sys.argv[1:])
