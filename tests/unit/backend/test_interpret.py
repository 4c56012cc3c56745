# SPDX-License-Identifier: Apache-2.0
"""Whole chain without RTL: plan, program, model of the hardware, equal to direct numpy."""

import random
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from flexcc.backend.image import expected_image, first_difference, initial_image, read_tensor
from flexcc.backend.interpreter import Counts, HazardError, Schedule, interpret
from flexcc.backend.plan import Plan
from flexcc.backend.planner import build_plan
from flexcc.backend.program import program_words
from flexcc.dse.mapping import Chain, Group, Mapping, WeightMode, stage_of
from flexcc.ir.graph import Graph, Port
from flexcc.ir.layers import Add, Conv2d, Pads
from flexcc.ir.types import Quantization, TensorType
from flexcc.program.decode import decode
from flexcc.program.encode import to_bytes
from flexcc.program.formats import LOAD_TILE, SKIP_TILE, STORE_TILE
from tests.networks import ACCELERATORS, Case, evaluate, random_case


def _run(case: Case, seed: int) -> tuple[Plan, list[Counts]]:
    """Runs the case in all schedules on memory full of garbage and compares every byte."""
    plan = build_plan(case.graph, case.mapping)
    clean = initial_image(plan, case.inputs)
    tensors = evaluate(case.graph, case.inputs)
    dirty = clean.copy()
    for stage in plan.stages:
        for tensor in (plan.tensors[name] for name in stage.stored):
            region = dirty[tensor.address : tensor.address + tensor.layout.size]
            region[...] = np.random.default_rng(seed).integers(0, 256, len(region))
    counts = []
    for schedule, initial in zip(Schedule, (clean, dirty), strict=True):
        program_bytes = len(initial) - plan.program_address
        actual, count = interpret(
            plan.accelerator,
            initial,
            program_address=plan.program_address,
            program_beats=program_bytes // plan.accelerator.beat_bytes // plan.accelerator.cores,
            schedule=schedule,
            seed=seed,
        )
        difference = first_difference(plan, expected_image(plan, initial, tensors), actual)
        assert difference is None, f"{schedule.name}: {difference}\n{case.mapping}"
        for name in plan.outputs:
            assert np.array_equal(read_tensor(plan, actual, name), tensors[name]), name
        counts.append(count)
    return plan, counts


@pytest.mark.parametrize("shape", range(len(ACCELERATORS)))
@pytest.mark.parametrize("seed", range(25))
def test_single_layers(seed: int, shape: int) -> None:
    rng = random.Random(1000 * shape + seed)
    case = random_case(rng, 1, ACCELERATORS[shape])
    plan, counts = _run(case, seed)
    assert counts[0] == counts[1]
    assert counts[0].tiles == plan.tiles


@pytest.mark.parametrize("shape", range(len(ACCELERATORS)))
@pytest.mark.parametrize("seed", range(8))
def test_networks(seed: int, shape: int) -> None:
    rng = random.Random(f"network {shape} {seed}")
    _run(random_case(rng, rng.randint(2, 5), ACCELERATORS[shape]), seed)


@pytest.mark.parametrize("shape", range(len(ACCELERATORS)))
def test_what_is_pooled_is_stored_too(shape: int) -> None:
    """Networks with a stage that stores two tensors, in several tiles."""
    rng = random.Random(f"kept {shape}")
    found = 0
    while found < 3:
        case = random_case(rng, 3, ACCELERATORS[shape])
        stages = build_plan(case.graph, case.mapping).stages
        if any(stage.kept is not None and len(stage.tiles) > 1 for stage in stages):
            found += 1
            _run(case, found)


@pytest.mark.parametrize("cores", [2, 3, 4])
@pytest.mark.parametrize("seed", range(12))
def test_networks_on_several_cores(seed: int, cores: int) -> None:
    rng = random.Random(f"cores {cores} {seed}")
    case = random_case(rng, rng.randint(1, 5), rng.choice(ACCELERATORS))
    accelerator = replace(case.mapping.accelerator, cores=cores)
    plan, counts = _run(replace(case, mapping=replace(case.mapping, accelerator=accelerator)), seed)
    assert counts[0].tiles == plan.tiles
    for stage in plan.stages:
        assert sorted(tile for own in stage.order for tile in own) == list(range(len(stage.tiles)))


