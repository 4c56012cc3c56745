# SPDX-License-Identifier: Apache-2.0
"""Random networks whose tensors share memory in more ways than one after the other."""

import random
from collections.abc import Iterator

import numpy as np
import pytest

from flexcc import reference
from flexcc.accelerator import Accelerator
from flexcc.backend.plan import Plan
from flexcc.backend.planner import build_plan
from flexcc.dse.mapping import stage_of
from sim.harness.job import MemoryBehaviour
from tests.networks import Case, case_on
from tests.rtl.test_layer_sweep import SHAPES
from tests.simulated import run_equal

pytestmark = pytest.mark.rtl

_CASES = 2


def _cases(accelerator: Accelerator, seed: str) -> Iterator[Case]:
    """Networks in which something reads a concatenation, or what is pooled is stored, too."""
    rng = random.Random(seed)
    while True:
        case = case_on(rng, 4, accelerator)
        stages = [stage_of(case.graph, group.chain) for group in case.mapping.groups]
        joined = any(len(stage.joined) > 1 for stage in stages)
        kept = any(stage.keeps and stage.output.channels > accelerator.n for stage in stages)
        if joined or kept:
            yield case


def _run(case: Case, plan: Plan, memory: MemoryBehaviour) -> None:
    batched = {name: x[np.newaxis] for name, x in case.inputs.items()}
    tensors = {name: x[0] for name, x in reference.run(case.graph, batched).items()}
    run_equal(plan, case.inputs, tensors, memory)


@pytest.mark.parametrize(
    "shape",
    [
        "8x4x8-packed",
        pytest.param("4x3x16-packed-tables", marks=pytest.mark.slow),
        "32x2x8-packed",
    ],
)
def test_networks_equal_the_reference(shape: str) -> None:
    joined = kept = 0
    cases = _cases(SHAPES[shape], f"tensors {shape}")
    while min(joined, kept) < _CASES:
        case = next(cases)
        plan = build_plan(case.graph, case.mapping)
        joined += bool(plan.joined)
        kept += any(stage.kept is not None for stage in plan.stages)
        for memory in (MemoryBehaviour(), MemoryBehaviour(stall_seed=3, stall_percent=30)):
            _run(case, plan, memory)
