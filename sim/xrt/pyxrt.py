# SPDX-License-Identifier: Apache-2.0
"""A stand-in for the part of pyxrt that hosts use, with a card that executes programs.

Every buffer has a host side and a device side, and only `sync` copies. A run executes the program
in the device side of its buffers. To show that frames overlap, it begins only when `ahead` more
runs have been started, or all, and the outputs of the run before it have been fetched.
"""

import threading
from collections import deque
from enum import Enum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from flexcc.backend.interpreter import HazardError, interpret
from flexcc.build import Build

__all__ = [
    "bo",
    "device",
    "ert_cmd_state",
    "insert_card",
    "kernel",
    "remove_card",
    "run",
    "xclBOSyncDirection",
]

Bytes = NDArray[np.uint8]
_PATIENCE_S = 10.0


class xclBOSyncDirection(Enum):  # noqa: N801
    """Which way a sync copies."""

    XCL_BO_SYNC_BO_TO_DEVICE = 0
    XCL_BO_SYNC_BO_FROM_DEVICE = 1


class ert_cmd_state(Enum):  # noqa: N801
    """How a run stands."""

    ERT_CMD_STATE_NEW = 1
    ERT_CMD_STATE_RUNNING = 3
    ERT_CMD_STATE_COMPLETED = 4
    ERT_CMD_STATE_ERROR = 5
    ERT_CMD_STATE_TIMEOUT = 8


class _Card:
    """One thread that executes runs in the order of their starts."""

    def __init__(self, build: Build, ahead: int, frames: int, groups: tuple[int, ...]) -> None:
        self.build, self.ahead, self.frames, self.groups = build, ahead, frames, groups
        self.changed = threading.Condition()
        self.queue: deque[run] = deque()
        self.started = self.done = 0
        self.problems: list[str] = []
        self.last: tuple[bo, int] | None = None
        self.closed = False
        self.thread = threading.Thread(target=self.work, daemon=True)
        self.thread.start()

    def work(self) -> None:
        while True:
            with self.changed:
                self.changed.wait_for(lambda: self.queue or self.closed)
                if not self.queue:
                    return
                run_ = self.queue.popleft()
                overlaps = self.changed.wait_for(self._may_begin, _PATIENCE_S)
                if not overlaps:
                    self.problems.append(f"run {self.done} waits for the next ones")
                tensors = run_.buffers[2]
                before = tensors.host.copy()
            good = overlaps and self._execute(run_)
            with self.changed:
                if not np.array_equal(tensors.host, before):
                    self.problems.append(f"the host writes into frame {self.done} under way")
                    good = False
                self.last = tensors, tensors.fetches
                state = ert_cmd_state
                run_.outcome = state.ERT_CMD_STATE_COMPLETED if good else state.ERT_CMD_STATE_ERROR
                self.done += 1
                self.changed.notify_all()

    def _may_begin(self) -> bool:
        fetched = self.last is None or self.ahead == 0 or self.last[0].fetches > self.last[1]
        return self.closed or (
            self.started >= min(self.done + 1 + self.ahead, self.frames) and fetched
        )

    def _execute(self, run_: "run") -> bool:
        plan, a = self.build.plan, self.build.plan.accelerator
        count = 5 if a.sums else 4
        if sorted(run_.buffers) != list(range(count)):
            self.problems.append(f"buffers {sorted(run_.buffers)} are set")
            return False
        constant, tensors = run_.buffers[0], run_.buffers[2]
        if run_.buffers[1] is not constant or any(
            run_.buffers[port] is not tensors for port in range(3, count)
        ):
            self.problems.append("the ports are not of two buffers")
            return False
        image = constant.card.copy()
        for part in plan.variable:
            image[part] = tensors.card[part]
        try:
            after, _ = interpret(
                a,
                image,
                program_address=run_.scalars[count] * a.beat_bytes,
                program_beats=run_.scalars[count + 1],
            )
        except (HazardError, ValueError, KeyError) as error:
            self.problems.append(f"the program fails: {error}")
            return False
        for part in plan.variable:
            tensors.card[part] = after[part]
        return True


_cards: list[_Card] = []


