# SPDX-License-Identifier: Apache-2.0
"""From a build to a bitstream: runs the open tools and tells what they found in a report."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from flexcc.backend.writer import output_folder
from flexcc.board_flow import array_cells, board_sources, flow, nextpnr_device
from flexcc.build import load_build
from flexcc.errors import InputError
from flexcc.progress import Progress
from flexcc.targets import load_device

__all__ = ["BitstreamReport", "bitstream_json", "write_bitstream"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BitstreamReport:
    """What place and route made of a build.

    `fmax_mhz` is the fastest clock, `clock_mhz` the one it runs at; `slowest_path` tells between
    which modules the path runs that allows no faster one. `lut` counts LUT4, those of carry chains
    and RAM too, `ram18` RAM blocks of 18 Kbit; `array` how much of each the systolic array was
    before it was placed. `sha256` is the bitstream's,
    `sources_sha256` that of all that the tools were given: where it and `tools`, versions by
    package, are the same, so is the bitstream.
    """

    model: str
    target: str
    clock_mhz: float
    fmax_mhz: float
    slowest_path: str
    lut: int
    ff: int
    dsp: int
    ram18: int
    array: dict[str, int]
    tools: dict[str, str]
    sources_sha256: str
    sha256: str


def bitstream_json(report: BitstreamReport) -> str:
    """The text of the report.json of a bitstream."""
    return json.dumps(asdict(report), indent=2, allow_nan=False) + "\n"


def write_bitstream(build: Path, output: Path, progress: Progress) -> BitstreamReport:
    """Writes the bitstream of the build in folder `build`, and its figures, into folder `output`.

    Raises:
        InputError: no build, none for a board with open tools, or a tool is not installed.
        DoesNotFitError: the design needs more than the device has, or cannot be routed.
        TooSlowError: it is too slow for its clock.
    """
    loaded = load_build(build)
    device = load_device(loaded.target)
    sources = board_sources(build, loaded)
    if sources is None:
        raise InputError(
            f"{build} is for {loaded.target}, and no open tool makes a bitstream of it; compile "
            "for ulx3s-85f a network that fits its memory, with one core"
        )
    with output_folder(output) as folder, flow(build):
        from sim.bitstream import make_bitstream, tool_versions  # noqa: PLC0415

        placed_for = nextpnr_device(device)
        progress.step("synthesising, placing and routing: ten minutes")
        made = make_bitstream(
            sources.files,
            sources.top,
            black_boxes=sources.black_boxes,
            constraints=sources.constraints,
            device=placed_for,
            folder=folder.path,
        )
        report = BitstreamReport(
            model=loaded.model,
            target=loaded.target,
            clock_mhz=placed_for.clock_mhz,
            fmax_mhz=round(made.routed.fmax_mhz, 2),
            slowest_path=made.routed.slowest_path,
            lut=made.routed.lut,
            ff=made.routed.ff,
            dsp=made.routed.dsp,
            ram18=made.routed.ram18,
            array=array_cells(made.mapped),
            tools=tool_versions(),
            sources_sha256=made.sources_sha256,
            sha256=made.sha256,
        )
        folder.adopt()
        folder.write("report.json", bitstream_json(report))
    return report
