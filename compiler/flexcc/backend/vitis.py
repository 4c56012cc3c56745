# SPDX-License-Identifier: Apache-2.0
"""What surrounds the HLS kernel in hls/: testbench, synthesis script, make file, connections."""

from flexcc.accelerator import Accelerator
from flexcc.backend.render import render
from flexcc.backend.views import VitisView
from flexcc.targets import Device, HostCpu

__all__ = ["VITIS_VERSION", "vitis_files", "vitis_view"]

VITIS_VERSION = "2023.2"
"""The oldest release whose manual describes everything that the kernel uses."""

_RENDERED = ("Makefile", "build.tcl", "connectivity.cfg", "testbench.cpp")


def vitis_files(view: VitisView) -> dict[str, bytes]:
    """Name, relative to hls/, and content of every file."""
    return {name: render(f"hls/{name}.j2", view).encode() for name in _RENDERED}


def vitis_view(
    accelerator: Accelerator,
    device: Device,
    *,
    program_address: int,
    program_bytes: int,
    version: str,
    model: str,
) -> VitisView:
    """What the templates see of a program, which ends memory, and of a board.

    `model` is printable ASCII.

    Raises:
        ValueError: Vitis has no platform for the board.
    """
    if device.vitis is None:
        raise ValueError(f"{device.name} is no platform of Vitis")
    names, a = device.vitis, accelerator
    memories = {
        "program": names.weights,
        "wgt": names.weights,
        "act": names.activations,
        "skip": names.activations,
        "out": names.activations,
    }
    return VitisView(
        version=version,
        vitis_version=VITIS_VERSION,
        model=model,
        target=device.name,
        platform=names.platform,
        part=device.part,
        clock_mhz=f"{device.clock_mhz:g}",
        period_ns=f"{1000 / device.clock_mhz:.3f}",
        ports=tuple((port, tag) for port, tag in memories.items() if port != "skip" or a.sums),
        slr=names.slr or "",
        embedded=names.host is HostCpu.ARM,
        host_cpu=names.host.value,
        has_sums=a.sums,
        memory_bytes=program_address + program_bytes,
        program_first=program_address // a.beat_bytes,
        program_beats=program_bytes // a.beat_bytes,
    )