def insert_card(build: Build, *, ahead: int, frames: int, groups: tuple[int, ...] = ()) -> None:
    """Makes device 0 a card with the kernel of `build`.

    It expects `frames` runs. `groups` are the memories of the kernel's ports, by default one for
    weights and one for tensors.
    """
    ports = 5 if build.plan.accelerator.sums else 4
    _cards.append(_Card(build, ahead, frames, groups or (1, 1, *[0] * (ports - 2))))


def remove_card() -> list[str]:
    """Takes the card out; what was wrong with what the host did."""
    card = _cards.pop()
    with card.changed:
        card.closed = True
        card.changed.notify_all()
    card.thread.join()
    return card.problems


class device:  # noqa: N801
    """A card."""

    def __init__(self, index: int) -> None:
        if index != 0 or not _cards:
            raise RuntimeError(f"no device {index}")

    def load_xclbin(self, name: str) -> bytes:
        """What stands for the identity of the file."""
        return Path(name).read_bytes()


class kernel:  # noqa: N801
    """The kernel of the card."""

    def __init__(self, _device: device, _uuid: bytes, name: str) -> None:
        if name != "flex_kernel":
            raise RuntimeError(f"no kernel {name}")

    def group_id(self, argument: int) -> int:
        """The memory that an argument's port is connected to."""
        return _cards[-1].groups[argument]


class bo:  # noqa: N801
    """A buffer; what was never written holds anything."""

    normal = 0

    def __init__(self, _device: device, size: int, flags: int, group: int) -> None:
        if flags != self.normal or group not in _cards[-1].groups:
            raise RuntimeError(f"no memory {group}")
        self.host: Bytes = np.full(size, 0xA5, np.uint8)
        self.card: Bytes = np.full(size, 0x5A, np.uint8)
        self.fetches = 0

    def write(self, content: Bytes, seek: int) -> None:
        """Writes the host side from byte `seek` on."""
        self.host[seek : seek + len(content)] = content

    def map(self) -> memoryview:
        """The host side."""
        return self.host.data

    def sync(self, direction: xclBOSyncDirection, size: int, offset: int) -> None:
        """Copies `size` bytes from `offset` on."""
        if offset < 0 or offset + size > len(self.host):
            raise RuntimeError("sync beyond the end of a buffer")
        part = slice(offset, offset + size)
        with _cards[-1].changed:
            if direction is xclBOSyncDirection.XCL_BO_SYNC_BO_TO_DEVICE:
                self.card[part] = self.host[part]
            else:
                self.host[part] = self.card[part]
                self.fetches += 1
            _cards[-1].changed.notify_all()


class run:  # noqa: N801
    """One execution after the other of a kernel on the same arguments."""

    def __init__(self, _kernel: kernel) -> None:
        self.buffers: dict[int, bo] = {}
        self.scalars: dict[int, int] = {}
        self.outcome = ert_cmd_state.ERT_CMD_STATE_NEW

    def set_arg(self, index: int, argument: bo | int) -> None:
        """Sets a buffer, or a number of 32 bits."""
        if isinstance(argument, bo):
            self.buffers[index] = argument
        elif -(1 << 31) <= argument < 1 << 31:
            self.scalars[index] = argument
        else:
            raise TypeError(f"{argument} has more than 32 bits")

    def start(self) -> None:
        """Queues an execution."""
        card = _cards[-1]
        with card.changed:
            if self.outcome is ert_cmd_state.ERT_CMD_STATE_RUNNING:
                raise RuntimeError("a run is started twice")
            self.outcome = ert_cmd_state.ERT_CMD_STATE_RUNNING
            card.queue.append(self)
            card.started += 1
            card.changed.notify_all()

    def wait(self, timeout_ms: int) -> ert_cmd_state:
        """The state once it has ended, or when the time is over; 0 is no limit."""
        card = _cards[-1]
        with card.changed:
            ended = card.changed.wait_for(
                lambda: self.outcome is not ert_cmd_state.ERT_CMD_STATE_RUNNING,
                timeout_ms / 1000 or None,
            )
        return self.outcome if ended else ert_cmd_state.ERT_CMD_STATE_TIMEOUT
