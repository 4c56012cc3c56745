# SPDX-License-Identifier: Apache-2.0
"""What is kept of the demonstration beside its report, and its section of docs/results.md."""

import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from designs.design import load_design
from designs.mnist_conv_u250 import demo
from designs.whole.tables import header, row
from flexcc.progress import Progress

__all__ = ["DemoFigures", "measure", "section", "stored"]

_DESIGN = load_design("mnist_conv_u250")
_REPORT = _DESIGN.folder / "report.json"
_STORED = _DESIGN.folder / "figures.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoFigures:
    """Digits that the integer reference reads right, and the run with random memory stalls."""

    right: int
    total: int
    stalled_bytes: int
    stalled_cycles: int


def measure(reports: Progress) -> None:
    """Runs the demonstration; keeps its report and figures.

    Raises:
        FlexccError: anything fails, a byte that differs included.
    """
    with tempfile.TemporaryDirectory() as folder:
        build = Path(folder) / "build"
        found = demo.measure(build, reports)
        assert found.stalled.cycles is not None
        assert found.stalled.compared_bytes is not None
        shutil.copyfile(build / "report.json", _REPORT)
    kept = DemoFigures(
        right=found.right,
        total=found.total,
        stalled_bytes=found.stalled.compared_bytes,
        stalled_cycles=round(found.stalled.cycles),
    )
    _STORED.write_text(json.dumps(asdict(kept), indent=2) + "\n")


def stored() -> DemoFigures:
    """The figures as they were measured."""
    return DemoFigures(**json.loads(_STORED.read_text()))


def section() -> str:
    """The section, from the stored report and figures."""
    report, figures = json.loads(_REPORT.read_text()), stored()
    summary = "\n".join(map(row, _summary(report, figures)))
    layers = "\n".join(row(_layer(layer)) for layer in report["layers"])
    return f"""\
## mnist_conv on u250

A LeNet-like network for handwritten digits, {report["macs"]:,} useful multiply-accumulates.
`make demo` shows the same run.

{header("figure", "value")}
{summary}

Estimated cycles by layer: what it adds to the run, and how long each engine works for it.

{header("layer", "operation", "useful MAC", "adds", "load", "weights", "array", "store")}
{layers}
"""


def _summary(report: Mapping[str, Any], figures: DemoFigures) -> tuple[tuple[str, str], ...]:
    array, cycles, rtl = report["array"], report["cycles"], report["verify"]["rtl"]
    clock = f"{report['clock_source']} {report['clock_mhz']:g} MHz"
    digits = f"{figures.right:,} of {figures.total:,}"
    return (
        (
            "array",
            f"{array['m']} x {array['p']} x {array['n']}, {array['macs_per_cycle']} MAC per cycle",
        ),
        ("cycles in the simulated RTL", f"{cycles['measured']:,}"),
        ("cycles estimated before simulation", f"{cycles['estimated']:,}"),
        (
            "MAC efficiency, useful MAC / (cycles x array)",
            f"{report['mac_efficiency']['measured']:.1%}",
        ),
        ("latency", f"{report['latency_ms']:.3f} ms at {clock}"),
        ("DSP48 for array, requantisation and control", f"{report['resources']['dsp']['used']:,}"),
        ("accuracy of the integer reference", f"{figures.right / figures.total:.2%} ({digits})"),
        (
            "RTL equal to the reference",
            f"{rtl['compared_bytes']:,} bytes of {rtl['images']} digits",
        ),
        (
            "the same with random memory stalls",
            f"{figures.stalled_bytes:,} bytes, {figures.stalled_cycles:,} cycles at most",
        ),
    )


def _layer(layer: Mapping[str, Any]) -> tuple[str, ...]:
    engines = (f"{layer['engines'][name]:,}" for name in ("load", "weights", "array", "store"))
    return (layer["name"], layer["op"], f"{layer['macs']:,}", f"{layer['cycles']:,}", *engines)
