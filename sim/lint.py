# SPDX-License-Identifier: Apache-2.0
"""Checks the SystemVerilog sources: `python -m sim.lint` prints what is wrong and exits with 1.

Every module is elaborated alone, with its default parameters, by Verilator with all warnings on;
Verible checks the style and the format of every file. `--format` formats the files instead.
"""

import argparse
import re
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sim.baseline import SOURCES as BASELINE
from sim.ecp5 import SOURCES as CELLS
from sim.formal import SOURCES as PROOFS
from sim.sources import ROOT, RTL, SIM, all_sources, include_files, sources_for
from sim.verilator import lint

_FORMAT_FLAGS = SIM / "verible_format.flags"
_LINT_RULES = SIM / "verible_lint.rules"
_MODULE = re.compile(r"^module\s+(\w+)", re.MULTILINE)
_JOBS = 2


def is_module(path: Path) -> bool:
    """Whether the file defines a module, rather than a package."""
    return _MODULE.search(path.read_text()) is not None


def unlisted_files() -> list[Path]:
    """SystemVerilog files under rtl/ and sim/ that no list of sources names."""
    listed = {*all_sources(), *BASELINE, *CELLS, *PROOFS}
    return [
        path for root in (RTL, SIM) for path in sorted(root.rglob("*.sv")) if path not in listed
    ]


def check_module(path: Path) -> str:
    """What Verilator says about the module in `path` elaborated alone; empty when all is well."""
    if path in all_sources():
        extra: Sequence[Path] = ()
    else:
        extra = BASELINE if path in BASELINE else (path,)
    try:
        sources = sources_for(path.stem, extra)
    except FileNotFoundError as error:
        return f"{path}: needs a file that is listed but missing: {error.filename}"
    done = lint(sources, path.stem)
    if done.returncode == 0 and not done.stderr:
        return ""
    return f"verilator --top-module {path.stem}:\n{done.stdout}{done.stderr}"


def is_generated(path: Path) -> bool:
    """Whether the file says in its head that a program wrote it; its style is that program's."""
    return any("Do not edit." in line for line in path.read_text().splitlines()[:4])


def check_style(paths: list[Path]) -> str:
    """What Verible says about style and format of `paths`; empty when all is well."""
    files = [str(path) for path in paths]
    style = ["verible-verilog-lint", f"--rules_config={_LINT_RULES}", *files]
    return _output_on_failure(style) + _output_on_failure(
        [*_formatter("--inplace", "--verify"), *files]
    )


def format_files(paths: list[Path]) -> str:
    """Formats `paths` in place; returns what the formatter complained about."""
    return _output_on_failure([*_formatter("--inplace"), *map(str, paths)])


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m sim.lint", description=__doc__)
    parser.add_argument("--format", action="store_true", help="format the files instead")
    parser.add_argument("files", nargs="*", type=Path, help="only these files (default: all)")
    options = parser.parse_args(arguments)

    listed = all_sources()
    everything = [*listed, *BASELINE, *CELLS, *PROOFS, *include_files()]
    everything += sorted((ROOT / "tests").rglob("*.sv"))
    chosen = [path.resolve() for path in options.files] or everything
    missing = [path for path in chosen if not path.is_file()]
    present = [path for path in chosen if path.is_file()]
    problems = [f"{path}: listed but missing" for path in missing]
    written_by_hand = [path for path in present if not is_generated(path)]
    if options.format:
        problems.append(format_files(written_by_hand))
    else:
        if not options.files:
            problems += [f"{path}: in no file list" for path in unlisted_files()]
        modules = [path for path in present if path.suffix == ".sv" and is_module(path)]
        with ThreadPoolExecutor(_JOBS) as pool:
            problems += pool.map(check_module, modules)
        problems.append(check_style(written_by_hand))
    problems = [problem for problem in problems if problem]
    sys.stderr.write("".join(f"{problem.rstrip()}\n" for problem in problems))
    return 1 if problems else 0


def _formatter(*modes: str) -> list[str]:
    return ["verible-verilog-format", f"--flagfile={_FORMAT_FLAGS}", *modes]


def _output_on_failure(command: list[str]) -> str:
    program = Path(sys.executable).with_name(command[0])
    done = subprocess.run([str(program), *command[1:]], capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else f"{command[0]}:\n{done.stdout}{done.stderr}"


if __name__ == "__main__":
    sys.exit(main())
