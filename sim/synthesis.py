# SPDX-License-Identifier: Apache-2.0
"""Maps a module on the cells of an FPGA family with Yosys and counts them."""

import enum
import importlib.util
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from sim.sources import INCLUDE, sources_for
from sim.verilator import MissingToolError

# Yosys prints as it pleases and ends the process on an error: it gets one of its own.
_RUN = """
import sys
from pyosys import libyosys
design = libyosys.Design()
for command in sys.argv[1:]:
    libyosys.run_pass(command, design)
"""


class Family(enum.Enum):
    """An FPGA family: the command that maps on it up to its multipliers and large RAMs."""

    ULTRASCALE_PLUS = "synth_xilinx -family xcup -run begin:map_memory"
    ECP5 = "synth_ecp5 -run begin:map_ram"


class SynthesisError(Exception):
    """Yosys refused a design; the text holds its output."""


def multiplier_cells(top: str, parameters: Mapping[str, int], family: Family) -> dict[str, int]:
    """Cells of module `top` by type after its multiplications have been mapped.

    Multipliers are then those of the family (DSP48E2, MULT18X18D); adders, registers and memories
    are still Yosys' own cells.

    Raises:
        MissingToolError: the package pyosys is not installed.
        SynthesisError: Yosys refused the design.
        ValueError: the module has no parameter of that name.
    """
    if importlib.util.find_spec("pyosys") is None:
        raise MissingToolError(
            "synthesis needs the package pyosys; install it with: pip install 'flexcc[synth]'"
        )
    sources = sources_for(top)
    _check_parameters(top, parameters, sources)
    files = " ".join(str(path) for path in sources)
    values = " ".join(f"-G {name}={value}" for name, value in parameters.items())
    with tempfile.TemporaryDirectory(prefix=f"{top}-") as folder:
        statistics = Path(folder) / "statistics.json"
        commands = [
            f"read_slang -I{INCLUDE} --top {top} {values} {files}",
            f"{family.value} -top {top}",
            f"tee -q -o {statistics} stat -json",
        ]
        done = subprocess.run(
            [sys.executable, "-c", _RUN, *commands],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode != 0 or not statistics.is_file():
            raise SynthesisError(f"yosys failed ({done.returncode}):\n{done.stdout[-4000:]}")
        cells = json.loads(statistics.read_text())["design"]["num_cells_by_type"]
    return {str(name): int(count) for name, count in cells.items()}


def _check_parameters(top: str, parameters: Mapping[str, int], sources: list[Path]) -> None:
    """Yosys ignores parameters that it does not know."""
    [source] = [path for path in sources if path.stem == top]
    known = re.findall(r"^\s*parameter\s[^=]*?(\w+)\s*=", source.read_text(), re.MULTILINE)
    unknown = sorted(set(parameters) - set(known))
    if unknown:
        raise ValueError(f"{top} has no parameter {', '.join(unknown)}; it has {', '.join(known)}")
