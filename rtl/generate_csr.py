# SPDX-License-Identifier: Apache-2.0
"""Generates all that follows from the register description memory/flex_csr.rdl, with PeakRDL.

`python rtl/generate_csr.py` writes the register block, its package, the Python offsets and the
documentation table; `--check` compares instead and exits with 1 when one differs.
"""

import json
import sys
import tempfile
from pathlib import Path

from peakrdl_regblock import RegblockExporter
from peakrdl_regblock.cpuif.axi4lite import AXI4Lite_Cpuif_flattened
from peakrdl_regblock.udps import ALL_UDPS
from systemrdl import RDLCompiler
from systemrdl.node import AddrmapNode, RegNode

RTL = Path(__file__).resolve().parent
ROOT = RTL.parent
SOURCE = RTL / "memory" / "flex_csr.rdl"
BLOCK = "flex_csr_regs"
_PROSE = """\
AXI4-Lite, 32-bit registers; the address space repeats every 128 bytes, and what is not listed
reads as 0. `flex_csr` wraps the generated `flex_csr_regs`.

A host writes BASE, PROGRAM and PROGRAM_BEATS, which must not change during a run, then 1 to
CONTROL. STATUS is busy from that write's response on until the run has ended. The end sets
IRQ_STATUS and leaves busy for done, also after an error: every run ends, unless wrong data made
an engine wait for ever. Read a 64-bit count after the end of the run.

What the core has to do, cycles counted from the start pulse (cycle 0):

- `done_i` and `error_i` are ignored up to cycle 2, so they may still tell of the run before.
  The core lowers both by cycle 3.
- `done_i` is a level. The first cycle from 3 on in which it is high is the last cycle of the
  run; its number is what CYCLES shows.
- A bit of `error_i` is a pulse or a level, not later than the last cycle of the run. The first
  one sets ERROR; of several in one cycle, the lowest number.
- The counters of the engines count the cycles from 3 to the last one, those of all cores
  together; they stop rather than pass 2^32 - 1. A cycle counts once at most: of what an engine
  says, blocked goes before starved, starved before busy. In the cycles that no counter of it
  counts, an engine has nothing to do.

| engine | busy | starved: waits for | blocked: waits for |
|---|---|---|---|
| 0 load | a window is written | memory, or tiles to be stored | a half of the activation buffer |
| 1 weights | pass images go into the rings | memory | room in a ring |
| 2 array | a step comes | window, weights, parameters | a half of the output buffer, the drain |
| 3 store | the output buffer is read | a full half of the output buffer | room for write data |"""
NOTE = "Generated from rtl/memory/flex_csr.rdl. Do not edit."


def _elaborate() -> AddrmapNode:
    compiler = RDLCompiler()
    for property_ in ALL_UDPS:
        compiler.register_udp(property_)
    compiler.compile_file(str(SOURCE))
    top = compiler.elaborate().top
    assert isinstance(top, AddrmapNode)
    return top


def _registers(top: AddrmapNode) -> list[RegNode]:
    return [node for node in top.descendants(unroll=True) if isinstance(node, RegNode)]


def _name(register: RegNode) -> str:
    """STATUS, or ENGINE0_BUSY for one of an array of groups."""
    path = register.get_rel_path(register.owning_addrmap)
    return path.replace("[", "").replace("]", "").replace(".", "_")


def _block(top: AddrmapNode) -> dict[Path, str]:
    with tempfile.TemporaryDirectory() as folder:
        RegblockExporter().export(
            top,
            folder,
            module_name=BLOCK,
            package_name=f"{BLOCK}_pkg",
            cpuif_cls=AXI4Lite_Cpuif_flattened,
            default_reset_activelow=True,
            default_reset_async=False,
        )
        return {
            RTL / "memory" / f"{name}.sv": "// SPDX-License-Identifier: Apache-2.0\n//\n"
            f"// {NOTE}\n" + (Path(folder) / f"{name}.sv").read_text()
            for name in (BLOCK, f"{BLOCK}_pkg")
        }


def _bits_class(register: RegNode) -> str:
    """IrqStatus for IRQ_STATUS."""
    return _name(register).title().replace("_", "")


def _python(top: AddrmapNode) -> str:
    flags = [r for r in _registers(top) if all(field.width == 1 for field in r.fields())]
    lines = [
        "# SPDX-License-Identifier: Apache-2.0",
        f"# {NOTE}",
        '"""Byte offsets of the control and status registers, and their bits."""',
        "",
        "from enum import IntEnum, IntFlag",
        "",
        f"__all__ = {json.dumps(sorted(['Register', *map(_bits_class, flags)]))}",
        "",
        "",
        "class Register(IntEnum):",
        '    """Offsets on the control port."""',
        "",
    ]
    lines += [
        f"    {_name(register)} = 0x{register.absolute_address:02X}" for register in _registers(top)
    ]
    for register in flags:
        name = _name(register)
        lines += ["", "", f"class {_bits_class(register)}(IntFlag):", f'    """Bits of {name}."""']
        lines += ["", *(f"    {f.inst_name.upper()} = {1 << f.low}" for f in register.fields())]
    return "\n".join(lines) + "\n"


def _table(top: AddrmapNode) -> str:
    lines = [
        "# Control and status registers",
        "",
        f"<!-- {NOTE} -->",
        "",
        *_PROSE.splitlines(),
        "",
        "| offset | register | bits | field | access | meaning |",
        "|---|---|---|---|---|---|",
    ]
    for register in _registers(top):
        for field in register.fields():
            access = field.get_property("sw").name
            if field.get_property("onwrite") is not None:
                access += ", 1 clears"
            lines.append(
                f"| 0x{register.absolute_address:02x} | {_name(register)} | "
                f"{field.high}:{field.low} | {field.inst_name} | {access} | "
                f"{field.get_property('desc')} |"
            )
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> int:
    """Writes or, with --check, compares the generated files."""
    top = _elaborate()
    files = _block(top)
    files[ROOT / "compiler" / "flexcc" / "program" / "registers.py"] = _python(top)
    files[ROOT / "docs" / "rtl" / "csr.md"] = _table(top)
    if arguments != ["--check"]:
        for path, text in files.items():
            path.write_text(text)
        return 0
    stale = [p for p, text in files.items() if not p.is_file() or p.read_text() != text]
    for path in stale:
        print(f"{path.relative_to(ROOT)} is stale; run `make generate`", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
