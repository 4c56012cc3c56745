# SPDX-License-Identifier: Apache-2.0
"""What a core's engines share in the model of the accelerator, and how records are read."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields

import numpy as np
from numpy.typing import NDArray

from flexcc.accelerator import Accelerator
from flexcc.backend.lanes import (
    Channel,
)
from flexcc.program.decode import Decoded, Fields

__all__ = [
    "Counts",
    "Halves",
    "HazardError",
    "IntArray",
    "Process",
    "State",
    "int_of",
    "ints_of",
    "read_bytes",
    "require",
]

IntArray = NDArray[np.int64]

Process = Iterator[bool]
"""An engine: yields True after some work, False while it waits; ends with its records."""


class HazardError(Exception):
    """The program breaks a rule of the hardware: a buffer overrun, a deadlock, a lost half."""


@dataclass(slots=True, kw_only=True)
class Counts:
    """What a run did: array steps, memory beats by reader, tiles stored, pixels stored."""

    steps: int = 0
    load_beats: int = 0
    weight_beats: int = 0
    tiles: int = 0
    stored_pixels: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        names = (f.name for f in fields(Counts))
        return Counts(**{name: getattr(self, name) + getattr(other, name) for name in names})


@dataclass(slots=True, kw_only=True)
class Halves:
    """A buffer that a load engine fills: two halves of `words` words in each of P banks."""

    data: NDArray[np.int8]
    words: int
    full: int = 0
    free: int = 2


@dataclass(slots=True, kw_only=True)
class State:
    """Everything a core's engines share. Rings are numbered without end; halves are counted.

    `done` holds the stored tiles of all cores, this one being `core`.
    """

    accelerator: Accelerator
    core: int
    done: list[int]
    memory: NDArray[np.uint8]
    act: Halves
    skip: Halves
    out: NDArray[np.int8]
    weights: NDArray[np.int8]
    params: list[Sequence[Channel]]
    counts: Counts = field(default_factory=Counts)
    weights_written: int = 0
    weights_released: int = 0
    table: IntArray | None = None
    params_written: int = 0
    params_released: int = 0
    out_full: int = 0
    out_free: int = 2


def require(holds: bool, record: Decoded, what: str) -> None:
    """Raises HazardError, with the record's place and `what`, unless a rule holds."""
    if not holds:
        raise HazardError(f"word {record.at}, {record.format.name}: {what}")


def ints_of(fields: Fields, name: str) -> tuple[int, ...]:
    """The numbers of a field, one or more."""
    value = fields[name]
    return value if isinstance(value, tuple) else (value,)


def int_of(fields: Fields, name: str) -> int:
    """The number of a field that is one."""
    (value,) = ints_of(fields, name)
    return value


def read_bytes(state: State, address: int, size: int) -> NDArray[np.uint8]:
    """Bytes of memory from the beginning of a beat on.

    Raises:
        HazardError: there are none.
    """
    if address % state.accelerator.beat_bytes or not 0 <= address <= len(state.memory) - size:
        raise HazardError(f"read of {size} bytes at {address}: misaligned or outside memory")
    return state.memory[address : address + size]
