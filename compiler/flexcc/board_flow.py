# SPDX-License-Identifier: Apache-2.0
"""What the open tools must be told of a build for a board, and their refusals as errors."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from flexcc.backend.board import BOARD_LIST, CONSTRAINTS, TOP
from flexcc.backend.rtl import FILE_LIST, SYSTEM
from flexcc.backend.writer import read_manifest
from flexcc.build import Build
from flexcc.errors import DoesNotFitError, InputError, TooSlowError
from flexcc.resources import find_sim
from flexcc.targets import Device, load_device

if TYPE_CHECKING:
    from sim.bitstream import Cells
    from sim.bitstream import Device as NextpnrDevice

__all__ = ["BoardSources", "array_cells", "board_sources", "flow", "nextpnr_device"]

_PLL = "EHXPLLL"
_ARRAY_PATH = "u_vsa.u_array"


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardSources:
    """The files of a board's top in dependency order; `black_boxes` are cells of the part."""

    files: tuple[Path, ...]
    top: str
    black_boxes: tuple[str, ...]
    constraints: str


def board_sources(folder: Path, build: Build) -> BoardSources | None:
    """Those of the build in `folder`; None if it is for no board with open tools."""
    board = load_device(build.target).board
    if board is None or f"rtl/{BOARD_LIST}" not in read_manifest(folder):
        return None
    find_sim()
    from sim.sources import read_file_list  # noqa: PLC0415

    rtl = (folder / "rtl").resolve()
    core = (path for path in read_file_list(rtl / FILE_LIST) if path.name != SYSTEM)
    return BoardSources(
        files=(*core, *read_file_list(rtl / BOARD_LIST)),
        top=TOP,
        black_boxes=(_PLL,),
        constraints=(rtl / CONSTRAINTS).read_text(),
    )


def nextpnr_device(device: Device) -> "NextpnrDevice":
    """The device as the flow for ECP5 wants it; it must be a board's."""
    find_sim()
    from sim.bitstream import CELL_KINDS  # noqa: PLC0415
    from sim.bitstream import Device as NextpnrDevice  # noqa: PLC0415

    board = device.board
    assert board is not None
    return NextpnrDevice(
        size=board.size,
        package=board.package,
        speed=board.speed,
        clock_mhz=board.clock_mhz,
        available={
            CELL_KINDS["lut"]: device.lut,
            CELL_KINDS["ff"]: device.ff,
            CELL_KINDS["dsp"]: device.dsp,
            CELL_KINDS["ram18"]: 2 * device.bram36,
        },
    )


def array_cells(cells: "Cells") -> dict[str, int]:
    """How much of each kind, by the reports' names, the systolic arrays of a netlist are."""
    find_sim()
    from sim.bitstream import CELL_KINDS  # noqa: PLC0415

    array = cells.below(_ARRAY_PATH)
    return {field: array.get(kind, 0) for field, kind in CELL_KINDS.items()}


@contextmanager
def flow(build: Path) -> Iterator[None]:
    """Within it the tools can be imported, and what they refuse becomes an error of the user's.

    Raises:
        InputError: a tool is missing or refuses the sources.
        DoesNotFitError: the design needs more than the device has, or cannot be routed.
        TooSlowError: it is too slow for its clock.
    """
    find_sim()
    from sim.bitstream import PlacementError  # noqa: PLC0415
    from sim.bitstream import TooSlowError as TooSlowPlacementError  # noqa: PLC0415
    from sim.verilator import MissingToolError  # noqa: PLC0415
    from sim.yosys import SynthesisError  # noqa: PLC0415

    try:
        yield
    except MissingToolError as error:
        raise InputError(str(error)) from error
    except SynthesisError as error:
        raise InputError(f"{build}: {error}") from error
    except TooSlowPlacementError as error:
        raise TooSlowError(f"{build}: {error}", fmax_mhz=round(error.fmax_mhz, 2)) from error
    except PlacementError as error:
        raise DoesNotFitError(f"{build}: {error}") from error
