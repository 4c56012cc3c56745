# SPDX-License-Identifier: Apache-2.0
"""The multipliers that the compiler counts are those that Yosys infers for a whole core."""

import re
import subprocess
import sys

import pytest

from flexcc.accelerator import Accelerator
from flexcc.dse.resources import multipliers
from flexcc.resources import RTL
from flexcc.targets import Family

pytest.importorskip("pyosys")

_CELLS = {Family.XCUP: "DSP48E2", Family.ECP5: "MULT18X18D"}
_SYNTHESIS = {
    Family.XCUP: "synth_xilinx -family xcup -flatten -top flex_core -run begin:coarse",
    Family.ECP5: "synth_ecp5 -top flex_core -run begin:map_ram",
}


def _accelerator(m: int, p: int, n: int, q: int, *, packed: bool) -> Accelerator:
    return Accelerator(
        m=m,
        p=p,
        n=n,
        q=q,
        packed=packed,
        beat_bytes=16,
        act_words=64,
        weight_words=64,
        param_passes=4,
        out_words=64,
        list_entries=16,
    )


def _sources() -> list[str]:
    lines = [line.split("//")[0].strip() for line in (RTL / "flex.f").read_text().splitlines()]
    return [str(RTL / line) for line in lines if line and not line.startswith("+")]


def _count(a: Accelerator, family: Family) -> int:
    """Multiplier cells of flex_core, whose log is long and therefore another process's."""
    parameters = {
        "M": a.m,
        "P": a.p,
        "N": a.n,
        "Q": a.q,
        "Packed": f"1'b{int(a.packed)}",
        "DataBytes": a.beat_bytes,
        "ActWords": a.act_words,
        "WeightWords": a.weight_words,
        "ParamPasses": a.param_passes,
        "OutWords": a.out_words,
        "ListEntries": a.list_entries,
    }
    options = " ".join(f"-G{name}={value}" for name, value in parameters.items())
    script = (
        f"read_slang -I {RTL / 'include'} {' '.join(_sources())} --top flex_core {options}",
        _SYNTHESIS[family],
        "tee -o /dev/stderr stat",
    )
    code = "from pyosys import libyosys as ys\ndesign = ys.Design()\n"
    code += "".join(f"ys.run_pass({line!r}, design)\n" for line in script)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=900, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    found = re.findall(rf"^\s*(\d+)\s+(?:\S+\s+)?{_CELLS[family]}\s*$", done.stderr, re.MULTILINE)
    assert len(set(found)) == 1, done.stderr
    return int(found[0])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("accelerator", "family"),
    [
        (_accelerator(4, 3, 8, 2, packed=True), Family.XCUP),
        (_accelerator(4, 2, 8, 1, packed=False), Family.XCUP),
        (_accelerator(4, 2, 4, 2, packed=False), Family.ECP5),
    ],
)
def test_multipliers_are_exact(accelerator: Accelerator, family: Family) -> None:
    assert _count(accelerator, family) == multipliers(accelerator, family)
