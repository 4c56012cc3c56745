# SPDX-License-Identifier: Apache-2.0
"""A slow, exact model of the accelerator: runs an encoded program on a memory image.

It knows the record formats and the accelerator's parameters, not the plan, so that compiler and
program format are proven against `docs/rtl/microarchitecture.md` without any RTL. Five engines run
as coroutines that share rings, buffer halves and the progress counter; cores share memory and each
other's progress. Which of those that can go on does go on is the `Schedule`'s choice: every
schedule must give the same memory, or a record waits for too little. Buffers start with random
bytes, so that reading what was never written shows.
"""

from collections.abc import Callable, Mapping, Sequence
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from flexcc.accelerator import Accelerator
from flexcc.backend.interpreter.array import compute
from flexcc.backend.interpreter.load import load, load_skip
from flexcc.backend.interpreter.state import (
    Counts,
    Halves,
    HazardError,
    Process,
    State,
    read_bytes,
    require,
)
from flexcc.backend.interpreter.store import store
from flexcc.backend.interpreter.weights import load_weights
from flexcc.program.decode import Decoded, decode, from_bytes
from flexcc.program.formats import CONTROL_END, Engine

__all__ = ["Schedule", "interpret"]


class Schedule(Enum):
    """Which engine goes first when several can: the left one, on the first or the last core."""

    EAGER_LOADS = (Engine.LOAD, Engine.SKIP, Engine.WEIGHTS, Engine.ARRAY, Engine.STORE)
    EAGER_STORES = (Engine.STORE, Engine.ARRAY, Engine.WEIGHTS, Engine.SKIP, Engine.LOAD)


_ENGINES: Mapping[Engine, Callable[[State, Sequence[Decoded]], Process]] = {
    Engine.LOAD: load,
    Engine.SKIP: load_skip,
    Engine.WEIGHTS: load_weights,
    Engine.ARRAY: compute,
    Engine.STORE: store,
}


def _run(states: Sequence[State], processes: Sequence[Process]) -> None:
    """Lets the first process that can go on do so, until all have ended."""

    def ring_words() -> int:
        return sum(state.weights_written + state.weights_released for state in states)

    waiting = list(processes)
    while waiting:
        # A process that waits again may have moved ring words before.
        moved = ring_words()
        for process in waiting:
            outcome = next(process, None)
            if outcome is None:
                waiting.remove(process)
            if outcome is not False:
                break
        else:
            if moved == ring_words():
                raise HazardError(f"deadlock: {len(waiting)} engines wait for each other")


def interpret(
    accelerator: Accelerator,
    memory: NDArray[np.uint8],
    *,
    program_address: int,
    program_beats: int,
    schedule: Schedule = Schedule.EAGER_LOADS,
    seed: int = 1,
) -> tuple[NDArray[np.uint8], Counts]:
    """Memory after the cores have run their programs on a copy of `memory`, and what they did.

    `program_beats` is the length of each core's program; they follow each other. `seed` chooses
    what the buffers hold at first.

    Raises:
        HazardError: a program breaks a rule of the hardware.
        ValueError: its words are no program.
    """
    a = accelerator
    random = np.random.default_rng(seed)
    shared, done = memory.copy(), [0] * a.cores
    states, processes = [], []
    ends: list[Decoded] = []
    for core in range(a.cores):
        state = _new_state(a, core, done, shared, random)
        at = program_address + core * program_beats * a.beat_bytes
        program = read_bytes(state, at, program_beats * a.beat_bytes)
        records = decode(from_bytes(program.tobytes()))
        ends += [record for record in records if record.format is CONTROL_END]
        own = {
            engine: [record for record in records if record.format.engine is engine]
            for engine in _ENGINES
        }
        states.append(state)
        processes.append([_ENGINES[engine](state, own[engine]) for engine in schedule.value])
    order = processes if schedule is Schedule.EAGER_LOADS else processes[::-1]
    _run(states, [process for core in order for process in core])
    for state, end in zip(states, ends, strict=True):
        _check_end(state, end)
    return shared, sum((state.counts for state in states), Counts())


def _new_state(
    a: Accelerator,
    core: int,
    done: list[int],
    memory: NDArray[np.uint8],
    random: np.random.Generator,
) -> State:
    """A core before its run."""

    def garbage(*shape: int) -> NDArray[np.int8]:
        return random.integers(-128, 128, shape, dtype=np.int8)

    return State(
        accelerator=a,
        core=core,
        done=done,
        memory=memory,
        act=Halves(data=garbage(2 * a.act_words, a.p, a.n), words=a.act_words),
        skip=Halves(data=garbage(2 * a.out_words, a.p, a.n), words=a.out_words),
        out=garbage(2 * a.out_words, a.p, a.n),
        weights=garbage(a.weight_words, a.m, a.n),
        params=[()] * a.param_passes,
    )


def _check_end(state: State, end: Decoded) -> None:
    """Nothing is left over."""
    require(state.counts.tiles == end["tiles"], end, "another number of tiles was stored")
    released = (state.weights_released, state.params_released)
    require(released == (state.weights_written, state.params_written), end, "rings not empty")
    halves = (state.act.free, state.skip.free, state.out_free)
    require(halves == (2, 2, 2), end, "a buffer half was never freed")
