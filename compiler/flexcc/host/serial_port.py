# SPDX-License-Identifier: Apache-2.0
"""A serial device of the system as a `Port`; needs nothing beside Python on Linux."""

import os
import select
import termios
from pathlib import Path
from types import TracebackType

from flexcc.errors import InputError

__all__ = ["SerialPort"]

_SPEED, _READ_CHUNK = 4, 4096


class SerialPort:
    """The device `path` at `baud` bits a second, eight bits, no parity, no flow control.

    Raises:
        InputError: it cannot be opened, or has no such speed.
    """

    def __init__(self, path: Path, baud: int) -> None:
        speed = getattr(termios, f"B{baud}", None)
        if speed is None:
            raise InputError(f"{path}: the system has no speed of {baud} baud; choose another")
        try:
            self._file = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        except OSError as error:
            raise InputError(
                f"{path} cannot be opened: {error.strerror}; name the board's serial port with "
                "--port, and make sure that you may use it"
            ) from error
        try:
            settings = termios.tcgetattr(self._file)
            mode = termios.CS8 | termios.CREAD | termios.CLOCAL
            settings[:_SPEED] = [0, 0, mode, 0]
            settings[_SPEED : _SPEED + 2] = [speed, speed]
            termios.tcsetattr(self._file, termios.TCSANOW, settings)
            termios.tcflush(self._file, termios.TCIOFLUSH)
        except termios.error as error:
            os.close(self._file)
            raise InputError(f"{path} is no serial port: {error.args[-1]}") from error

    def write(self, data: bytes) -> None:
        """Sends all of `data`."""
        while data:
            select.select([], [self._file], [])
            data = data[os.write(self._file, data) :]

    def read(self, count: int, timeout_s: float) -> bytes:
        """The next `count` bytes; fewer if nothing comes for `timeout_s`."""
        data = b""
        while len(data) < count:
            ready, _, _ = select.select([self._file], [], [], timeout_s)
            if not ready:
                break
            piece = os.read(self._file, min(count - len(data), _READ_CHUNK))
            if not piece:
                break
            data += piece
        return data

    def close(self) -> None:
        """Gives the device back, once what was written has gone out."""
        termios.tcdrain(self._file)
        os.close(self._file)

    def __enter__(self) -> "SerialPort":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
