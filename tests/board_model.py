# SPDX-License-Identifier: Apache-2.0
"""A board in Python at the far end of a pseudo-terminal: frames, memory, registers, runs."""

import os
import tty
from binascii import crc_hqx
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import numpy as np

from flexcc.accelerator import Accelerator
from flexcc.backend.interpreter import interpret
from flexcc.host.link import BEAT_BYTES, MAX_BEATS, REPLY_SYNC, REQUEST_SYNC, VERSION, Command
from flexcc.program.registers import Control, Register, Status

__all__ = ["CYCLES", "BoardModel", "serial_device"]

CYCLES = 5 << 32 | 1234
"""What the board says that a run took."""
_HEAD_BYTES, _CRC_BYTES = 7, 2


class BoardModel:
    """A board with an accelerator.

    Every `lossy`-th of its replies gets lost, unless that is 0. A run spoils the byte at `fault`.
    """

    def __init__(
        self,
        accelerator: Accelerator,
        memory_bytes: int,
        *,
        lossy: int = 0,
        fault: int | None = None,
    ) -> None:
        self._accelerator, self._lossy, self._fault = accelerator, lossy, fault
        self.memory = np.zeros(memory_bytes, np.uint8)
        a = accelerator
        self.registers = {
            Register.STATUS: 0,
            Register.ARRAY: a.m | a.n << 12 | a.p << 20,
            Register.CYCLES_LOW: CYCLES & 0xFFFFFFFF,
            Register.CYCLES_HIGH: CYCLES >> 32,
        }
        self.runs, self.answered = 0, 0
        self._last: bytes = b""

    def answers(self, taken: bytes) -> tuple[bytes, bytes]:
        """Replies to the whole frames in `taken`, and what is left of it."""
        replies = b""
        while (start := taken.find(REQUEST_SYNC)) >= 0:
            body = taken[start + 1 :]
            if len(body) < _HEAD_BYTES:
                return replies, taken[start:]
            data = BEAT_BYTES * body[2] if body[0] in _WRITES else 0
            size = _HEAD_BYTES + data + _CRC_BYTES
            if len(body) < size:
                return replies, taken[start:]
            frame, taken = body[:size], body[size:]
            if crc_hqx(frame, 0xFFFF) == 0:
                self.answered += 1
                reply = self._carry_out(frame[:-_CRC_BYTES])
                if not self._lossy or self.answered % self._lossy:
                    replies += reply
        return replies, b""

    def _carry_out(self, frame: bytes) -> bytes:
        command, number, beats = frame[:3]
        address, data = int.from_bytes(frame[3:7], "little"), frame[7:]
        reply = b""
        repeated, self._last = frame == self._last, frame
        match Command(command):
            case Command.HELLO:
                size = len(self.memory)
                reply = VERSION.to_bytes(2, "little") + bytes([BEAT_BYTES, MAX_BEATS])
                reply += size.to_bytes(4, "little")
            case Command.READ_MEMORY:
                reply = self.memory[address : address + BEAT_BYTES * beats].tobytes()
            case Command.WRITE_MEMORY:
                self.memory[address : address + len(data)] = np.frombuffer(data, np.uint8)
            case Command.READ_REGISTER:
                reply = self.registers.get(Register(address), 0).to_bytes(BEAT_BYTES, "little")
            case Command.WRITE_REGISTER if not repeated:
                self._write(Register(address), int.from_bytes(data[:4], "little"))
        body = bytes([0, number]) + reply
        return REPLY_SYNC + body + crc_hqx(body, 0xFFFF).to_bytes(_CRC_BYTES, "big")

    def _write(self, register: Register, value: int) -> None:
        if register is not Register.CONTROL:
            self.registers[register] = value
        elif value & Control.START:
            self.runs += 1
            self.memory, _ = interpret(
                self._accelerator,
                self.memory,
                program_address=self.registers[Register.PROGRAM_LOW],
                program_beats=self.registers[Register.PROGRAM_BEATS],
            )
            if self._fault is not None:
                self.memory[self._fault] ^= 1
            self.registers[Register.STATUS] = Status.DONE


_WRITES = (Command.WRITE_MEMORY, Command.WRITE_REGISTER)


@contextmanager
def serial_device(board: BoardModel | None) -> Iterator[Path]:
    """A serial device of the system with the board behind it; None for one that is switched off."""
    ours, theirs = os.openpty()
    tty.setraw(theirs)

    def serve() -> None:
        taken = b""
        # Reading fails when the other side has been closed for good.
        while board is not None and (data := _read(ours)):
            replies, taken = board.answers(taken + data)
            os.write(ours, replies)

    thread = Thread(target=serve)
    thread.start()
    try:
        yield Path(os.ttyname(theirs))
    finally:
        os.close(theirs)
        thread.join()
        os.close(ours)


def _read(file: int) -> bytes:
    try:
        return os.read(file, 65536)
    except OSError:
        return b""
