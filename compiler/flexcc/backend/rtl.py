# SPDX-License-Identifier: Apache-2.0
"""The folder rtl/ of a build: the hand-written sources and a top with this build's parameters."""

from flexcc.accelerator import Accelerator
from flexcc.backend.render import render
from flexcc.backend.views import SystemView
from flexcc.resources import RTL, SIM

__all__ = [
    "BITS",
    "FILE_LIST",
    "SYSTEM",
    "WAIVERS",
    "rtl_files",
    "rtl_parameters",
    "system_parameters",
]

FILE_LIST = "flex.f"
SYSTEM = "flex_system.sv"
WAIVERS = "lint.vlt"
BITS = ("Packed", "Slopes", "Tables", "Sums", "Bends", "Wide", "SplitProducts")
"""The parameters that are true or false."""


def rtl_parameters(accelerator: Accelerator) -> dict[str, int]:
    """The parameters of flex_top, by name, in their order."""
    a = accelerator
    # What an accelerator without them is built of does not name them.
    split = {"SplitProducts": 1}
    on_chip = {"OnChipBytes": a.on_chip_bytes, "OnChipPages": a.on_chip_pages}
    return {
        "M": a.m,
        "P": a.p,
        "N": a.n,
        "Q": a.q,
        "Packed": int(a.packed),
        "AccWidth": a.acc_bits,
        "DataBytes": a.beat_bytes,
        "ActWords": a.act_words,
        "WeightWords": a.weight_words,
        "ParamPasses": a.param_passes,
        "OutWords": a.out_words,
        "ListEntries": a.list_entries,
        "Slopes": int(a.slopes),
        "Tables": int(a.tables),
        "Sums": int(a.sums),
        "Wide": int(a.wide),
        "Bends": int(a.bends),
        "WindowTaps": a.window_taps,
        "WindowBeats": a.window_beats,
        "WindowChannels": a.window_channels,
        "Cores": a.cores,
        **(split if a.split_products else {}),
        **(on_chip if a.on_chip_bytes else {}),
    }


def system_parameters(accelerator: Accelerator) -> tuple[tuple[str, str], ...]:
    """The same as SystemVerilog: names padded to one length, literals."""
    values = rtl_parameters(accelerator)
    width = max(map(len, values))
    return tuple(
        (name.ljust(width), f"1'b{value}" if name in BITS else str(value))
        for name, value in values.items()
    )


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
