# SPDX-License-Identifier: Apache-2.0
"""What versatility costs in area, and the section of docs/results.md on it.

`python -m designs.results area` measures it with Yosys and writes `area.json`.
"""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from sim.baseline.area import ACCELERATOR, Comparison, compare
from sim.synthesis import Area

__all__ = ["measure", "section", "stored"]

_STORED = Path(__file__).with_name("area.json")


def measure() -> None:
    """Synthesises both cores and keeps their areas."""
    _STORED.write_text(json.dumps(asdict(compare(ACCELERATOR)), indent=2) + "\n")


def stored() -> Comparison:
    """The areas as they were measured."""
    data = json.loads(_STORED.read_text())
    return Comparison(**{name: Area(**cells) for name, cells in data.items()})


def section() -> str:
    """The section, from the stored areas."""
    a, areas = ACCELERATOR, stored()
    rows = "\n".join(
        _area_row(label, count(areas.core), count(areas.plain), count(areas.array))
        for label, count in _CELLS
    )
    return f"""\
## What versatility costs

A core of {a.m} x {a.p} x {a.n} multipliers against the same core for plain convolutions of stride
1 and 2: kernel counters in place of reduction lists, two column phases at most in the load engine,
no output phases in the store engine and the requantiser. [synthesis.md](synthesis.md) tells how
both are built. Memory ports of {a.beat_bytes} bytes; {a.act_words:,} words of activations and
{a.out_words:,} of outputs a bank and half, {a.weight_words:,} of weights; {a.list_entries:,} list
entries. Yosys, `synth_xilinx -family xcup`, flattened. A test fails when LUT or FF rise by more
than 3 %, or when the multipliers differ.

| | versatile core | plain core | difference | share | array in both |
|---|---|---|---|---|---|
{rows}
"""


# The rows on area: what is counted, and how.
_CELLS: tuple[tuple[str, Callable[[Area], int]], ...] = (
    ("LUT", lambda area: area.luts + area.lut_rams),
    ("of these RAM or shift register", lambda area: area.lut_rams),
    ("FF", lambda area: area.registers),
    ("DSP48E2", lambda area: area.multipliers),
    ("block RAM, 18 Kbit", lambda area: area.block_rams),
    ("UltraRAM", lambda area: area.ultra_rams),
)


def _area_row(label: str, versatile: int, plain: int, array: int) -> str:
    more = versatile - plain
    share = f"{more / plain:+.2%}" if more else "0"
    return f"| {label} | {versatile:,} | {plain:,} | {more:+,} | {share} | {array:,} |"
