# SPDX-License-Identifier: Apache-2.0
"""The host's side of a board: frames on a serial line, memory and registers, runs."""

from flexcc.host.accelerator import BoardError, BoardRun, run_image
from flexcc.host.link import Hello, Link, LinkError, Port
from flexcc.host.serial_port import SerialPort

__all__ = [
    "BoardError",
    "BoardRun",
    "Hello",
    "Link",
    "LinkError",
    "Port",
    "SerialPort",
    "run_image",
]
