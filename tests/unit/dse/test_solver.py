# SPDX-License-Identifier: Apache-2.0
"""Explored mappings are legal to the last byte, repeatable, and explained where there is none."""

import random
import re
from dataclasses import replace

import numpy as np
import pytest

from flexcc.backend.image import expected_image, first_difference, initial_image
from flexcc.backend.interpreter import interpret
from flexcc.backend.planner import build_plan
from flexcc.dse import Exploration, Technique, explore, lower
from flexcc.dse.latency import array_cycles
from flexcc.dse.mapping import group_tiling, stage_of
from flexcc.dse.resources import ram_blocks
from flexcc.dse.traffic import stage_traffic
from flexcc.errors import DoesNotFitError, InputError
from flexcc.ir.graph import Graph, Port
from flexcc.ir.layers import Conv2d, Convolution, ConvTranspose2d, Layer, MaxPool2d, Pads
from flexcc.ir.types import Quantization, TensorType
from flexcc.targets import Device, Family, load_device
from tests.networks import evaluate, random_network

SMALL = Device(
    name="small",
    title="A device for tests",
    part="none",
    family=Family.ECP5,
    regions=1,
    clock_mhz=50.0,
    dsp=64,
    bram36=24,
    uram=0,
    lut=1000,
    ff=1000,
    memory="none",
    memory_channels=1,
    memory_bytes=16,
    vitis=None,
    board=None,
    sources={},
)


def _inputs(graph: Graph, seed: int) -> dict[str, np.ndarray]:
    values = np.random.default_rng(seed)
    types = {port.tensor: graph.tensors[port.tensor] for port in graph.inputs}
    return {
        name: values.integers(-128, 128, (t.channels, t.height, t.width)).astype(np.int8)
        for name, t in types.items()
    }


def _run(graph: Graph, exploration: Exploration, seed: int) -> None:
    """The mapping through plan, program and the model of the hardware, compared byte for byte."""
    plan = build_plan(graph, exploration.mapping)
    inputs = _inputs(graph, seed)
    initial = initial_image(plan, inputs)
    actual, counts = interpret(
        plan.accelerator,
        initial,
        program_address=plan.program_address,
        program_beats=(len(initial) - plan.program_address) // plan.accelerator.beat_bytes,
    )
    expected = expected_image(plan, initial, evaluate(graph, inputs))
    assert first_difference(plan, expected, actual) is None
    _check_counts(graph, exploration, counts.load_beats, counts.weight_beats, counts.steps)


def _check_counts(
    graph: Graph, exploration: Exploration, load_beats: int, weight_beats: int, steps: int
) -> None:
    """Traffic and array cycles of the cost model are what the run did."""
    mapping = exploration.mapping
    a = mapping.accelerator
    tilings = [group_tiling(stage_of(graph, group.chain), group, a) for group in mapping.groups]
    traffic = [stage_traffic(t, g.weights) for t, g in zip(tilings, mapping.groups, strict=True)]
    assert [s.traffic for s in exploration.estimate.stages] == traffic
    assert sum(t.activations for t in traffic) == load_beats * a.beat_bytes
    assert sum(t.weights for t in traffic) == weight_beats * a.beat_bytes
    quick = replace(a, q=min(a.m, a.n))
    ideal = sum(
        array_cycles(replace(t, accelerator=quick), tile) for t in tilings for tile in t.tiles()
    )
    drained = sum(array_cycles(t, tile) for t in tilings for tile in t.tiles())
    assert steps <= ideal <= drained
    if quick.drain_cycles == 1:
        assert steps == ideal


@pytest.mark.parametrize("seed", range(12))
def test_explored_mappings_are_legal(seed: int) -> None:
    graph = lower(random_network(random.Random(seed), 3))
    exploration = explore(graph, SMALL)
    assert ram_blocks(exploration.mapping.accelerator) <= 0.8 * SMALL.bram36
    assert exploration.resources.dsp <= SMALL.dsp
    _run(graph, exploration, seed)


@pytest.mark.parametrize("array", [(4, 3, 8), (16, 2, 4), (2, 5, 16), (64, 1, 4)])
@pytest.mark.parametrize("seed", range(3))
def test_given_arrays_are_used(seed: int, array: tuple[int, int, int]) -> None:
    graph = lower(random_network(random.Random(seed), 2))
    exploration = explore(graph, replace(SMALL, dsp=2000, bram36=100), array)
    a = exploration.mapping.accelerator
    assert (a.m, a.p, a.n, a.packed) == (*array, False)
    _run(graph, exploration, seed)


