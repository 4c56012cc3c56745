# SPDX-License-Identifier: Apache-2.0
"""What `run_program` and the bench inside the simulator tell each other, through a folder.

`image.bin` is the memory at the start, `patches.bin` the bytes of all patches, `job.json` a Job;
the bench answers with `outcome_N.json`, an Outcome, and `memory_N.bin` for each run N.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path
from typing import Any

IMAGE, PATCHES, JOB = "image.bin", "patches.bin", "job.json"
JOB_FOLDER_VARIABLE = "FLEXCC_JOB"
# Memory ports of each core of flex_sim_top by their number.
PORTS = ("act", "wgt", "out", "skip")
# Behind those of all cores: what on-chip memory gives and takes.
ON_CHIP = "on_chip"


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Accesses to bytes `first` to `last` of the image, inclusive, answer with `response`."""

    first: int
    last: int
    response: int
    reads: bool = True
    writes: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryBehaviour:
    """The simulated memory.

    `latency_cycles` holds for reads and writes; with `latency_most` every burst takes a number of
    cycles of its own between the two. With `stall_seed`, every channel pauses at random:
    in each cycle at work with `stall_percent` chance, for 1 to `stall_longest` cycles; and bursts
    of different IDs overtake each other. `beats_per_1000_cycles` bounds what all ports move
    together in each of `channels`, in which pages of 4 KB lie in turn.
    """

    latency_cycles: int = 100
    latency_most: int | None = None
    stall_seed: int | None = None
    stall_percent: int = 20
    stall_longest: int = 8
    beats_per_1000_cycles: int | None = None
    channels: int = 1
    failures: tuple[Failure, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Patch:
    """`size` bytes of `patches.bin` from `source` on, to be written at byte `offset`."""

    offset: int
    source: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """Waveforms of the first run's cycles `first` to `last`, from its start on, in FST `file`."""

    file: str
    first: int
    last: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Runs of one program; before each, its patches are written into the memory."""

    base: int
    program_offset: int
    program_beats: int
    watchdog_cycles: int
    cores: int
    on_chip: bool
    memory: MemoryBehaviour
    runs: tuple[tuple[Patch, ...], ...]
    trace: Trace | None = None

    def write(self, folder: Path) -> None:
        """Writes `job.json` into `folder`."""
        (folder / JOB).write_text(json.dumps(asdict(self)))

    @staticmethod
    def read(folder: Path) -> "Job":
        """Reads what `write` wrote."""
        raw: dict[str, Any] = json.loads((folder / JOB).read_text())
        memory = raw["memory"]
        memory["failures"] = tuple(Failure(**failure) for failure in memory["failures"])
        raw["memory"] = MemoryBehaviour(**memory)
        raw["runs"] = tuple(tuple(Patch(**patch) for patch in run) for run in raw["runs"])
        if raw["trace"] is not None:
            raw["trace"] = Trace(**raw["trace"])
        return Job(**raw)


class Ending(Enum):
    """How a run ended."""

    DONE = "done"
    ERROR = "error"
    TIMEOUT = "timeout"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a run ended and the counters then.

    `cycles`, from start to done, and `engines`, `{engine: {counter: cycles}}`, are the
    accelerator's own; `ports`, `{port: {quantity: number}}`, are the memory's
    since its reset, those of all cores together, and on-chip memory's if there is some.
    """

    ending: Ending
    error: int
    tiles_done: int
    cycles: int
    engines: Mapping[str, Mapping[str, int]]
    ports: Mapping[str, Mapping[str, int]]

    def write(self, folder: Path, run: int) -> None:
        """Writes `outcome_N.json` of run N into `folder`."""
        raw = asdict(self) | {"ending": self.ending.value}
        (folder / f"outcome_{run}.json").write_text(json.dumps(raw))

    @staticmethod
    def read(folder: Path, run: int) -> "Outcome | None":
        """Reads what `write` wrote; None when the run has none."""
        path = folder / f"outcome_{run}.json"
        if not path.is_file():
            return None
        raw: dict[str, Any] = json.loads(path.read_text())
        return Outcome(**raw | {"ending": Ending(raw["ending"])})


def memory_file(folder: Path, run: int) -> Path:
    """Where the memory after run N is."""
    return folder / f"memory_{run}.bin"
