# SPDX-License-Identifier: Apache-2.0
"""A serial device of the system as a `Port`, by pyserial."""

from pathlib import Path
from types import TracebackType

from flexcc.errors import InputError
from flexcc.host.link import LinkError

__all__ = ["SerialPort"]

# Longer than any frame takes: who waits longer writes to a device that takes nothing.
_WRITE_TIMEOUT_S = 10.0


class SerialPort:
    """The device `path` at `baud` bits a second, eight bits, no parity, no flow control.

    Raises:
        InputError: pyserial is not installed, or the device cannot be opened or has no such speed.
    """

    def __init__(self, path: Path, baud: int) -> None:
        try:
            import serial  # noqa: PLC0415
        except ImportError as error:
            raise InputError(
                "a board's serial line needs the package pyserial; install it with: "
                "pip install 'flexcc[board]'"
            ) from error
        self._path = path
        self._failure = serial.SerialException
        try:
            # Two programs at once would read each other's replies.
            self._line = serial.Serial(
                str(path), baud, write_timeout=_WRITE_TIMEOUT_S, exclusive=True
            )
            self._line.reset_input_buffer()
        except (OSError, ValueError) as error:
            raise InputError(
                f"{path} cannot be opened at {baud} baud: {error}; name the board's serial port "
                "with --port, and make sure that you may use it and nothing else does"
            ) from error

    def write(self, data: bytes) -> None:
        """Sends all of `data`.

        Raises:
            LinkError: the device is gone, or takes no bytes.
        """
        try:
            self._line.write(data)
        except self._failure as error:
            raise self._gone(error) from error

    def read(self, count: int, timeout_s: float) -> bytes:
        """The next `count` bytes; fewer if nothing comes for `timeout_s`.

        Raises:
            LinkError: the device is gone.
        """
        data = b""
        try:
            self._line.timeout = timeout_s
            while len(data) < count:
                there = max(1, min(count - len(data), self._line.in_waiting))
                piece = self._line.read(there)
                if not piece:
                    break
                data += piece
        except (self._failure, OSError) as error:
            raise self._gone(error) from error
        return data

    def close(self) -> None:
        """Gives the device back."""
        self._line.close()

    def _gone(self, error: Exception) -> LinkError:
        return LinkError(f"{self._path} does not answer any more: {error}; plug the board in again")

    def __enter__(self) -> "SerialPort":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
