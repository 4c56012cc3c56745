# SPDX-License-Identifier: Apache-2.0
"""One program on the simulated RTL and on the HLS kernel: memory is the same, byte for byte.

No reference stands between them, so memory may hold what no compiler writes: random values in
inputs, dead lanes, padding and where tensors are stored later.
"""

from dataclasses import replace

import numpy as np
import pytest

from flexcc.backend.image import first_difference, initial_image
from flexcc.csimulation import kernel
from sim.run_program import MemoryBehaviour
from tests.rtl.test_layer_sweep import SHAPES, _sweep
from tests.simulated import run_image

pytestmark = pytest.mark.rtl

_LAYERS = 10


@pytest.mark.parametrize(
    ("shape", "sums"),
    [
        pytest.param("8x4x8-packed", False, marks=pytest.mark.slow),
        ("8x4x8-packed", True),
        pytest.param("16x5x4-slopes-window1", False, marks=pytest.mark.slow),
        pytest.param("8x7x16-packed-slopes-tables", True, marks=pytest.mark.slow),
    ],
)
def test_both_leave_the_same_memory(seed: int, shape: str, sums: bool) -> None:
    sweep = _sweep(replace(SHAPES[shape], sums=sums), _LAYERS, f"both {shape} {sums}")
    plan = sweep.plan
    image = initial_image(plan, sweep.inputs)
    random = np.random.default_rng(seed)
    for tensor in plan.tensors.values():
        region = image[tensor.address : tensor.address + tensor.layout.size]
        region[:] = random.integers(0, 256, len(region), np.uint8)
    memory = MemoryBehaviour(stall_seed=5, stall_percent=20)
    rtl = run_image(plan, image, memory).memory[: len(image)]
    beats = (len(image) - plan.program_address) // plan.accelerator.beat_bytes
    hls = kernel(plan.accelerator).run(image, plan.program_address, beats)
    difference = first_difference(plan, rtl, hls)
    assert difference is None, str(difference)
    stored = [name for stage in plan.stages for name in stage.stored]
    assert stored
    for name in stored:
        tensor = plan.tensors[name]
        place = slice(tensor.address, tensor.address + tensor.layout.size)
        assert (image[place] != rtl[place]).any(), f"{name} is as it was"