def test_packing_follows_the_device() -> None:
    graph = lower(random_network(random.Random(1), 2))
    u250 = load_device("u250")
    assert explore(graph, u250, (8, 4, 8)).mapping.accelerator.packed
    assert not explore(graph, u250, (8, 4, 4)).mapping.accelerator.packed
    assert not explore(graph, load_device("ulx3s-85f"), (8, 4, 4)).mapping.accelerator.packed


def test_exploration_repeats_itself() -> None:
    graph = lower(random_network(random.Random(5), 3))
    first, second = (explore(graph, load_device("zcu104")) for _ in range(2))
    assert first == second
    assert str(first.mapping) == str(second.mapping)


def test_estimates_add_up() -> None:
    graph = lower(random_network(random.Random(6), 4))
    estimate = explore(graph, SMALL).estimate
    assert sum(stage.cycles for stage in estimate.stages) == estimate.cycles
    assert [stage.name for stage in estimate.stages] == [
        layer.name for layer in graph.layers if isinstance(layer, Convolution)
    ]
    busiest = max(stage.engines.array for stage in estimate.stages)
    assert estimate.cycles > busiest


def _single(co: int, ci: int, size: int, kernel: int, pool: int | None = None) -> Graph:
    quantization = Quantization(scale=0.125, zero_point=0)
    layers: list[Layer] = [
        Conv2d(
            name="layer",
            inputs=("x",),
            output="y",
            weight=np.ones((co, ci, kernel, kernel), np.int8),
            weight_scale=np.full(co, 0.25, np.float32),
            bias=np.zeros(co, np.int32),
            pads=Pads(),
        )
    ]
    out = size - kernel + 1
    tensors = {
        "x": TensorType(channels=ci, height=size, width=size, quantization=quantization),
        "y": TensorType(channels=co, height=out, width=out, quantization=quantization),
    }
    end = "y"
    if pool is not None:
        layers.append(
            MaxPool2d(
                name="pool", inputs=("y",), output="z", kernel=(pool, pool), strides=(pool, pool)
            )
        )
        tensors["z"] = replace(tensors["y"], height=out // pool, width=out // pool)
        end = "z"
    ports = [Port(tensor=t, onnx_name=t, onnx_shape=(1,)) for t in ("x", end)]
    return lower(
        Graph(
            name="g",
            inputs=(ports[0],),
            outputs=(ports[1],),
            tensors=tensors,
            layers=tuple(layers),
        )
    )


@pytest.mark.parametrize(
    ("graph", "array", "resource"),
    [
        (_single(8, 2048, 40, 40), (4, 2, 4), "words of the activation buffer"),
        (_single(64, 4, 20, 1, pool=20), (64, 1, 4), "words of the output buffer"),
    ],
)
def test_what_does_not_fit_is_named(
    graph: Graph, array: tuple[int, int, int], resource: str
) -> None:
    with pytest.raises(DoesNotFitError) as caught:
        explore(graph, replace(SMALL, dsp=500, bram36=100), array)
    found = re.fullmatch(
        r"layer: ([a-z ]+): (\d+) needed, (\d+) available; use more columns \(P\) or [a-z ]+ "
        r"\([NM]\), or a device with more block RAM \(array ([0-9,]+)\)",
        str(caught.value),
    )
    assert found
    assert found[1] == resource
    assert int(found[2]) > int(found[3])
    assert found[4] == ",".join(map(str, array))


@pytest.mark.parametrize(
    ("array", "error", "message"),
    [
        ((3, 2, 4), InputError, "array 3,2,4 cannot be built: M and N are powers of two"),
        ((4, 17, 4), InputError, "array 4,17,4 cannot be built"),
        ((4, 2, 2), InputError, "array 4,2,2 cannot be built"),
        ((4, 2, 32), InputError, "array 4,2,32: N is more than the 16 bytes of a memory port"),
        (
            (4, 4, 4),
            DoesNotFitError,
            "array 4,4,4: multipliers: 81 needed, 64 available on small; choose a smaller array",
        ),
    ],
)
def test_wrong_arrays_are_named(
    array: tuple[int, int, int], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=re.escape(message)):
        explore(_single(4, 4, 4, 1), SMALL, array)


def test_three_rows_of_tiles_where_they_cost_nothing() -> None:
    graph = _single(32, 32, 64, 3)
    exploration = explore(graph, load_device("u250"), (16, 8, 16))
    (group,) = exploration.mapping.groups
    assert -(-62 // group.tile_rows) >= 3
    assert exploration.estimate.cycles < 1.05 * 62 * 8 * 2 * 9 * 2


def _one_layer(conv: Convolution, size: int, output: int) -> Graph:
    """The layer between `x` of `size` and `y` of `output` rows and columns."""
    quantization = Quantization(scale=0.1, zero_point=3)
    tensors = {
        name: TensorType(channels=channels, height=side, width=side, quantization=quantization)
        for name, channels, side in (
            ("x", conv.weight.shape[1], size),
            ("y", conv.weight.shape[0], output),
        )
    }
    ports = {
        name: Port(tensor=name, onnx_name=name, onnx_shape=(1, t.channels, t.height, t.width))
        for name, t in tensors.items()
    }
    return Graph(
        name="g",
        inputs=(ports["x"],),
        outputs=(ports["y"],),
        tensors=tensors,
        layers=(conv,),
    )


def _sparse(kernel: int) -> Conv2d:
    """A convolution of a kernel whose first element alone is not zero."""
    weight = np.zeros((8, 16, kernel, kernel), np.int8)
    weight[:, :, 0, 0] = np.arange(1, 17)
    return Conv2d(
        name="sparse",
        inputs=("x",),
        output="y",
        weight=weight,
        weight_scale=np.full(8, 0.01, np.float32),
        bias=np.arange(8, dtype=np.int32),
    )


def test_zero_taps_cost_nothing_unless_they_are_kept() -> None:
    graph = _one_layer(_sparse(3), 20, 18)
    steps = {}
    for keep in (False, True):
        exploration = explore(graph, load_device("u250"), (8, 4, 8), keep_zeros=keep)
        _run(graph, exploration, 1)
        (stage,) = exploration.estimate.stages
        steps[keep] = stage.engines.array
        assert ("zeros=kept" in str(exploration.mapping)) == keep
    assert steps == {False: 18 * 5 * 2, True: 18 * 5 * 18}


def test_phases_share_passes_unless_each_has_its_own() -> None:
    conv = ConvTranspose2d(
        name="transposed",
        inputs=("x",),
        output="y",
        weight=np.arange(2 * 16 * 4, dtype=np.int8).reshape(2, 16, 2, 2),
        weight_scale=np.full(2, 0.001, np.float32),
        bias=np.zeros(2, np.int32),
        strides=(2, 2),
    )
    graph = _one_layer(conv, 12, 24)
    bundles, steps = [], []
    for without in ((), (Technique.LAYOUT,)):
        exploration = explore(graph, load_device("u250"), (8, 4, 8), without=without)
        _run(graph, exploration, 1)
        bundles.append(exploration.mapping.groups[0].bundle)
        steps.append(exploration.estimate.stages[0].engines.array)
    assert bundles == [4, 1]
    assert steps[1] > steps[0]


def test_large_first_windows_do_not_slow_a_long_layer_down() -> None:
    """Tiles that load less in all must not cost more than a thousandth at the start."""
    conv = Conv2d(
        name="dilated",
        inputs=("x",),
        output="y",
        weight=np.ones((256, 16, 3, 3), np.int8),
        weight_scale=np.full(256, 0.001, np.float32),
        bias=np.zeros(256, np.int32),
        pads=Pads(top=8, left=8, bottom=8, right=8),
        dilations=(8, 8),
    )
    exploration = explore(_one_layer(conv, 64, 64), load_device("u250"), (8, 4, 8))
    products = 256 * 16 * 9 * 64 * 64
    assert exploration.estimate.cycles < 1.0015 * products / 256


def test_the_first_tile_is_as_long_as_its_weights_take() -> None:
    """Small tiles load less, but the first would wait for the weights of the whole layer."""
    conv = ConvTranspose2d(
        name="transposed",
        inputs=("x",),
        output="y",
        weight=np.ones((64, 64, 4, 4), np.int8),
        weight_scale=np.full(64, 0.001, np.float32),
        bias=np.zeros(64, np.int32),
        strides=(4, 4),
    )
    exploration = explore(_one_layer(conv, 64, 256), load_device("u250"), (4, 8, 8))
    products = 64 * 64 * 16 * 64 * 64
    assert exploration.estimate.cycles < 1.0006 * products / 256
