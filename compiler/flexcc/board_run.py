# SPDX-License-Identifier: Apache-2.0
"""A board on a serial line as a machine that turns memory images into memory images."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from flexcc.backend.board import on_chip_bytes
from flexcc.build import Build
from flexcc.errors import InputError
from flexcc.host import BoardRun, Link, SerialPort, run_image
from flexcc.host.accelerator import Piece
from flexcc.program.registers import Register
from flexcc.simulation import Image
from flexcc.targets import Board, load_device

__all__ = ["run_on_board"]


def run_on_board(build: Build, images: Sequence[Image], port: Path) -> Iterator[BoardRun]:
    """Runs on each of `images`, which `build.image` made, on the board at the serial device `port`.

    The board must have been loaded with the build's bitstream. Weights and program are sent with
    the first image alone; all memory is fetched after each, so that it shows who changed them.

    Raises:
        BoardError: a run ended with an error, or did not end.
        InputError: the build is for no board with a serial line, the port cannot be used, or the
            board holds another bitstream.
        LinkError: the board does not answer.
    """
    plan = build.plan
    tensors = Piece(first=plan.weights_bytes, end=plan.program_address)
    with SerialPort(port, _board(build).baud) as line:
        link = Link(line)
        link.hello()
        _require_array(build, link.read_register(Register.ARRAY))
        for index, image in enumerate(images):
            everything = Piece(first=0, end=len(image))
            yield run_image(
                link,
                image,
                program_address=plan.program_address,
                program_beats=build.program_beats,
                send=[tensors if index else everything],
                fetch=[everything],
            )


def _board(build: Build) -> Board:
    board = load_device(build.target).board
    if board is None:
        raise InputError(
            f"the build is for {build.target}, which has no serial line; compile for ulx3s-85f, "
            "or run what lies in host/ of the build where the card is"
        )
    size, cores = len(build.empty_image), build.plan.accelerator.cores
    if cores > 1 or on_chip_bytes(size, board) is None:
        raise InputError(
            f"the build has no bitstream: it needs {size} bytes of memory and {cores} cores, the "
            f"board has {board.memory_bytes} bytes and one core; choose a smaller network"
        )
    return board


def _require_array(build: Build, word: int) -> None:
    """`word` is the register ARRAY, as rtl/memory/flex_csr.rdl lays it out."""
    a = build.plan.accelerator
    found = (word & 0xFFF, word >> 20 & 0xFF, word >> 12 & 0xFF)
    if found != (a.m, a.p, a.n):
        raise InputError(
            f"the board holds an array of {found[0]}x{found[1]}x{found[2]}, the build is for "
            f"{a.m}x{a.p}x{a.n}; load its bitstream: make program"
        )
