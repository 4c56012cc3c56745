# SPDX-License-Identifier: Apache-2.0
"""The HLS kernel in C simulation against the reference: the layer sweeps of the RTL, every byte."""

import random
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from flexcc import reference
from flexcc.backend.hls import hls_files, hls_view
from flexcc.backend.image import expected_image, first_difference, initial_image
from flexcc.backend.plan import Plan
from flexcc.backend.planner import build_plan
from flexcc.csimulation import Kernel, check_simulable, compile_library, kernel
from flexcc.errors import InputError, MismatchError
from flexcc.program.decode import decode
from tests.networks import ACCELERATORS, case_on
from tests.rtl.test_layer_sweep import (
    _LAYERS,
    _MOST_LAYERS,
    BEND_SHAPES,
    SHAPES,
    SUM_SHAPES,
    Sweep,
    _sweep,
)

_QUICK = (
    "8x4x8-packed",
    "16x5x4-slopes-window1",
    "8x4x8-packed-window9",
    "4x3x16-packed-slopes-tables-wide",
)
_QUICK_SUMS = ("8x4x8-packed",)


def _shapes(shapes: Any, quick: tuple[str, ...]) -> list[Any]:
    return [
        pytest.param(shape, marks=[] if shape in quick else [pytest.mark.slow]) for shape in shapes
    ]


def _image(sweep: Sweep) -> tuple[NDArray[np.uint8], int]:
    """Memory before the run, and the beats of the program."""
    image = initial_image(sweep.plan, sweep.inputs)
    program_bytes = len(image) - sweep.plan.program_address
    return image, program_bytes // sweep.plan.accelerator.beat_bytes


def _require_equal(sweep: Sweep, simulated: Kernel | None = None) -> None:
    image, beats = _image(sweep)
    simulated = simulated or kernel(sweep.plan.accelerator)
    batched = {name: x[np.newaxis] for name, x in sweep.inputs.items()}
    tensors = {name: x[0] for name, x in reference.run(sweep.graph, batched).items()}
    after = simulated.run(image, sweep.plan.program_address, beats)
    expected = expected_image(sweep.plan, image, tensors)
    difference = first_difference(sweep.plan, expected, after)
    assert difference is None, str(difference)
    # Nothing of a run is left behind in the next one.
    assert (simulated.run(image, sweep.plan.program_address, beats) == after).all()


@pytest.mark.parametrize("shape", _shapes(SHAPES, _QUICK))
def test_layers_equal_the_reference(shape: str) -> None:
    _require_equal(_sweep(SHAPES[shape], _LAYERS, f"sweep {shape}"))


@pytest.mark.parametrize("shape", _shapes(SUM_SHAPES, _QUICK_SUMS))
def test_sums_equal_the_reference(shape: str) -> None:
    _require_equal(_sweep(replace(SHAPES[shape], sums=True), 60, f"sums {shape}"))


@pytest.mark.parametrize("shape", BEND_SHAPES)
def test_bent_sums_equal_the_reference(shape: str) -> None:
    accelerator = replace(SHAPES[shape], sums=True, slopes=True, bends=True)
    sweep = _sweep(accelerator, 60, f"bends {shape}")
    assert sweep.counts["sum bent"] >= 3
    _require_equal(sweep)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("shape", SHAPES)
def test_many_layers_equal_the_reference(shape: str, seed: int) -> None:
    _require_equal(_sweep(SHAPES[shape], _MOST_LAYERS, f"long sweep {shape} {seed}"))


def test_memory_may_be_plain_pointers() -> None:
    sweep = _sweep(SHAPES["8x4x8-packed"], _LAYERS, "pointers")
    view = hls_view(sweep.plan.accelerator, version="", model="a program", target="none")
    source = Path(__file__).parent / "pointers.cpp"
    files = {**hls_files(view), source.name: source.read_bytes()}
    _require_equal(sweep, Kernel(compile_library(files, source.name)))


@pytest.mark.slow
@pytest.mark.parametrize("shape", range(len(ACCELERATORS)))
def test_random_networks_equal_the_reference(shape: int) -> None:
    """Chains of layers, whose tiles wait for each other, on shapes of every kind."""
    rng = random.Random(f"hls {shape}")
    for _ in range(12):
        case = case_on(rng, rng.choice([1, 2, 3]), ACCELERATORS[shape])
        plan = build_plan(case.graph, case.mapping)
        _require_equal(
            Sweep(graph=case.graph, plan=plan, inputs=dict(case.inputs), counts=Counter())
        )


def _change(plan: Plan, image: NDArray[np.uint8], name: str, word: int, value: int) -> None:
    """Adds `value` to a word of the first record of a format, in memory."""
    program = image[plan.program_address :].view("<u8")
    records = decode([int(bits) for bits in program])
    at = next(record.at for record in records if record.format.name == name)
    program[at + word] += np.uint64(value)


def test_a_deadlock_says_who_waits_for_what() -> None:
    """A load that waits for more tiles than there are never ends."""
    sweep = _sweep(SHAPES["8x4x8-packed"], 3, "deadlock")
    image, beats = _image(sweep)
    _change(sweep.plan, image, "load_tile", 1, 10_000)
    simulated = kernel(sweep.plan.accelerator)
    with pytest.raises(MismatchError, match="deadlock") as raised:
        simulated.run(image, sweep.plan.program_address, beats)
    assert "load waits to read from load_progress, which is empty" in str(raised.value)
    assert "array waits" in str(raised.value)


def test_a_read_outside_memory_is_noticed() -> None:
    sweep = _sweep(SHAPES["8x4x8-packed"], 3, "outside")
    image, beats = _image(sweep)
    _change(sweep.plan, image, "weights_fetch", 1, len(image))
    with pytest.raises(MismatchError, match="weight_load: a request outside memory"):
        kernel(sweep.plan.accelerator).run(image, sweep.plan.program_address, beats)


def test_an_unaligned_plane_is_noticed() -> None:
    sweep = _sweep(SHAPES["8x4x8-packed"], 3, "unaligned")
    image, beats = _image(sweep)
    _change(sweep.plan, image, "load_tile", 7, 8)
    with pytest.raises(MismatchError, match="load: a plane begins within a beat"):
        kernel(sweep.plan.accelerator).run(image, sweep.plan.program_address, beats)


def test_several_cores_are_refused() -> None:
    with pytest.raises(InputError, match="the HLS kernel has one core, the design 2"):
        check_simulable(replace(ACCELERATORS[0], cores=2))
