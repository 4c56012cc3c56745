# SPDX-License-Identifier: Apache-2.0
"""From a build to a bitstream: runs the open tools and tells what they found in a report."""

import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from flexcc.backend.board import BOARD_LIST, CONSTRAINTS, TOP
from flexcc.backend.rtl import FILE_LIST, SYSTEM
from flexcc.backend.writer import output_folder, read_manifest
from flexcc.build import load_build
from flexcc.errors import DoesNotFitError, InputError
from flexcc.progress import Progress
from flexcc.resources import ROOT
from flexcc.targets import load_device

__all__ = ["BitstreamReport", "bitstream_json", "write_bitstream"]

_PLL = "EHXPLLL"


@dataclass(frozen=True, slots=True, kw_only=True)
class BitstreamReport:
    """What place and route made of a build.

    `fmax_mhz` is the fastest clock, `clock_mhz` the one it runs at; `sha256` is the bitstream's.
    `lut` counts LUT4, those of carry chains and RAM too, `ram18` RAM blocks of 18 Kbit.
    """

    model: str
    target: str
    clock_mhz: float
    fmax_mhz: float
    lut: int
    ff: int
    dsp: int
    ram18: int
    sha256: str


def bitstream_json(report: BitstreamReport) -> str:
    """The text of the report.json of a bitstream."""
    return json.dumps(asdict(report), indent=2, allow_nan=False) + "\n"


def write_bitstream(build: Path, output: Path, progress: Progress) -> BitstreamReport:
    """Writes the bitstream of the build in folder `build`, and its figures, into folder `output`.

    Raises:
        InputError: no build, none for a board with open tools, or a tool is not installed.
        DoesNotFitError: the design needs more than the device has, or is too slow for its clock.
    """
    if str(ROOT) not in sys.path:
        sys.path.append(str(ROOT))
    # The flow stands beside the package, not in it, and needs tools of the `synth` extra.
    from sim.bitstream import Device, PlacementError, make_bitstream  # noqa: PLC0415
    from sim.sources import read_file_list  # noqa: PLC0415
    from sim.synthesis import SynthesisError  # noqa: PLC0415
    from sim.verilator import MissingToolError  # noqa: PLC0415

    loaded = load_build(build)
    board = load_device(loaded.target).board
    rtl = (build / "rtl").resolve()
    if board is None or f"rtl/{BOARD_LIST}" not in read_manifest(build):
        raise InputError(
            f"{build} is for {loaded.target}, and no open tool makes a bitstream of it; compile "
            "for ulx3s-85f a network that fits its memory, with one core"
        )
    core = [path for path in read_file_list(rtl / FILE_LIST) if path.name != SYSTEM]
    with output_folder(output) as folder:
        progress.step("synthesising, placing and routing: ten minutes")
        try:
            made = make_bitstream(
                [*core, *read_file_list(rtl / BOARD_LIST)],
                TOP,
                black_boxes=[_PLL],
                constraints=(rtl / CONSTRAINTS).read_text(),
                device=Device(
                    size=board.size,
                    package=board.package,
                    speed=board.speed,
                    clock_mhz=board.clock_mhz,
                ),
                folder=folder.path,
            )
        except MissingToolError as error:
            raise InputError(str(error)) from error
        except SynthesisError as error:
            raise InputError(f"{build}: {error}") from error
        except PlacementError as error:
            raise DoesNotFitError(f"{build}: {error}") from error
        report = BitstreamReport(
            model=loaded.model,
            target=loaded.target,
            clock_mhz=board.clock_mhz,
            fmax_mhz=round(made.fmax_mhz, 2),
            lut=made.lut,
            ff=made.ff,
            dsp=made.dsp,
            ram18=made.ram18,
            sha256=made.sha256,
        )
        for path in sorted(folder.path.iterdir()):
            folder.write(path.name, path.read_bytes())
        folder.write("report.json", bitstream_json(report))
    return report
