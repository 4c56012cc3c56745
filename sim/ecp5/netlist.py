# SPDX-License-Identifier: Apache-2.0
"""A netlist of ECP5 cells as a source that the simulator takes in place of the modules.

Flip-flops, LUTs, carries and LUT RAM are the models that come with Yosys, RAM blocks and
multipliers this project's own.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from sim.ecp5 import MULTIPLIER, RAM
from sim.yosys import pyosys_folder

__all__ = ["simulation_source"]

# Other people's models and a tool's netlist: their style is theirs.
_QUIET = (
    "ASCRANGE",
    "CASEINCOMPLETE",
    "CASEOVERLAP",
    "COMBDLY",
    "DECLFILENAME",
    "IMPLICIT",
    "INITIALDLY",
    "MULTITOP",
    "PINMISSING",
    "PINCONNECTEMPTY",
    "SPECIFYIGN",
    "UNOPTFLAT",
    "UNDRIVEN",
    "UNUSEDPARAM",
    "UNUSEDSIGNAL",
    "VARHIDDEN",
    "WIDTHEXPAND",
    "WIDTHTRUNC",
    "GENUNNAMED",
    "PROCASSINIT",
)
_INCLUDE = re.compile(r'^\s*`include "(?:[\w+]+/)*(\w+\.vh)"', re.MULTILINE)


def simulation_source(netlist: Path, top: str, ports: Sequence[str], folder: Path) -> Path:
    """Writes `<top>.sv`, which defines module `top` by the netlist of it; returns its path.

    `ports` are declarations such as "input logic clk_i". The netlist lies one level below, where
    the simulator need not keep each of its signals for the bench.

    Raises:
        MissingToolError: pyosys, whose models are needed, is not installed.
    """
    share = pyosys_folder() / "share" / "ecp5"
    names = [port.split()[-1] for port in ports]
    inner = f"{top}_netlist"
    text = re.sub(rf"\bmodule {top}\b", f"module {inner}", netlist.read_text())
    wrapper = [f"module {top} (", ",\n".join(f"  {port}" for port in ports), ");"]
    wrapper += [f"  {inner} u_netlist ({', '.join(f'.{name}({name})' for name in names)});"]
    parts = [f"/* verilator lint_off {rule} */" for rule in _QUIET]
    parts += [_library(share, text)]
    parts += [RAM.read_text(), MULTIPLIER.read_text(), text, *wrapper, "endmodule", ""]
    folder.mkdir(parents=True, exist_ok=True)
    source = folder / f"{top}.sv"
    source.write_text("\n".join(parts))
    return source


def _library(share: Path, netlist: str) -> str:
    """The models of the cells that a netlist names, and those that they are made of."""
    text = (share / "cells_sim.v").read_text()
    for _ in range(3):
        text = _INCLUDE.sub(lambda found: (share / found.group(1)).read_text(), text)
    text = re.sub(r"^`include.*$", "", text, flags=re.MULTILINE)
    modules = {
        name: body
        for body, name in re.findall(
            r"(^module\s+(\w+).*?\bendmodule)", text, re.MULTILINE | re.DOTALL
        )
    }
    needed: dict[str, str] = {}
    pending = [netlist]
    while pending:
        words = set(re.findall(r"\w+", pending.pop()))
        for name in sorted(words & modules.keys() - needed.keys() - {RAM.stem, MULTIPLIER.stem}):
            needed[name] = modules[name]
            pending.append(modules[name])
    return "\n".join(needed.values())
