# SPDX-License-Identifier: Apache-2.0
"""The script that packs rtl/ as a kernel, run in Tcl with the vendor's commands as stand-ins."""

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from flexcc.backend.kernel import KERNEL_SCRIPT, kernel_file, kernel_view
from flexcc.backend.rtl import SYSTEM, rtl_files
from flexcc.backend.views import SystemView
from flexcc.targets import load_device

COMMANDS = (
    *("create_project", "add_files", "set_property", "current_fileset", "update_compile_order"),
    *("ipx::package_project", "ipx::current_core", "ipx::add_bus_interface", "ipx::add_port_map"),
    *("ipx::add_bus_parameter", "ipx::get_bus_interfaces", "ipx::associate_bus_interfaces"),
    *("ipx::add_memory_map", "ipx::add_address_block", "ipx::add_register"),
    *("ipx::add_register_parameter", "ipx::create_xgui_files", "ipx::update_checksums"),
    *("ipx::check_integrity", "ipx::save_core", "package_xo"),
)
READ = {"ARADDR", "ARLEN", "ARSIZE", "ARBURST", "ARVALID", "ARREADY", "RDATA", "RRESP", "RLAST",
        "RVALID", "RREADY"}  # fmt: skip


def system(*, sums: bool, suffixes: tuple[str, ...] = ("",)) -> Mapping[str, bytes]:
    return rtl_files(
        SystemView(
            version="1",
            model="m",
            target="u250",
            data_bytes=64,
            sums=int(sums),
            parameters=(("M", "8"),),
            suffixes=suffixes,
            data_range="[511:0] ",
            strb_range="[63:0]  ",
            loader="",
            card=True,
        )
    )


def packed(folder: Path, rtl: Mapping[str, bytes]) -> list[list[str]]:
    """The vendor's commands that the script calls, each of which answers with its last word."""
    tkinter = pytest.importorskip("tkinter")
    names = [name for name in rtl if name.endswith((".sv", ".svh"))]
    view = kernel_view(rtl[SYSTEM].decode(), names, load_device("u250"), version="1", model="m")
    script = folder / KERNEL_SCRIPT
    script.write_bytes(kernel_file(view))
    interpreter = tkinter.Tcl()
    called: list[list[str]] = []

    def stand_in(name: str, *words: str) -> str:
        called.append([name, *words])
        return " ".join([name, *words])

    interpreter.eval("namespace eval ipx {}")
    for command in COMMANDS:
        interpreter.createcommand(command, lambda *words, name=command: stand_in(name, *words))
    interpreter.evalfile(str(script))
    return called


def ports(rtl: Mapping[str, bytes]) -> list[str]:
    header = rtl[SYSTEM].decode().split(");", 1)[0]
    return [
        words[-1].rstrip(",")
        for line in header.splitlines()
        if (words := line.split()) and words[0] in ("input", "output")
    ]


@pytest.mark.parametrize("sums", [False, True])
@pytest.mark.parametrize("suffixes", [("",), ("0", "1")])
def test_every_port_is_mapped_once(tmp_path: Path, sums: bool, suffixes: tuple[str, ...]) -> None:
    rtl = system(sums=sums, suffixes=suffixes)
    called = packed(tmp_path, rtl)
    mapped = [words[2] for words in called if words[:2] == ["set_property", "physical_name"]]
    assert sorted(mapped) == sorted(ports(rtl))
    buses = [words[1] for words in called if words[0] == "ipx::add_bus_interface"]
    masters = [bus for bus in buses if bus.startswith("m_axi")]
    assert len(masters) == len(suffixes) * (4 if sums else 3)
    clocked = [
        words[words.index("-busif") + 1]
        for words in called
        if words[0] == "ipx::associate_bus_interfaces" and "-busif" in words
    ]
    assert clocked == ["s_axi_ctrl", *masters]


def test_signals_have_the_names_of_axi(tmp_path: Path) -> None:
    called = packed(tmp_path, system(sums=True))
    logical: dict[str, set[str]] = {}
    for words in called:
        if words[0] == "ipx::add_port_map":
            bus = words[2].split()[1]
            logical.setdefault(bus, set()).add(words[1])
    assert logical["m_axi_act"] == logical["m_axi_skip"] == READ
    assert logical["m_axi_wgt"] == READ | {"ARID", "RID"}
    assert {"AWADDR", "WDATA", "WSTRB", "WLAST", "BRESP", "BREADY"} <= logical["m_axi_out"]
    assert logical["ap_clk"] == {"CLK"}
    assert logical["ap_rst_n"] == {"RST"}


def test_sources_and_registers(tmp_path: Path) -> None:
    rtl = system(sums=False)
    called = packed(tmp_path, rtl)
    added = [Path(words[1]) for words in called if words[0] == "add_files"]
    assert {str(path.relative_to(tmp_path)) for path in added} == {
        name for name in rtl if name.endswith((".sv", ".svh"))
    }
    assert added[-1].name == SYSTEM
    registers = [words[1] for words in called if words[0] == "ipx::add_register"]
    assert registers == ["BASE_ACT", "BASE_WGT", "BASE_OUT"]
    offsets = [
        int(words[2], 16) for words in called if words[:2] == ["set_property", "address_offset"]
    ]
    table = (Path(__file__).parents[3] / "docs" / "rtl" / "csr.md").read_text()
    used = {int(found, 16) for found in re.findall(r"^\| (0x[0-9a-f]+) \|", table, re.MULTILINE)}
    assert "| 0x18 | BASE_LOW |" in table
    # The first is the one that all ports add; those of the others are free.
    assert offsets[0] == 0x18
    assert used.isdisjoint(offsets[1:])
    assert called[-1][0] == "package_xo"
    assert called[-1][called[-1].index("-ctrl_protocol") + 1] == "user_managed"


def test_a_port_of_no_bus_is_named() -> None:
    with pytest.raises(ValueError, match="port spare_i of flex_system belongs to no bus"):
        kernel_view("(\n  input  logic spare_i\n);", [], load_device("u250"), version="1", model="")
