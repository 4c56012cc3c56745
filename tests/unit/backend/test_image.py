# SPDX-License-Identifier: Apache-2.0
"""Plans, memory maps and the naming of differences."""

import random

import numpy as np
import pytest

from flexcc.backend.image import (
    expected_image,
    first_difference,
    initial_image,
    memory_map,
    read_tensor,
)
from flexcc.backend.plan import Plan
from flexcc.backend.planner import build_plan
from flexcc.backend.program import program_words
from flexcc.layout import REGION_BYTES
from flexcc.program.decode import decode, listing
from flexcc.program.formats import CONTROL_END, STORE_TILE
from tests.networks import ACCELERATORS, Case, evaluate, random_case


def _case() -> tuple[Case, Plan]:
    case = random_case(random.Random(11), 3, ACCELERATORS[0])
    return case, build_plan(case.graph, case.mapping)


@pytest.mark.parametrize("shape", range(len(ACCELERATORS)))
def test_regions_are_aligned_and_apart(shape: int) -> None:
    case = random_case(random.Random(shape), 4, ACCELERATORS[shape])
    plan = build_plan(case.graph, case.mapping)
    image = initial_image(plan, case.inputs)
    regions = memory_map(plan, len(image) - plan.program_address)
    assert all(region.address % REGION_BYTES == 0 for region in regions)
    ends = [region.address + region.size for region in regions]
    assert all(end <= after.address for end, after in zip(ends, regions[1:], strict=False))
    assert ends[-1] == len(image)
    assert {region.kind for region in regions} == {"weights", "input", "tensor", "program"}
    stored = [r for r in decode(program_words(plan)) if r.format is STORE_TILE]
    assert sum(not record["part"] for record in stored) == plan.tiles
    assert len(image) % plan.accelerator.beat_bytes == 0


def test_the_same_input_gives_the_same_bytes() -> None:
    first, second = (initial_image(plan, case.inputs) for case, plan in (_case(), _case()))
    assert np.array_equal(first, second)


def test_outputs_come_back() -> None:
    case, plan = _case()
    tensors = evaluate(case.graph, case.inputs)
    image = expected_image(plan, initial_image(plan, case.inputs), tensors)
    for name in plan.tensors:
        assert np.array_equal(read_tensor(plan, image, name), tensors[name])


def test_differences_are_named() -> None:
    case, plan = _case()
    expected = expected_image(
        plan, initial_image(plan, case.inputs), evaluate(case.graph, case.inputs)
    )
    assert first_difference(plan, expected, expected.copy()) is None
    tensor = plan.tensors[plan.stages[0].output]
    layout = tensor.layout
    place = (layout.channels - 1, layout.height - 1, layout.width - 1)

    actual = expected.copy()
    actual[0] ^= 1
    found = first_difference(plan, expected, actual)
    assert found is not None
    assert (found.name, found.kind, found.address, found.channel) == ("weights", "weights", 0, None)

    # A dead lane or padding comes before weights, and an element before those.
    offsets = [offset for offset in range(layout.size) if layout.locate(offset) is None]
    actual[tensor.address + offsets[0]] ^= 1
    found = first_difference(plan, expected, actual)
    assert found is not None
    assert (found.name, found.kind, found.row) == (tensor.name, "padding", None)

    element = tensor.address + layout.offset(*place)
    actual[element] ^= 0x80
    found = first_difference(plan, expected, actual)
    assert found is not None
    assert (found.name, found.kind, found.address) == (tensor.name, "element", element)
    assert (found.channel, found.row, found.column) == place
    assert abs(found.expected - found.actual) == 128
    assert str(found) == (
        f"{tensor.name}, element at channel {place[0]}, row {place[1]}, column {place[2]} "
        f"(byte {element}): expected {found.expected}, found {found.actual}"
    )

    actual = expected.copy()
    actual[plan.program_address] ^= 1
    found = first_difference(plan, expected, actual)
    assert found is not None
    assert found.kind == "program"
    with pytest.raises(ValueError, match="bytes"):
        first_difference(plan, expected, actual[:-1])


def test_dead_lanes_are_compared() -> None:
    rng = random.Random(1)
    while True:
        case = random_case(rng, 1, ACCELERATORS[0])
        plan = build_plan(case.graph, case.mapping)
        tensor = plan.tensors[plan.stages[0].output]
        if tensor.type.channels % 8:
            break
    expected = expected_image(
        plan, initial_image(plan, case.inputs), evaluate(case.graph, case.inputs)
    )
    actual = expected.copy()
    actual[tensor.address + tensor.layout.offset(tensor.type.channels, 0, 0)] ^= 1
    found = first_difference(plan, expected, actual)
    assert found is not None
    assert (found.kind, found.channel) == ("dead lane", tensor.type.channels)


def test_wrong_inputs_are_refused() -> None:
    case, plan = _case()
    with pytest.raises(ValueError, match=r"inputs \['y'\] given, \['x'\] expected"):
        initial_image(plan, {"y": case.inputs["x"]})
    with pytest.raises(ValueError, match="int8"):
        initial_image(plan, {"x": case.inputs["x"][1:]})


def test_plan_and_program_print() -> None:
    _, plan = _case()
    text = str(plan)
    assert text.startswith(f"plan random: {len(plan.stages)} stages, {plan.tiles} tiles\n")
    for name in plan.tensors:
        assert f" {name} at {plan.tensors[name].address}, " in text
    records = decode(program_words(plan))
    assert records[-1].format is CONTROL_END
    assert listing(records).count("store_tile") == plan.tiles
