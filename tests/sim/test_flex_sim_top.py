# SPDX-License-Identifier: Apache-2.0
"""`run_program` on the whole accelerator: how runs end, and what comes back.

One build for all tests: the smallest of the arrays that `tests.networks` maps random layers to.
"""

import random
import re
import struct
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from flexcc.backend.image import expected_image, first_difference, initial_image
from flexcc.backend.plan import Plan
from flexcc.backend.planner import build_plan
from flexcc.backend.rtl import rtl_parameters
from flexcc.measured import total_cycles
from flexcc.program.encode import record, to_bytes
from flexcc.program.formats import CONTROL_END
from sim.bus.clock import CLOCK_PERIOD_NS
from sim.memory.model import DECERR, SLVERR
from sim.run_program import (
    AcceleratorError,
    Bytes,
    Failure,
    MemoryBehaviour,
    MissingToolError,
    ProgramRun,
    ProgramTimeoutError,
    SimulationError,
    Trace,
    run_program,
)
from tests.networks import ACCELERATORS, Case, evaluate, random_case
from tests.simulated import steps_of

Image = NDArray[np.uint8]

BEHAVIOURS = [
    MemoryBehaviour(),
    MemoryBehaviour(latency_cycles=1),
    MemoryBehaviour(stall_seed=1),
    MemoryBehaviour(stall_seed=2, stall_percent=40, stall_longest=12, latency_cycles=7),
    MemoryBehaviour(beats_per_1000_cycles=300, latency_cycles=20),
]


def one_layer() -> tuple[Case, Plan, Image, Image]:
    """A random layer on the accelerator of these tests: its plan, memory before and after."""
    case = random_case(random.Random("one layer"), 1, ACCELERATORS[0])
    plan = build_plan(case.graph, case.mapping)
    image = initial_image(plan, case.inputs)
    return case, plan, image, expected_image(plan, image, evaluate(case.graph, case.inputs))


CASE, PLAN, IMAGE, EXPECTED = one_layer()
PARAMETERS = rtl_parameters(PLAN.accelerator)
BEAT_BYTES = PARAMETERS["DataBytes"]
PROGRAM_BEATS = (len(IMAGE) - PLAN.program_address) // BEAT_BYTES


def run(
    image: Bytes | Path, program_offset: int, program_beats: int, **options: object
) -> list[ProgramRun]:
    arguments = {"watchdog_cycles": 1_000_000, "timeout_s": 300.0} | options
    return run_program(
        PARAMETERS,
        image,
        program_offset=program_offset,
        program_beats=program_beats,
        **arguments,  # type: ignore[arg-type]
    )


def program_alone(words: list[int], seed: int) -> Image:
    """Two pages of random bytes, the second starting with a program of one beat."""
    image = np.random.default_rng(seed).integers(0, 256, 8192, dtype=np.uint8)
    program = to_bytes(words)
    assert len(program) <= BEAT_BYTES
    image[4096 : 4096 + len(program)] = np.frombuffer(program, np.uint8)
    return image


def empty_program(seed: int, tiles: int = 0) -> Image:
    return program_alone(record(CONTROL_END, tiles=tiles), seed)


@pytest.mark.parametrize("behaviour", BEHAVIOURS)
def test_layer_leaves_the_expected_memory(behaviour: MemoryBehaviour, seed: int) -> None:
    [done] = run(IMAGE, PLAN.program_address, PROGRAM_BEATS, memory=behaviour, seed=seed)
    assert first_difference(PLAN, EXPECTED, done.memory) is None
    outcome = done.outcome
    assert outcome.tiles_done == PLAN.tiles
    assert outcome.cycles > behaviour.latency_cycles
    assert outcome.ports["wgt"]["read_beats"] >= PROGRAM_BEATS
    assert outcome.ports["act"]["read_beats"] > 0
    assert outcome.ports["out"]["write_beats"] > 0
    assert all(outcome.engines[engine]["busy"] > 0 for engine in ("load", "weights", "array"))
    assert all(sum(counts.values()) <= outcome.cycles for counts in outcome.engines.values())


@pytest.mark.parametrize("behaviour", BEHAVIOURS)
def test_every_cycle_of_the_array_has_a_name(behaviour: MemoryBehaviour, seed: int) -> None:
    """Over several runs, each with its own account; the accelerator's counters agree with it."""
    seen: list[int] = []
    runs = run(
        IMAGE, PLAN.program_address, PROGRAM_BEATS, memory=behaviour, seed=seed,
        inputs=[{}, {}], watch=seen.append,
    )  # fmt: skip
    for done in runs:
        account, counts = done.account, done.outcome.engines["array"]
        assert account is not None
        assert account.cycles == done.outcome.cycles
        assert len(account.tiles) == PLAN.tiles
        total = total_cycles(account.tiles)
        assert total.steps == sum(map(steps_of, PLAN.stages))
        assert counts["busy"] == total.steps
        assert counts["starved"] == total.window + total.weights + total.parameters
        assert counts["blocked"] == total.output + total.drain
        assert account.end.total == account.end.end > behaviour.latency_cycles
    assert seen == sorted(seen)
    assert all(tiles <= 2 * PLAN.tiles for tiles in seen)


def test_runs_follow_each_other_in_the_same_memory(seed: int, tmp_path: Path) -> None:
    image = empty_program(seed)
    path = tmp_path / "given.bin"
    image.tofile(path)
    piece = np.frombuffer(b"defg", np.uint8)
    runs = run(path, 4096, 1, inputs=[{0: b"abc", 8191: b"z"}, {2: piece}, {}])
    expected = image.copy()
    expected[[0, 1, 2, 8191]] = list(b"abcz")
    assert (runs[0].memory == expected).all()
    expected[2:6] = piece
    assert (runs[1].memory == expected).all()
    assert (runs[2].memory == expected).all()
    assert (np.fromfile(path, np.uint8) == image).all()


