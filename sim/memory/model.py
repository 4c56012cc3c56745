# SPDX-License-Identifier: Apache-2.0
"""The bench's side of `flex_sim_axi_memory`: contents, behaviour of the ports, errors.

The memory lives in the simulator's own process, which also runs the bench, so its contents are a
numpy array and no simulated time passes when they are read or written.
"""

import ctypes
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
import numpy.typing as npt

SLVERR, DECERR = 2, 3
_NO_CHANNEL = 0xFFFFFFFF


class Sampling(IntEnum):
    """When a read looks at the contents; AXI leaves it open between its address and its beat."""

    AT_ADDRESS = 0
    AT_BEAT = 1
    RANDOM = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """Back-pressure on one channel of a port.

    In each cycle at work a pause starts with `percent` chance; it lasts 1 to `longest` cycles.
    """

    percent: int = 0
    longest: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.percent <= 99 or self.longest < 1:
            raise ValueError(f"a pause has a chance of 0 to 99 % and lasts a cycle or more: {self}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """Behaviour of one memory port, from its next reset on.

    Latencies are in cycles: from an address to its first beat, from the last beat to the response;
    every burst takes 0 to `latency_spread` cycles more, at random.
    `reads` and `writes` are the bursts outstanding at most. `reorder_percent` is the chance, per
    beat or response, that another ID's burst goes first. Ports with the same `channel` share its
    bandwidth (`Memory.limit`); with several `channels`, from that one on, pages of 4 KB lie in them
    in turn.
    """

    seed: int = 0
    read_latency: int = 1
    write_latency: int = 1
    latency_spread: int = 0
    reads: int = 64
    writes: int = 64
    reorder_percent: int = 0
    sampling: Sampling = Sampling.RANDOM
    channel: int | None = None
    channels: int = 1
    ar: Pause = Pause()
    r: Pause = Pause()
    aw: Pause = Pause()
    w: Pause = Pause()
    b: Pause = Pause()

    def __post_init__(self) -> None:
        least = (self.read_latency, self.write_latency, self.reads, self.writes, self.channels)
        if min(least) < 1:
            raise ValueError(f"latencies, bursts outstanding and channels are at least 1: {self}")
        if self.latency_spread < 0:
            raise ValueError(f"a burst takes its latency or more: {self}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """What has passed through one port since its last reset."""

    cycles: int
    read_bursts: int
    read_beats: int
    write_bursts: int
    write_beats: int


class Memory:
    """The store that all `flex_sim_axi_memory` instances of the running simulator share."""

    def __init__(self) -> None:
        self._library = ctypes.CDLL(None)
        try:
            self._library.flex_sim_memory_map.restype = ctypes.c_void_p
        except AttributeError as error:
            raise RuntimeError(
                "this simulator contains no flex_sim_axi_memory, or this is no simulator"
            ) from error

    def map(self, base: int, size: int) -> npt.NDArray[np.uint8]:
        """Replaces the memory by `size` zero bytes at address `base`; returns them as an array.

        The array is the memory itself: what is written into it is there for the design at once.
        It must not be used after the next `map`. Every other address answers with DECERR.
        """
        address = self._library.flex_sim_memory_map(ctypes.c_uint64(base), ctypes.c_uint64(size))
        if address is None:
            raise MemoryError(f"cannot allocate {size} bytes")
        buffer = (ctypes.c_uint8 * size).from_address(address)
        return np.ctypeslib.as_array(buffer)

    def configure(self, number: int, port: Port) -> None:
        """Sets the behaviour of port `number`; takes effect at its next reset."""
        self._library.flex_sim_memory_configure(
            ctypes.c_uint32(number), ctypes.byref(_to_struct(port))
        )

    def limit(self, channel: int, beats_per_1000_cycles: int) -> None:
        """Bounds the beats, read and written together, that the ports of `channel` may move."""
        if not 0 < beats_per_1000_cycles <= 2**31:
            raise ValueError(f"a channel needs some bandwidth, not {beats_per_1000_cycles}")
        self._library.flex_sim_memory_limit(
            ctypes.c_uint32(channel), ctypes.c_uint32(beats_per_1000_cycles)
        )

    def fail(
        self, first: int, last: int, response: int, *, reads: bool = True, writes: bool = True
    ) -> None:
        """Makes accesses to addresses `first` to `last`, inclusive, answer with `response`.

        A failing read yields random data, a failing write changes nothing.
        """
        self._library.flex_sim_memory_fail(
            ctypes.c_uint64(first),
            ctypes.c_uint64(last),
            ctypes.c_uint32(response),
            ctypes.c_uint32(reads),
            ctypes.c_uint32(writes),
        )

    def clear_failures(self) -> None:
        """Ends all failures that `fail` set."""
        self._library.flex_sim_memory_clear_failures()

    def statistics(self, number: int) -> Statistics:
        """What has passed through port `number` since its last reset."""
        raw = _StatisticsStruct()
        self._library.flex_sim_memory_statistics(ctypes.c_uint32(number), ctypes.byref(raw))
        return Statistics(**{name: int(getattr(raw, name)) for name in _STATISTICS})


# The layouts of flex_sim_axi_memory.cpp.


class _PauseStruct(ctypes.Structure):
    _fields_ = (("percent", ctypes.c_uint32), ("longest", ctypes.c_uint32))


class _PortStruct(ctypes.Structure):
    _fields_ = (
        ("seed", ctypes.c_uint64),
        ("read_latency", ctypes.c_uint32),
        ("write_latency", ctypes.c_uint32),
        ("latency_spread", ctypes.c_uint32),
        ("reads", ctypes.c_uint32),
        ("writes", ctypes.c_uint32),
        ("reorder_percent", ctypes.c_uint32),
        ("sampling", ctypes.c_uint32),
        ("channel", ctypes.c_uint32),
        ("channels", ctypes.c_uint32),
        ("ar", _PauseStruct),
        ("r", _PauseStruct),
        ("aw", _PauseStruct),
        ("w", _PauseStruct),
        ("b", _PauseStruct),
    )


_STATISTICS = ("cycles", "read_bursts", "read_beats", "write_bursts", "write_beats")


class _StatisticsStruct(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_uint64) for name in _STATISTICS)


def _to_struct(port: Port) -> _PortStruct:
    values: dict[str, Any] = {}
    for name, _ in _PortStruct._fields_:
        value = getattr(port, name)
        if isinstance(value, Pause):
            value = _PauseStruct(percent=value.percent, longest=value.longest)
        values[name] = value
    values["channel"] = _NO_CHANNEL if port.channel is None else port.channel
    return _PortStruct(**values)
