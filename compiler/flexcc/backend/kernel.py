# SPDX-License-Identifier: Apache-2.0
"""What packs rtl/ as a kernel of Vitis: a script that maps every port of flex_system on a bus."""

import re
from collections.abc import Sequence

from flexcc.backend.render import render
from flexcc.backend.views import BusView, KernelView
from flexcc.program.registers import Register
from flexcc.targets import Device

__all__ = ["KERNEL_SCRIPT", "kernel_file", "kernel_view"]

KERNEL_SCRIPT = "package_kernel.tcl"
_PORT = re.compile(r"^ +(?:input|output) +logic +(?:\[[^]]*\] +)?(\w+),?$", re.MULTILINE)
_BUS = re.compile(r"([ms]_axi_[a-z]+\d*)_([a-z]+)_[io]")
# What Vitis looks for under names of its own.
_SINGLE = (
    BusView(name="ap_clk", kind="signal:clock", mode="slave", ports=(("CLK", "clk_i"),)),
    BusView(name="ap_rst_n", kind="signal:reset", mode="slave", ports=(("RST", "rst_ni"),)),
    BusView(
        name="interrupt",
        kind="signal:interrupt",
        mode="master",
        ports=(("INTERRUPT", "interrupt_o"),),
    ),
)
_FREE_OFFSET = 0x80


def kernel_view(
    system: str, sources: Sequence[str], device: Device, *, version: str, model: str
) -> KernelView:
    """What the script sees: the ports of `system`, the text of flex_system.sv, by bus.

    `sources` are relative to rtl/, in dependency order; `model` is printable ASCII.

    Raises:
        ValueError: a port of flex_system belongs to no bus.
    """
    buses: dict[str, list[tuple[str, str]]] = {}
    single = {physical for bus in _SINGLE for _, physical in bus.ports}
    for port in _PORT.findall(system.split(");", 1)[0]):
        found = _BUS.fullmatch(port)
        if found is not None:
            buses.setdefault(found.group(1), []).append((found.group(2).upper(), port))
        elif port not in single:
            raise ValueError(f"port {port} of flex_system belongs to no bus")
    interfaces = tuple(
        BusView(
            name=name,
            kind="interface:aximm",
            mode="slave" if name.startswith("s") else "master",
            ports=tuple(ports),
        )
        for name, ports in buses.items()
    )
    masters = [bus.name for bus in interfaces if bus.mode == "master"]
    offsets = [Register.BASE_LOW, *(_FREE_OFFSET + 8 * i for i in range(len(masters) - 1))]
    return KernelView(
        version=version,
        model=model,
        target=device.name,
        part=device.part,
        sources=tuple(sources),
        interfaces=(*_SINGLE, *interfaces),
        clocked=tuple(bus.name for bus in interfaces),
        registers=tuple(
            (f"BASE_{name.removeprefix('m_axi_').upper()}", f"0x{offset:02x}", name)
            for name, offset in zip(masters, offsets, strict=True)
        ),
    )


def kernel_file(view: KernelView) -> bytes:
    """The content of KERNEL_SCRIPT."""
    return render(f"rtl/{KERNEL_SCRIPT}.j2", view).encode()