@pytest.mark.slow
def test_waveforms_hold_the_cycles_asked_for(seed: int, tmp_path: Path) -> None:
    """The header of an FST file tells its first and last time, here in picoseconds."""
    file = tmp_path / "waves.fst"
    trace = Trace(file=str(file), first=40, last=100)
    [done] = run(IMAGE, PLAN.program_address, PROGRAM_BEATS, trace=trace, seed=seed)
    assert first_difference(PLAN, EXPECTED, done.memory) is None
    assert done.outcome.cycles > 100
    _, begin, end = struct.unpack(">QQQ", file.read_bytes()[1:25])
    period = CLOCK_PERIOD_NS * 1000
    assert abs((end - begin) / period - 60) <= 1
    beyond = Trace(file=str(file), first=0, last=10 * done.outcome.cycles)
    run(IMAGE, PLAN.program_address, PROGRAM_BEATS, trace=beyond, seed=seed)
    _, begin, end = struct.unpack(">QQQ", file.read_bytes()[1:25])
    assert abs((end - begin) / period - done.outcome.cycles) < 50
    with pytest.raises(SimulationError, match="/no/w"):
        run(IMAGE, PLAN.program_address, PROGRAM_BEATS, trace=Trace(file="/no/w", first=0, last=9))


def test_same_seed_takes_the_same_cycles(seed: int) -> None:
    behaviour = MemoryBehaviour(stall_seed=seed)
    cycles = [
        run(IMAGE, PLAN.program_address, PROGRAM_BEATS, memory=memory, seed=seed)[0].outcome.cycles
        for memory in (behaviour, behaviour, MemoryBehaviour(stall_seed=seed + 1))
    ]
    assert cycles[0] == cycles[1] != cycles[2]


def test_unfinished_program_ends_with_the_counters(seed: int) -> None:
    with pytest.raises(ProgramTimeoutError, match="run 0: not done") as caught:
        run(empty_program(seed, tiles=1), 4096, 1, watchdog_cycles=3000)
    outcome = caught.value.run.outcome
    assert outcome.tiles_done == 0
    assert outcome.cycles >= 3000
    assert outcome.ports["wgt"]["read_beats"] == 1
    assert "wgt: cycles" in str(caught.value)
    assert caught.value.number == 0


def test_unknown_record_is_an_error_of_the_program(seed: int) -> None:
    image = program_alone([2**64 - 1, *record(CONTROL_END, tiles=0)], seed)
    with pytest.raises(AcceleratorError, match="error 4") as caught:
        run(image, 4096, 1)
    assert caught.value.run.outcome.error == 4


@pytest.mark.parametrize(
    ("first", "error", "reads"),
    [
        ("header", 2, True),
        ("weights", 2, True),
        ("program", 2, True),
        ("input", 1, True),
        ("output", 3, False),
    ],
)
def test_memory_error_is_reported(first: str, error: int, reads: bool, seed: int) -> None:
    stage = PLAN.stages[0]
    input_plan = PLAN.tensors[stage.input]
    address, size = {
        "header": (stage.weights_address, BEAT_BYTES),
        "program": (PLAN.program_address, BEAT_BYTES),
        "weights": (stage.weights_address + stage.images[0].size - BEAT_BYTES, BEAT_BYTES),
        # All of it: which of its rows a layer reads depends on its kernel and pads.
        "input": (input_plan.address, input_plan.layout.size),
        "output": (PLAN.tensors[stage.output].address, BEAT_BYTES),
    }[first]
    failure = Failure(
        first=address,
        last=address + size - 1,
        response=SLVERR if reads else DECERR,
        reads=reads,
        writes=not reads,
    )
    with pytest.raises(AcceleratorError, match=f"error {error} ") as caught:
        run(
            IMAGE,
            PLAN.program_address,
            PROGRAM_BEATS,
            memory=MemoryBehaviour(failures=(failure,)),
            seed=seed,
        )
    if error != 2:
        # With a wrong program or wrong weights it ends at once: it could wait for ever.
        assert caught.value.run.outcome.tiles_done == PLAN.tiles, "the run goes on to its end"


def test_memory_that_is_too_short_is_reported(seed: int) -> None:
    with pytest.raises(AcceleratorError, match="error 2 "):
        run(empty_program(seed), 4096, 4096 // BEAT_BYTES + 1)


def test_inputs_outside_the_image_are_refused(seed: int) -> None:
    with pytest.raises(ValueError, match="input 1: 2 bytes at 8191 lie outside of 8192"):
        run(empty_program(seed), 4096, 1, inputs=[{}, {8191: b"ab"}])


def test_program_outside_the_image_is_refused(seed: int) -> None:
    with pytest.raises(ValueError, match="the program at 8192 lies outside of 8192 bytes"):
        run(empty_program(seed), 8192, 1)


def test_simulator_that_dies_is_told_apart(seed: int) -> None:
    with pytest.raises(SimulationError, match=r"no end after 0\.05 s"):
        run(empty_program(seed), 4096, 1, timeout_s=0.05)


def test_missing_extra_is_explained(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sim.runner", None)
    with pytest.raises(MissingToolError, match=re.escape("pip install 'flexcc[sim]'")):
        run(empty_program(seed), 4096, 1)
