# SPDX-License-Identifier: Apache-2.0
"""Slow, stalling and failing memory: the bytes of the reference or an error code, never a hang.

The arrays are those of `test_cores`. Every run has latencies of 1 to 400 cycles, burst by burst,
and pauses on every channel; a watchdog ends what would not.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from flexcc.backend.image import expected_image, first_difference, initial_image
from flexcc.backend.plan import Plan
from flexcc.backend.planner import build_plan
from flexcc.dse.mapping import stage_of
from sim.memory.model import DECERR, SLVERR
from sim.run_program import AcceleratorError, Failure, ProgramRun
from tests.networks import Case, evaluate
from tests.rtl.test_cores import tiled_case
from tests.simulated import run_image, wild_memory

pytestmark = pytest.mark.rtl

_CORES = 2
_WATCHDOG_CYCLES = 1_000_000
_READ, _PROGRAM, _WRITE = 1, 2, 3  # error codes


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Place:
    """Bytes `first` to `last` of memory, and the error code of a core that cannot reach them."""

    first: int
    last: int
    code: int


def _summing(seed: str) -> tuple[Case, Plan, str]:
    """A network for two cores with a tensor that only sums read, as their second one."""
    rng = random.Random(seed)
    while True:
        case = tiled_case(rng, _CORES)
        plan = build_plan(case.graph, case.mapping)
        stages = [stage_of(case.graph, group.chain) for group in case.mapping.groups]
        loaded = {name for stage in stages for name in stage.sources}
        for stage in stages:
            if stage.skip_tensor is not None and stage.skip_tensor not in loaded:
                return case, plan, stage.skip_tensor


def _tensor(plan: Plan, name: str, code: int) -> _Place:
    tensor = plan.tensors[name]
    return _Place(first=tensor.address, last=tensor.address + tensor.layout.size - 1, code=code)


def _places(plan: Plan, second: str, image: NDArray[np.uint8]) -> dict[str, _Place]:
    """What each port of a core reads or writes, and only it."""
    beat = plan.accelerator.beat_bytes
    other_program = plan.program_address + (len(image) - plan.program_address) // _CORES
    stage = plan.stages[0]
    return {
        "activations": _tensor(plan, stage.input, _READ),
        "second tensor": _tensor(plan, second, _READ),
        "weights": _Place(
            first=stage.weights_address, last=stage.weights_address + beat - 1, code=_PROGRAM
        ),
        "program": _Place(first=other_program, last=other_program + beat - 1, code=_PROGRAM),
        "outputs": _tensor(plan, plan.stages[-1].output, _WRITE),
    }


def _run(plan: Plan, image: NDArray[np.uint8], failure: Failure, seed: int) -> ProgramRun:
    memory = wild_memory(seed, failures=(failure,))
    return run_image(plan, image, memory, _WATCHDOG_CYCLES)


def _cases() -> Iterator[object]:
    """Each place with either response, one of them in the quick run."""
    names = ("activations", "second tensor", "weights", "program", "outputs")
    for number, name in enumerate(names):
        for response in (SLVERR, DECERR):
            quick = response == (SLVERR, DECERR)[number % 2]
            marks = [] if quick else [pytest.mark.slow]
            yield pytest.param(name, response, marks=marks)


@pytest.mark.parametrize(("place", "response"), list(_cases()))
def test_every_port_reports_an_error(place: str, response: int, seed: int) -> None:
    case, plan, second = _summing(f"faults {seed}")
    image = initial_image(plan, case.inputs)
    own = _places(plan, second, image)[place]
    failure = Failure(
        first=own.first,
        last=own.last,
        response=response,
        reads=own.code != _WRITE,
        writes=own.code == _WRITE,
    )
    with pytest.raises(AcceleratorError, match=f"error {own.code} ") as caught:
        _run(plan, image, failure, seed)
    ended = caught.value.run.outcome
    if own.code == _PROGRAM:
        # It could wait for ever for what a lost program or lost weights should have brought.
        assert ended.tiles_done < plan.tiles
    else:
        assert ended.tiles_done == plan.tiles, "the run goes on to its end"


def _codes(plan: Plan, failure: Failure) -> set[int]:
    """The errors that a failure may be reported as."""
    if failure.writes:
        return {_WRITE}
    beat = plan.accelerator.beat_bytes
    codes = set()
    if failure.first < plan.weights_bytes or failure.last >= plan.program_address:
        codes.add(_PROGRAM)
    if failure.last + beat > plan.weights_bytes and failure.first < plan.program_address:
        codes.add(_READ)
    return codes


@pytest.mark.parametrize(
    "number", [0, 1, *(pytest.param(n, marks=pytest.mark.slow) for n in range(2, 8))]
)
def test_a_run_with_holes_in_memory_ends(number: int, seed: int) -> None:
    """With the bytes of the reference where it misses them, else with the error of its port."""
    rng = random.Random(f"holes {number} {seed}")
    case = tiled_case(rng, _CORES)
    plan = build_plan(case.graph, case.mapping)
    image = initial_image(plan, case.inputs)
    expected = expected_image(plan, image, evaluate(case.graph, case.inputs))
    for _ in range(3):
        first = rng.randrange(len(image))
        writes = rng.random() < 0.4
        failure = Failure(
            first=first,
            last=min(first + rng.choice([1, 64, 1000]), len(image)) - 1,
            response=rng.choice([SLVERR, DECERR]),
            reads=not writes,
            writes=writes,
        )
        error = 0
        try:
            done = _run(plan, image, failure, rng.randrange(1000))
        except AcceleratorError as ended:
            error = ended.run.outcome.error
        if error:
            assert error in _codes(plan, failure), failure
        else:
            assert first_difference(plan, expected, done.memory[: len(image)]) is None, failure