@pytest.mark.parametrize("shape", range(len(ACCELERATORS)))
@pytest.mark.parametrize("seed", range(16))
def test_sums(seed: int, shape: int) -> None:
    rng = random.Random(f"sums {shape} {seed}")
    case = random_case(rng, rng.choice([1, 1, 2, 4]), replace(ACCELERATORS[shape], sums=True))
    plan, counts = _run(case, seed)
    assert counts[0] == counts[1]
    assert any(stage.sum for stage in plan.stages) == case.mapping.accelerator.sums


@pytest.mark.parametrize("kind", ["zeros", "repeats"])
@pytest.mark.parametrize("shape", range(14))
def test_second_tensors_that_are_stored_in_part(shape: int, kind: str) -> None:
    """Loads that add channels of zeros, and such that repeat rows."""
    rng = random.Random(f"second {shape} {kind}")
    accelerator = replace(ACCELERATORS[shape], sums=True)
    found = 0
    while found < 2:
        case = random_case(rng, rng.choice([1, 2, 3]), accelerator)
        stages = [stage_of(case.graph, group.chain) for group in case.mapping.groups]
        seconds = [(stage.second, stage.raw.channels) for stage in stages if stage.second]
        kinds = {
            "zeros": any(second.channels < channels for second, channels in seconds),
            "repeats": any(second.repeats > 1 for second, _ in seconds),
        }
        if kinds[kind]:
            found += 1
            _run(case, found)


@pytest.mark.parametrize("shape", range(len(ACCELERATORS)))
def test_bent_sums(shape: int) -> None:
    """Two slopes behind a sum, in all the forms that the random networks find."""
    rng = random.Random(f"bends {shape}")
    accelerator = replace(ACCELERATORS[shape], sums=True, slopes=True, bends=True)
    found = 0
    while found < 3:
        case = random_case(rng, rng.choice([1, 1, 2, 4]), accelerator)
        if case.mapping.accelerator.bends:
            found += 1
            plan, counts = _run(case, found)
            assert counts[0] == counts[1]
            assert any(stage.bend for stage in plan.stages)


def test_a_bend_needs_a_record() -> None:
    """The model of the hardware refuses a tile whose bend it has not been told."""
    rng = random.Random("bend alone")
    accelerator = replace(ACCELERATORS[0], sums=True, slopes=True, bends=True)
    while True:
        case = random_case(rng, 1, accelerator)
        if case.mapping.accelerator.bends:
            break
    plan = build_plan(case.graph, case.mapping)
    stages = tuple(replace(stage, bend=None) for stage in plan.stages)
    plan = replace(plan, stages=stages)
    initial = initial_image(plan, case.inputs)
    with pytest.raises(HazardError, match="there is no bend of a sum"):
        interpret(
            plan.accelerator,
            initial,
            program_address=plan.program_address,
            program_beats=(len(initial) - plan.program_address) // plan.accelerator.beat_bytes,
        )


def _tiled_pair() -> Case:
    """Two 3x3 convolutions of 12x16 pixels, each in three tiles of four rows."""
    rng = np.random.default_rng(5)
    quantization = Quantization(scale=0.05, zero_point=3)
    tensor = TensorType(channels=8, height=12, width=16, quantization=quantization)
    ports = [Port(tensor=t, onnx_name=t, onnx_shape=(1, 8, 12, 16)) for t in ("x", "z")]
    layers = tuple(
        Conv2d(
            name=name,
            inputs=(source,),
            output=output,
            weight=rng.integers(-128, 128, (8, 8, 3, 3)).astype(np.int8),
            weight_scale=np.full(8, 0.001, np.float32),
            bias=rng.integers(-100, 100, 8).astype(np.int32),
            pads=Pads(top=1, left=1, bottom=1, right=1),
        )
        for name, source, output in (("first", "x", "y"), ("second", "y", "z"))
    )
    graph = Graph(
        name="pair",
        inputs=(ports[0],),
        outputs=(ports[1],),
        tensors=dict.fromkeys("xyz", tensor),
        layers=layers,
    )
    groups = tuple(
        Group(
            chain=Chain(conv=layer.name),
            tile_rows=4,
            tile_cols=16,
            weights=WeightMode.KEEP,
            rotation=(0,),
        )
        for layer in layers
    )
    return Case(
        graph=graph,
        mapping=Mapping(accelerator=ACCELERATORS[0], groups=groups),
        inputs={"x": rng.integers(-128, 128, (8, 12, 16)).astype(np.int8)},
    )


