# SPDX-License-Identifier: Apache-2.0
"""The folder rtl/ of a build: the hand-written sources and a top with this build's parameters."""

from flexcc.backend.render import render
from flexcc.backend.views import SystemView
from flexcc.resources import RTL, SIM

__all__ = ["FILE_LIST", "SYSTEM", "WAIVERS", "rtl_files"]

FILE_LIST = "flex.f"
SYSTEM = "flex_system.sv"
WAIVERS = "lint.vlt"


def rtl_files(view: SystemView) -> dict[str, bytes]:
    """Name, relative to rtl/, and content of every file; FILE_LIST names them in order."""
    file_list = (RTL / FILE_LIST).read_text()
    lines = [line.split("//")[0].strip() for line in file_list.splitlines()]
    sources = [line for line in lines if line and not line.startswith("+")]
    headers = [f"include/{path.name}" for path in sorted((RTL / "include").glob("*.svh"))]
    files = {name: (RTL / name).read_bytes() for name in (*headers, *sources)}
    files[WAIVERS] = (SIM / WAIVERS).read_bytes()
    files[SYSTEM] = render(f"rtl/{SYSTEM}.j2", view).encode()
    files[FILE_LIST] = f"{file_list.rstrip()}\n{SYSTEM}\n".encode()
    return files
