# SPDX-License-Identifier: Apache-2.0
"""Which source files a top module needs, from the lists `rtl/flex.f` and `sim/flex_sim.f`."""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

SIM = Path(__file__).resolve().parent
ROOT = SIM.parent
RTL = ROOT / "rtl"
BOARD_LIST = RTL / "flex_board.f"
FILE_LISTS = (RTL / "flex.f", SIM / "flex_sim.f", BOARD_LIST)
INCLUDE = RTL / "include"
LINT_WAIVERS = SIM / "lint.vlt"

_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
_WORD = re.compile(r"[A-Za-z_]\w*")


def read_file_list(path: Path) -> list[Path]:
    """Files named by the list at `path`, in its order; paths in it are relative to its folder.

    Include folders (`+incdir+`) are left to the tools that take such lists as they are.

    Raises:
        ValueError: a file is listed twice.
    """
    files: list[Path] = []
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        name = line.split("//")[0].strip()
        if not name or name.startswith("+incdir+"):
            continue
        file = path.parent / name
        if file in files:
            raise ValueError(f"{path}:{number}: {name} is listed twice")
        files.append(file)
    return files


def all_sources() -> list[Path]:
    """Every SystemVerilog file of the project in dependency order, the simulation's own last."""
    return [file for file_list in FILE_LISTS for file in read_file_list(file_list)]


def sources_for(top: str, extra: Sequence[Path] = ()) -> list[Path]:
    """The files that module `top` uses, itself included, in dependency order.

    A file defines the module or package it is named after (the rule of this project), so the
    names that occur in a file say which other files it needs. `extra` files follow the listed
    ones and may define `top`.

    Raises:
        FileNotFoundError: one of them is listed but does not exist.
        ValueError: no listed file is named after `top`.
    """
    ordered = [*all_sources(), *extra]
    by_name = {file.stem: file for file in ordered}
    if top not in by_name:
        lists = " or ".join(str(path.relative_to(ROOT)) for path in FILE_LISTS)
        raise ValueError(f"no source file {top}.sv in {lists}; add it there in dependency order")
    needed = _closure(top, by_name)
    return [file for file in ordered if file in needed]


def include_files() -> list[Path]:
    """The headers that any source may include."""
    return sorted(INCLUDE.glob("*.svh"))


def dpi_sources(sources: Iterable[Path]) -> list[Path]:
    """The C++ halves of `sources`: a `.cpp` file of the same name beside a module."""
    return [cpp for file in sources if (cpp := file.with_suffix(".cpp")).is_file()]


def _closure(top: str, by_name: Mapping[str, Path]) -> set[Path]:
    needed = {by_name[top]}
    pending = [by_name[top]]
    while pending:
        text = _COMMENT.sub("", pending.pop().read_text())
        for word in set(_WORD.findall(text)):
            file = by_name.get(word)
            if file is not None and file not in needed:
                needed.add(file)
                pending.append(file)
    return needed
