# SPDX-License-Identifier: Apache-2.0
"""The host's side of `rtl/board/flex_link.sv`: requests and replies in frames with a CRC.

A request is `A5 command number beats address(4) data CRC(2)`, its reply `5A status number data
CRC(2)`; numbers are little-endian but for the CRC, data come in beats of 8 bytes. A board drops
what it does not understand, so a reply that fails to come means: ask again, under the same number.
A write that has been carried out is not carried out twice.
"""

import struct
from binascii import crc_hqx
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

from flexcc.errors import FlexccError

__all__ = ["Command", "Hello", "Link", "LinkError", "Port", "Status"]

BEAT_BYTES = 8
MAX_BEATS = 64
VERSION = 1
REQUEST_SYNC, REPLY_SYNC = b"\xa5", b"\x5a"
_CRC_START = 0xFFFF
_FRAME_BYTES = BEAT_BYTES * MAX_BEATS


class Command(IntEnum):
    """What a request asks for."""

    HELLO = 0
    READ_MEMORY = 1
    WRITE_MEMORY = 2
    READ_REGISTER = 3
    WRITE_REGISTER = 4


class Status(IntEnum):
    """How a request went."""

    OKAY = 0
    REFUSED = 1
    BUS_ERROR = 2


class LinkError(FlexccError):
    """The board does not answer, or refuses."""


class Port(Protocol):
    """A serial line, eight bits without parity."""

    def write(self, data: bytes) -> None:
        """Sends all of `data`."""

    def read(self, count: int, timeout_s: float) -> bytes:
        """The next `count` bytes; fewer if they do not come within `timeout_s`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello:
    """What a board tells of itself."""

    version: int
    memory_bytes: int


class Link:
    """A board at the other end of `port`; one request at a time.

    A reply is waited for `timeout_s` seconds beyond the time that its bytes take, `attempts` times.
    `gap_s` is longer than the board waits for the next byte of a frame.
    """

    def __init__(
        self, port: Port, *, timeout_s: float = 0.5, gap_s: float = 0.02, attempts: int = 5
    ) -> None:
        self._port = port
        self._timeout_s, self._gap_s, self._attempts = timeout_s, gap_s, attempts
        self._number = 0
        self.repeated = 0
        """Requests that were sent again."""

    def hello(self) -> Hello:
        """Greets the board, which forgets what was asked before.

        Raises:
            LinkError: no answer, or one of another version of the protocol.
        """
        word = int.from_bytes(self._exchange(Command.HELLO, 0, 1), "little")
        version, memory_bytes = word & 0xFFFF, word >> 32
        if version != VERSION:
            raise LinkError(
                f"the board speaks version {version} of the protocol, this flexcc version "
                f"{VERSION}; load the bitstream of this build"
            )
        return Hello(version=version, memory_bytes=memory_bytes)

    def read_memory(self, address: int, size: int) -> bytes:
        """`size` bytes from byte `address`, whole beats.

        Raises:
            LinkError: no answer, or the memory ends before.
            ValueError: not whole beats.
        """
        pieces = _pieces(address, size)
        return b"".join(self._exchange(Command.READ_MEMORY, at, beats) for at, beats in pieces)

    def write_memory(self, address: int, data: bytes) -> None:
        """Writes `data`, whole beats, from byte `address` on.

        Raises:
            LinkError: no answer, or the memory ends before.
            ValueError: not whole beats.
        """
        for at, beats in _pieces(address, len(data)):
            piece = data[at - address : at - address + beats * BEAT_BYTES]
            self._exchange(Command.WRITE_MEMORY, at, beats, piece)

    def read_register(self, address: int) -> int:
        """The 32 bits of a register of the accelerator; LinkError if there is no answer."""
        return int.from_bytes(self._exchange(Command.READ_REGISTER, address, 1)[:4], "little")

    def write_register(self, address: int, value: int) -> None:
        """Writes 32 bits to a register of the accelerator; LinkError if there is no answer."""
        data = value.to_bytes(BEAT_BYTES, "little")
        self._exchange(Command.WRITE_REGISTER, address, 1, data)

    def _exchange(self, command: Command, address: int, beats: int, data: bytes = b"") -> bytes:
        """Carries out a request; the data of its reply."""
        self._number = (self._number + 1) % 256
        body = struct.pack("<BBBI", command, self._number, beats, address) + data
        frame = REQUEST_SYNC + body + crc_hqx(body, _CRC_START).to_bytes(2, "big")
        returned = 0 if data else beats * BEAT_BYTES
        for attempt in range(self._attempts):
            if attempt:
                self.repeated += 1
                self._fall_silent()
            self._port.write(frame)
            reply = self._reply(returned)
            if reply is None:
                continue
            status, content = reply
            if status is not Status.OKAY:
                raise LinkError(
                    f"{command.name.lower()} of {beats} beats at {address:#x}: the board answers "
                    f"{status.name.lower()}; its memory or registers end before"
                )
            return content
        raise LinkError(
            f"{command.name.lower()} at {address:#x}: no answer after {self._attempts} attempts; "
            "is the board on this port, and loaded with the bitstream of this build?"
        )

    def _reply(self, size: int) -> tuple[Status, bytes] | None:
        """Status and data of the reply to the request under way; None if it is none."""
        read = self._port.read
        for _ in range(_FRAME_BYTES):
            byte = read(1, self._timeout_s)
            if not byte:
                return None
            if byte == REPLY_SYNC:
                break
        head = read(2, self._timeout_s)
        if len(head) < 2 or head[0] not in set(Status) or head[1] != self._number:
            return None
        status = Status(head[0])
        rest = read((size if status is Status.OKAY else 0) + 2, self._timeout_s)
        if crc_hqx(head + rest, _CRC_START) or len(rest) < 2:
            return None
        content = rest[:-2]
        return (status, content) if len(content) == size or status is not Status.OKAY else None

    def _fall_silent(self) -> None:
        """Waits until both sides have given up what was under way."""
        while self._port.read(_FRAME_BYTES, self._gap_s):
            pass


def _pieces(address: int, size: int) -> Iterator[tuple[int, int]]:
    """Addresses and beats of the frames that move `size` bytes; none crosses a page."""
    if address % BEAT_BYTES or size % BEAT_BYTES or address < 0:
        raise ValueError(f"{size} bytes at {address:#x} are no whole beats of {BEAT_BYTES}")
    end = address + size
    while address < end:
        stop = min(end, (address // _FRAME_BYTES + 1) * _FRAME_BYTES)
        yield address, (stop - address) // BEAT_BYTES
        address = stop
