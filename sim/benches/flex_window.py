# SPDX-License-Identifier: Apache-2.0
"""Bench of flex_window: random depthwise layers in tiles against numpy, plain tiles, rate."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import ClockCycles

from sim.bus.clock import reset, start_clock
from sim.bus.stream import (
    Pauses,
    StreamMonitor,
    StreamSink,
    StreamSource,
    bursty,
    mostly_paused,
    never,
)
from sim.window_tiles import (
    WindowLayer,
    WindowShape,
    WindowTile,
    plain_tile,
    random_layer,
    random_window_tiles,
    window_tile,
)

SHAPE = WindowShape.from_environment()


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A layer's record, or None where the one before still holds, and tiles."""

    layer: WindowLayer | None
    tiles: Sequence[WindowTile]


async def _command(dut: Any, work: Sequence[Work], pauses: Callable[[], Pauses]) -> None:
    """Sends records and tiles in the order of a program."""
    params = StreamSource(dut, "param", pauses())
    tiles = StreamSource(dut, "tile", pauses())
    for item in work:
        if item.layer is not None:
            await params.send(item.layer.words())
        await tiles.send([tile.bits() for tile in item.tiles])


async def _run(
    dut: Any,
    work: Sequence[Work],
    pauses: Callable[[], Pauses] = never,
    in_pauses: Callable[[], Pauses] = never,
    out_pauses: Callable[[], Pauses] = never,
) -> StreamMonitor:
    """Runs `work` and compares every pixel that counts; returns what watched the output."""
    tiles = [tile for item in work for tile in item.tiles]
    expected = [beat for tile in tiles for beat in tile.output]
    source = StreamSource(dut, "in", in_pauses())
    sink = StreamSink(dut, "out", out_pauses())
    dut.param_valid_i.value = 0
    dut.tile_valid_i.value = 0
    start_clock(dut)
    await reset(dut)
    monitor = StreamMonitor(dut, "out")
    cocotb.start_soon(_command(dut, work, pauses))
    cocotb.start_soon(source.send([beat for tile in tiles for beat in tile.beats]))
    got = await sink.receive(len(expected))
    for number, (beat, (pixels, counts)) in enumerate(zip(got, expected, strict=True)):
        data = np.frombuffer(beat.to_bytes(SHAPE.beat_bytes, "little"), np.int8)
        there = data.reshape(pixels.shape)[counts]
        assert np.array_equal(there, pixels[counts]), f"beat {number} of {len(expected)}"
    # Nothing more may come.
    await ClockCycles(dut.clk_i, 60)
    assert dut.out_valid_o.value == 0
    return monitor


def _random_work(layers: int) -> list[Work]:
    work = []
    for _ in range(layers):
        planes = random.randint(1, min(3, SHAPE.channels // SHAPE.pixel_bytes))
        layer = random_layer(SHAPE, planes)
        work.append(Work(layer=layer, tiles=random_window_tiles(SHAPE, layer)))
        if random.random() < 0.5:
            sizes = (random.randint(1, 3), random.randint(1, 5), random.randint(1, 4))
            work.append(Work(layer=None, tiles=[plain_tile(SHAPE, *sizes)]))
        if random.random() < 0.3:
            # A plain tile changes nothing for the layer.
            work.append(Work(layer=None, tiles=random_window_tiles(SHAPE, layer)))
    return work


@cocotb.test(timeout_time=2, timeout_unit="ms")
@cocotb.parametrize(
    pauses=[never, bursty],
    in_pauses=[never, bursty, mostly_paused],
    out_pauses=[never, mostly_paused],
)
async def equals_numpy(
    dut: Any,
    pauses: Callable[[], Pauses],
    in_pauses: Callable[[], Pauses],
    out_pauses: Callable[[], Pauses],
) -> None:
    await _run(dut, _random_work(20), pauses, in_pauses, out_pauses)


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def keeps_a_beat_per_cycle(dut: Any) -> None:
    """Planes longer than the fill of a bank follow each other without a bubble."""
    beats = min(4, SHAPE.line_beats)
    rows = -(-(SHAPE.pixel_bytes + 24) // beats)
    layer = random_layer(SHAPE, 2)
    while layer.stride == 2 or layer.kernel != (min(3, SHAPE.taps), min(3, SHAPE.taps)):
        layer = random_layer(SHAPE, 2)
    generator = np.random.default_rng(random.getrandbits(64))
    image = generator.integers(
        -128, 128, (len(layer.weight), rows, beats * SHAPE.beat_pixels), dtype=np.int8
    )
    layer = WindowLayer(
        weight=layer.weight,
        stride=1,
        pads=(0, 0, 0, 0),
        rule=layer.rule,
        pad_value=layer.pad_value,
        image=image,
    )
    height, width = layer.output().shape[1:]
    tile = window_tile(SHAPE, layer, range(height), range(width), 2)
    monitor = await _run(dut, [Work(layer=layer, tiles=[tile] * 3)])
    # The last beat of each plane comes as many cycles after that of the plane before as it has.
    per_plane = len(tile.output) // 2
    last = monitor.cycles[per_plane - 1 :: per_plane]
    assert np.diff(last).tolist() == [rows * beats] * 5


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def passes_short_planes_at_full_rate(dut: Any) -> None:
    """Beats without window are not held up by the parameters, however short the planes are."""
    monitor = await _run(dut, [Work(layer=None, tiles=[plain_tile(SHAPE, 200, 1, 1)])])
    assert monitor.cycles[-1] - monitor.cycles[0] == 199
