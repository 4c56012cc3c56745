# SPDX-License-Identifier: Apache-2.0
"""What a build for a board with open tools adds to its rtl/: the board's top, pins and sources."""

from flexcc.accelerator import Accelerator
from flexcc.backend.render import render
from flexcc.backend.rtl import system_parameters
from flexcc.backend.views import BoardView
from flexcc.resources import RTL, SIM
from flexcc.targets import Board

__all__ = ["BOARD_LIST", "CONSTRAINTS", "TOP", "board_files", "board_view", "on_chip_bytes"]

TOP = "flex_ulx3s"
BOARD_LIST = "flex_board.f"
CONSTRAINTS = "flex_ulx3s.lpf"
_PLL = "EHXPLLL.sv"
_LEAST_BYTES = 16384


def on_chip_bytes(image_bytes: int, board: Board) -> int | None:
    """The memory that holds an image: the next power of two; None if the board has no such."""
    size = max(_LEAST_BYTES, 1 << (image_bytes - 1).bit_length())
    return size if size <= board.memory_bytes else None


def board_view(
    accelerator: Accelerator,
    board: Board,
    memory_bytes: int,
    *,
    version: str,
    model: str,
    target: str,
) -> BoardView:
    """What the board's top needs to know."""
    pll = board.pll
    return BoardView(
        version=version,
        model=model,
        target=target,
        clock_mhz=board.clock_mhz,
        pll_input_divider=pll.input_divider,
        pll_feedback_divider=pll.feedback,
        pll_output_divider=pll.output,
        pll_phase=pll.output - 1,
        parameters=tuple(
            (name, literal)
            for name, literal in system_parameters(accelerator)
            # All memory of a board is on the chip, and it has one core.
            if name.strip() not in ("Cores", "OnChipBytes", "OnChipPages")
        ),
        memory_bytes=memory_bytes,
        clocks_per_bit=board.clocks_per_bit,
        gap_cycles=board.gap_cycles,
    )


def board_files(view: BoardView) -> dict[str, bytes]:
    """Name, relative to rtl/, and content of every file; BOARD_LIST names the sources in order."""
    file_list = (RTL / BOARD_LIST).read_text()
    lines = [line.split("//")[0].strip() for line in file_list.splitlines()]
    sources = [line for line in lines if line]
    pll = f"board/{_PLL}"
    return {
        **{name: (RTL / name).read_bytes() for name in sources},
        pll: (SIM / "ecp5" / _PLL).read_bytes(),
        f"{TOP}.sv": render(f"rtl/{TOP}.sv.j2", view).encode(),
        CONSTRAINTS: (RTL / "board" / CONSTRAINTS).read_bytes(),
        BOARD_LIST: f"{file_list.rstrip()}\n{pll}\n{TOP}.sv\n".encode(),
    }
