# SPDX-License-Identifier: Apache-2.0
"""From a build to cells of its FPGA: runs Yosys and tells what the design and its array need."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from flexcc.backend.rtl import rtl_parameters
from flexcc.backend.writer import output_folder
from flexcc.board_flow import BoardSources, array_cells, board_sources, flow, nextpnr_device
from flexcc.build import Build, load_build
from flexcc.errors import DoesNotFitError, InputError
from flexcc.progress import Progress
from flexcc.targets import Device, Family, load_device

__all__ = [
    "ARRAY_PARAMETERS",
    "CellReport",
    "SynthesisReport",
    "synthesis_json",
    "synthesis_text",
    "write_synthesis",
]

_ARRAY = "flex_systolic_array"
ARRAY_PARAMETERS = ("M", "P", "N", "Q", "Packed", "AccWidth", "Wide")
"""What of a design's parameters its arrays have: all that they know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CellReport:
    """Cells of a kind: what the design needs, what of it the systolic arrays, what there is."""

    used: int
    array: int
    available: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SynthesisReport:
    """What Yosys made of a build, before anything is placed.

    `lut` counts LUTs, those of carry chains (ECP5) and RAM too; `ram18` RAM blocks of 18 Kbit.
    `uram` is 0 where there are none. `tools` are versions by package.
    """

    model: str
    target: str
    tools: dict[str, str]
    lut: CellReport
    ff: CellReport
    dsp: CellReport
    ram18: CellReport
    uram: CellReport


def synthesis_json(report: SynthesisReport) -> str:
    """The text of the report.json of a synthesis."""
    return json.dumps(asdict(report), indent=2, allow_nan=False) + "\n"


def synthesis_text(report: SynthesisReport) -> str:
    """The same as lines to read."""
    names = {"lut": "LUT", "ff": "FF", "dsp": "multipliers", "ram18": "RAM 18 Kbit", "uram": "URAM"}
    lines = [f"{'':<12}{'used':>9}{'array':>9}{'available':>11}"]
    for field, name in names.items():
        count: CellReport = getattr(report, field)
        lines.append(f"{name:<12}{count.used:>9,}{count.array:>9,}{count.available:>11,}")
    return "\n".join(lines)


def write_synthesis(build: Path, output: Path, progress: Progress) -> SynthesisReport:
    """Synthesises the build in folder `build`; writes figures, and what else there is, to `output`.

    A board's build is mapped with all that stands around the core, and its netlist kept; of others
    flex_top is mapped, flattened and without pins.

    Raises:
        InputError: no build, a family without synthesis here, or a tool is not installed.
        DoesNotFitError: the design needs more than the device has.
    """
    loaded = load_build(build)
    device = load_device(loaded.target)
    sources = board_sources(build, loaded)
    if sources is None and device.family is not Family.XCUP:
        raise InputError(
            f"{build} is for {device.name}, whose family {device.family.value} is not synthesised "
            "here; compile for one of UltraScale+, or for ulx3s-85f"
        )
    progress.step("synthesising")
    with output_folder(output) as folder, flow(build):
        if sources is None:
            report = _area(loaded, device)
        else:
            report = _netlist(loaded, sources, device, folder.path)
        folder.adopt()
        folder.write("report.json", synthesis_json(report))
    return report


def _netlist(build: Build, sources: BoardSources, device: Device, folder: Path) -> SynthesisReport:
    from sim.bitstream import CELL_KINDS, map_cells, tool_versions  # noqa: PLC0415

    available = nextpnr_device(device).available
    cells = map_cells(
        sources.files,
        sources.top,
        folder,
        black_boxes=sources.black_boxes,
        available=available,
    )
    array = array_cells(cells)
    kinds = {
        field: CellReport(
            used=cells.total.get(kind, 0), array=array[field], available=available[kind]
        )
        for field, kind in CELL_KINDS.items()
    }
    return SynthesisReport(
        model=build.model,
        target=build.target,
        tools={"pyosys": tool_versions()["pyosys"]},
        **kinds,
        uram=CellReport(used=0, array=0, available=0),
    )


def _area(build: Build, device: Device) -> SynthesisReport:
    from sim.bitstream import tool_versions  # noqa: PLC0415
    from sim.synthesis import area  # noqa: PLC0415

    parameters = rtl_parameters(build.plan.accelerator)
    # Alone, as all arrays are the same and would take most of the time.
    array = area(_ARRAY, {key: parameters[key] for key in ARRAY_PARAMETERS})
    around = area("flex_top", parameters, left_out=(_ARRAY,))
    cores = parameters["Cores"]

    def cells(field: str, available: int) -> CellReport:
        parts = cores * int(getattr(array, field))
        used = int(getattr(around, field)) + parts
        return CellReport(used=used, array=parts, available=available)

    luts, rams = cells("luts", device.lut), cells("lut_rams", device.lut)
    report = SynthesisReport(
        model=build.model,
        target=build.target,
        tools={"pyosys": tool_versions()["pyosys"]},
        lut=CellReport(
            used=luts.used + rams.used, array=luts.array + rams.array, available=device.lut
        ),
        ff=cells("registers", device.ff),
        dsp=cells("multipliers", device.dsp),
        ram18=cells("block_rams", 2 * device.bram36),
        uram=cells("ultra_rams", device.uram),
    )
    kinds = {"LUT": report.lut, "FF": report.ff, "DSP": report.dsp, "RAM18": report.ram18}
    over = [
        f"{kind}: {count.used} needed, {count.available} available, "
        f"{count.array} of them in {_ARRAY}"
        for kind, count in (kinds | {"URAM": report.uram}).items()
        if count.used > count.available
    ]
    if over:
        raise DoesNotFitError(f"{build.model}: {'; '.join(over)}; choose a smaller array")
    return report
