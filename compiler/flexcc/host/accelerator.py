# SPDX-License-Identifier: Apache-2.0
"""Runs on a board: memory images in, memory images out, as in simulation."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flexcc.errors import FlexccError, InputError
from flexcc.host.link import Link
from flexcc.program.registers import Control, IrqEnable, IrqStatus, Register, Status

__all__ = ["BoardError", "BoardRun", "Piece", "run_image"]

Image = NDArray[np.uint8]
_ERROR_TEXTS = {
    1: "an activation was read beyond the memory",
    2: "program or weights were read beyond the memory",
    3: "an output was written beyond the memory",
    4: "the program is not understood",
}


class BoardError(FlexccError):
    """The accelerator stopped with an error, or did not stop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Bytes `first` to `end` of the memory, which are sent before a run or fetched after it."""

    first: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BoardRun:
    """The memory after a run, where it was fetched, and the cycles that the board counted."""

    memory: Image
    cycles: int


def run_image(
    link: Link,
    image: Image,
    *,
    program_address: int,
    program_beats: int,
    send: Sequence[Piece],
    fetch: Sequence[Piece],
    timeout_s: float = 60.0,
    clock: Callable[[], float] = time.monotonic,
) -> BoardRun:
    """Sends the pieces `send` of `image`, runs the program, fetches the pieces `fetch`.

    Raises:
        BoardError: the run ended with an error, or not within `timeout_s`.
        InputError: the image is larger than the board's memory.
        LinkError: the board does not answer.
    """
    greeting = link.hello()
    if len(image) > greeting.memory_bytes:
        raise InputError(
            f"the build needs {len(image)} bytes of memory, the board has "
            f"{greeting.memory_bytes}; load the bitstream of this build"
        )
    for piece in send:
        link.write_memory(piece.first, image[piece.first : piece.end].tobytes())
    values = {
        Register.BASE_LOW: 0,
        Register.BASE_HIGH: 0,
        Register.PROGRAM_LOW: program_address,
        Register.PROGRAM_HIGH: 0,
        Register.PROGRAM_BEATS: program_beats,
        # The interrupt lights the board's lamp; writing 1 clears that of the run before.
        Register.IRQ_ENABLE: IrqEnable.DONE,
        Register.IRQ_STATUS: IrqStatus.DONE,
        Register.CONTROL: Control.START,
    }
    for register, value in values.items():
        link.write_register(register, value)
    end = clock() + timeout_s
    while (status := link.read_register(Register.STATUS)) & Status.BUSY:
        if clock() > end:
            tiles = link.read_register(Register.TILES_DONE)
            raise BoardError(f"the board is not done after {timeout_s:g} s; {tiles} tiles are")
    if status & Status.ERROR:
        code = link.read_register(Register.ERROR)
        text = _ERROR_TEXTS.get(code, "unknown")
        raise BoardError(f"the board stopped with error {code}: {text}")
    memory = image.copy()
    for piece in fetch:
        data = link.read_memory(piece.first, piece.end - piece.first)
        memory[piece.first : piece.end] = np.frombuffer(data, np.uint8)
    cycles = link.read_register(Register.CYCLES_HIGH) << 32 | link.read_register(
        Register.CYCLES_LOW
    )
    return BoardRun(memory=memory, cycles=cycles)