def _interpret(plan: Plan, memory: NDArray[np.uint8], schedule: Schedule) -> NDArray[np.uint8]:
    beats = (len(memory) - plan.program_address) // plan.accelerator.beat_bytes
    address = plan.program_address
    return interpret(
        plan.accelerator,
        memory,
        program_address=address,
        program_beats=beats,
        schedule=schedule,
    )[0]


def _with_program(plan: Plan, image: NDArray[np.uint8], words: list[int]) -> NDArray[np.uint8]:
    result = image.copy()
    result[plan.program_address :] = np.frombuffer(to_bytes(words), np.uint8)
    return result


@pytest.mark.parametrize("tile", [3, 4])
def test_no_wait_is_longer_or_shorter_than_needed(tile: int) -> None:
    """One tile less shows in memory; more tiles than can be stored before are a deadlock."""
    case = _tiled_pair()
    plan = build_plan(case.graph, case.mapping)
    initial = initial_image(plan, case.inputs)
    expected = expected_image(plan, initial, evaluate(case.graph, case.inputs))
    words = program_words(plan)
    loads = [record for record in decode(words) if record.format is LOAD_TILE]
    assert [load["wait_tiles"] for load in loads] == [0, 0, 0, 2, 3, 3]

    words[loads[tile].at + 1] -= 1
    memory = _with_program(plan, initial, words)
    actual = _interpret(plan, memory, Schedule.EAGER_LOADS)
    difference = first_difference(plan, _with_program(plan, expected, words), actual)
    assert difference is not None
    assert (difference.name, difference.kind) == ("z", "element")

    words[loads[tile].at + 1] += 1 + tile
    with pytest.raises(HazardError, match="deadlock"):
        _interpret(plan, _with_program(plan, initial, words), Schedule.EAGER_LOADS)


@pytest.mark.parametrize("tile", [0, 1, 2])
def test_a_sum_waits_for_the_tiles_it_adds(tile: int) -> None:
    """One tile less shows in memory, as above."""
    case = _tiled_pair()
    add = Add(name="s", inputs=("z", "y"), output="sum")
    graph = replace(
        case.graph,
        tensors={**case.graph.tensors, "sum": case.graph.tensors["z"]},
        layers=(*case.graph.layers, add),
        outputs=(replace(case.graph.outputs[0], tensor="sum"),),
    )
    first, second = case.mapping.groups
    groups = (first, replace(second, chain=Chain(conv=second.chain.conv, sum="s")))
    accelerator = replace(case.mapping.accelerator, sums=True)
    plan = build_plan(graph, Mapping(accelerator=accelerator, groups=groups))
    initial = initial_image(plan, case.inputs)
    expected = expected_image(plan, initial, evaluate(graph, case.inputs))
    words = program_words(plan)
    skips = [record for record in decode(words) if record.format is SKIP_TILE]
    assert [skip["wait_tiles"] for skip in skips] == [1, 2, 3]

    words[skips[tile].at + 1] -= 1
    memory = _with_program(plan, initial, words)
    actual = _interpret(plan, memory, Schedule.EAGER_LOADS)
    difference = first_difference(plan, _with_program(plan, expected, words), actual)
    assert difference is not None
    assert (difference.name, difference.kind) == ("sum", "element")


_DECISIVE = {"address", "planes", "phases", "pad_left", "pad_top", "first_pixel"}


@pytest.mark.parametrize("seed", range(60))
def test_a_changed_program_is_noticed(seed: int) -> None:
    """Another value in a field that always matters is an error or shows in memory."""
    rng = random.Random(seed)
    case = _tiled_pair()
    plan = build_plan(case.graph, case.mapping)
    initial = initial_image(plan, case.inputs)
    expected = expected_image(plan, initial, evaluate(case.graph, case.inputs))
    words = program_words(plan)
    record = rng.choice([r for r in decode(words) if r.format in (LOAD_TILE, STORE_TILE)])
    index, low, field = rng.choice(
        [
            (index, sum(f.width * f.count for f in word[:at]), field)
            for index, word in enumerate(record.format.words)
            for at, field in enumerate(word)
            if field.name in _DECISIVE
        ]
    )
    words[record.at + 1 + index] ^= 1 << (low + rng.randrange(min(3, field.width)))
    try:
        actual = _interpret(plan, _with_program(plan, initial, words), Schedule.EAGER_LOADS)
    except (HazardError, ValueError):
        return
    difference = first_difference(plan, _with_program(plan, expected, words), actual)
    assert difference is not None, f"{record} {field.name}"
