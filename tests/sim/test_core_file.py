# SPDX-License-Identifier: Apache-2.0
"""flex.core, by which FuseSoC finds the RTL, names the files that the simulator takes."""

import subprocess
import sys

import yaml  # type: ignore[import-untyped]

from sim.sources import BOARD_LIST, INCLUDE, LINT_WAIVERS, ROOT, RTL, read_file_list

CORE = ROOT / "flex.core"


def test_it_names_every_file_once_and_in_order() -> None:
    first, text = CORE.read_text().split("\n", 1)
    assert first == "CAPI=2:"
    core = yaml.safe_load(text)
    files = {name: fileset["files"] for name, fileset in core["filesets"].items()}
    headers = [item for item in files["rtl"] if isinstance(item, dict)]
    assert headers == [
        {str(path.relative_to(ROOT)): {"is_include_file": True}}
        for path in sorted(INCLUDE.glob("*.svh"))
    ]
    sources = [ROOT / item for item in files["rtl"][len(headers) :]]
    assert sources == read_file_list(RTL / "flex.f")
    assert [ROOT / item for item in files["board"]] == read_file_list(BOARD_LIST)
    assert [ROOT / item for item in files["waivers"]] == [LINT_WAIVERS]
    for path in (*sources, *read_file_list(BOARD_LIST), LINT_WAIVERS):
        assert path.is_file()
    for target in core["targets"].values():
        assert set(target["filesets"]) <= set(files)
        assert (target["toplevel"] + ".sv") in {path.name for path in RTL.rglob("*.sv")}


def test_it_is_generated() -> None:
    program = [sys.executable, str(RTL / "generate_core.py"), "--check"]
    assert subprocess.run(program, check=False).returncode == 0
