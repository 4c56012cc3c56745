# SPDX-License-Identifier: Apache-2.0
"""Maps a module on the cells of an FPGA family with Yosys and counts them."""

import enum
import json
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from sim.sources import INCLUDE, sources_for
from sim.yosys import SynthesisError, read_command, run_yosys

__all__ = ["Area", "Family", "area", "multiplier_cells"]


class Family(enum.Enum):
    """An FPGA family: the command that maps on it up to its multipliers and large RAMs."""

    ULTRASCALE_PLUS = "synth_xilinx -family xcup -run begin:map_memory"
    SERIES_7 = "synth_xilinx -family xc7 -run begin:map_memory"
    ECP5 = "synth_ecp5 -run begin:map_ram"


@dataclass(frozen=True, slots=True, kw_only=True)
class Area:
    """Cells of UltraScale+; LUTs that serve as RAM or shift register count apart.

    `block_rams` counts RAM of 18 Kbit, a RAMB36E2 twice.
    """

    luts: int
    lut_rams: int
    registers: int
    multipliers: int
    block_rams: int
    ultra_rams: int

    def __add__(self, other: "Area") -> "Area":
        return Area(
            **{f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(Area)}
        )


# LUTs that a cell of LUT RAM or a shift register takes.
_LUT_RAMS = {
    "RAM32M": 4,
    "RAM32M16": 8,
    "RAM32X1D": 2,
    "RAM64M": 4,
    "RAM64M8": 8,
    "RAM64X1D": 2,
    "RAM128X1D": 4,
    "RAM256X1D": 8,
    "SRL16E": 1,
    "SRLC32E": 1,
}
# What else there is: the field it counts in, and how often. Carry chains and wide multiplexers lie
# beside the LUTs.
_CELLS = {
    **{f"LUT{inputs}": ("luts", 1) for inputs in range(1, 7)},
    "INV": ("luts", 1),
    **{f"FD{kind}E": ("registers", 1) for kind in ("R", "S", "C", "P")},
    "DSP48E2": ("multipliers", 1),
    "RAMB18E2": ("block_rams", 1),
    "RAMB36E2": ("block_rams", 2),
    "URAM288": ("ultra_rams", 1),
    **{cell: ("lut_rams", luts) for cell, luts in _LUT_RAMS.items()},
    **dict.fromkeys(("CARRY4", "CARRY8", "MUXF7", "MUXF8", "MUXF9"), ("luts", 0)),
}


def multiplier_cells(top: str, parameters: Mapping[str, int], family: Family) -> dict[str, int]:
    """Cells of module `top` by type after its multiplications have been mapped.

    Multipliers are then those of the family (DSP48E2, DSP48E1, MULT18X18D); adders, registers and
    memories are still Yosys' own cells.

    Raises:
        MissingToolError: the package pyosys is not installed.
        SynthesisError: Yosys refused the design.
        ValueError: the module has no parameter of that name.
    """
    return _cells(top, parameters, f"{family.value} -top {top}")


def area(
    top: str,
    parameters: Mapping[str, int],
    *,
    stand_ins: Sequence[Path] = (),
    left_out: Sequence[str] = (),
) -> Area:
    """Cells of module `top` mapped on UltraScale+, flattened, without pins and clock buffers.

    The files `stand_ins` replace those of the same name; modules `left_out` count as nothing, but
    what leads to them and from them stays.

    Raises:
        MissingToolError, SynthesisError, ValueError: as `multiplier_cells`; SynthesisError as well
            for a cell of unknown size.
    """
    synthesis = f"synth_xilinx -family xcup -noiopad -noclkbuf -top {top}"
    cells = _cells(top, parameters, synthesis, stand_ins=stand_ins, left_out=left_out)
    counts = dict.fromkeys((field.name for field in fields(Area)), 0)
    for cell, number in cells.items():
        if cell in left_out:
            continue
        if cell not in _CELLS:
            raise SynthesisError(f"{top}: {number} cells {cell}, whose area is not known")
        name, weight = _CELLS[cell]
        counts[name] += weight * number
    return Area(**counts)


def _cells(
    top: str,
    parameters: Mapping[str, int],
    synthesis: str,
    *,
    stand_ins: Sequence[Path] = (),
    left_out: Sequence[str] = (),
) -> dict[str, int]:
    """Cells of module `top` by type after the command `synthesis`."""
    sources = sources_for(top, stand_ins)
    _check_parameters(top, parameters, sources)
    read = read_command(top, sources, INCLUDE, parameters=parameters, black_boxes=left_out)
    with tempfile.TemporaryDirectory(prefix=f"{top}-") as folder:
        statistics = Path(folder) / "statistics.json"
        commands = [synthesis, f"tee -q -o {statistics} stat -json"]
        run_yosys([read], commands, Path(folder), left_out=left_out)
        cells = json.loads(statistics.read_text())["design"]["num_cells_by_type"]
    return {str(name): int(count) for name, count in cells.items()}


def _check_parameters(top: str, parameters: Mapping[str, int], sources: list[Path]) -> None:
    """Yosys ignores parameters that it does not know."""
    [source] = [path for path in sources if path.stem == top]
    known = re.findall(r"^\s*parameter\s[^=]*?(\w+)\s*=", source.read_text(), re.MULTILINE)
    unknown = sorted(set(parameters) - set(known))
    if unknown:
        raise ValueError(f"{top} has no parameter {', '.join(unknown)}; it has {', '.join(known)}")
