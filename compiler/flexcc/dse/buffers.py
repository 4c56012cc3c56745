# SPDX-License-Identifier: Apache-2.0
"""Buffer depths: the deepest that a device holds, then no deeper than the tiles need."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import lru_cache

from flexcc.accelerator import Accelerator
from flexcc.dse.layer_cost import array_cycles, best_lists
from flexcc.dse.resources import ram_blocks
from flexcc.dse.shapes import Shape, window_taps_of
from flexcc.errors import DoesNotFitError
from flexcc.joins import plane_count
from flexcc.targets.device import Device
from flexcc.tiles import Stage, StageLists, Tiling

__all__ = ["RAM_SHARE", "fitted_buffers", "largest_buffers", "least_ram_blocks"]

RAM_SHARE = 0.8
"""Of the RAM blocks of a region, those that buffers may take."""
_LARGEST = {"act_words": 8192, "out_words": 4096, "weight_words": 8192}
_SMALLEST = {"act_words": 64, "out_words": 64, "weight_words": 64}
_MOST_PARAM_PASSES = 512
_MOST_WINDOW_CHANNELS = 4096
_LEAST_WINDOW_BEATS = 16
_LEAST_PARAM_PASSES, _LEAST_LIST_ENTRIES = 4, 16


def _power_of_two(least: int) -> int:
    return 1 << max(0, least - 1).bit_length()


def _divisor_powers(m: int, n: int) -> list[int]:
    return [1 << bits for bits in range(min(m, n).bit_length())]


def _drain_chains(stages: Sequence[Stage], shape: Shape, device: Device) -> int:
    """The fewest drain chains within half a hundredth of the array cycles of the most."""
    available = device.dsp // device.regions
    choices = [
        q for q in _divisor_powers(shape.m, shape.n) if shape.with_lanes(q, device) <= available
    ]

    cycles = {}
    for q in choices:
        drain = shape.m // q
        cycles[q] = sum(
            array_cycles(stage, _lists_of(stage, shape, q), shape.p, drain) for stage in stages
        )
    least = min(cycles.values())
    return next(q for q in choices if cycles[q] <= 1.005 * least)


def _lists_of(stage: Stage, shape: Shape, q: int) -> StageLists:
    return best_lists(stage, m=shape.m, p=shape.p, n=shape.n, q=q, drain_cycles=shape.m // q)


def _window_channels(stages: Iterable[Stage], n: int) -> int:
    """Channels of the largest window layer, whole planes; at least those of a plane."""
    planes = [plane_count(stage.parts, n) for stage in stages if stage.window is not None]
    return min(max(planes, default=1) * n, _MOST_WINDOW_CHANNELS)


def largest_buffers(
    stages: Sequence[Stage], shape: Shape, device: Device, cores: int
) -> Accelerator:
    """The deepest buffers that the device's RAM holds, halving the largest until they do."""
    q = _drain_chains(stages, shape, device)
    lists = [_lists_of(stage, shape, q) for stage in stages]
    passes = max(len(item.passes) for item in lists)
    entries = max(item.entries for item in lists)
    accelerator = Accelerator(
        m=shape.m,
        p=shape.p,
        n=shape.n,
        q=q,
        packed=shape.packed,
        split_products=device.family.splits,
        beat_bytes=device.memory_bytes,
        param_passes=min(max(_power_of_two(passes), _LEAST_PARAM_PASSES), _MOST_PARAM_PASSES),
        list_entries=min(max(_power_of_two(entries), _LEAST_LIST_ENTRIES), 4096),
        tables=any(stage.table is not None for stage in stages),
        cores=cores,
        sums=shape.sums,
        wide=shape.wide,
        bends=any(stage.bend is not None for stage in stages),
        slopes=any(
            layer is not None and layer.slope is not None
            for stage in stages
            for layer in (stage.conv, stage.window, stage.bend)
        ),
        window_taps=window_taps_of(stages),
        window_channels=_power_of_two(_window_channels(stages, shape.n)),
        **_LARGEST,
    )
    budget = int(device.bram36 // device.regions * RAM_SHARE)
    while ram_blocks(accelerator) > budget:
        smaller = [
            replace(accelerator, **{name: getattr(accelerator, name) // 2})
            for name, least in _SMALLEST.items()
            if getattr(accelerator, name) > least
        ]
        if not smaller:
            raise DoesNotFitError(
                f"array {shape.m},{shape.p},{shape.n}: block RAM: {ram_blocks(accelerator)} "
                f"needed for the smallest buffers, {budget} available on {device.name}; "
                "choose a smaller array"
            )
        accelerator = min(smaller, key=ram_blocks)
    return accelerator


@lru_cache(maxsize=4096)
def least_ram_blocks(shape: Shape, beat_bytes: int) -> int:
    """RAM blocks of a core with the smallest buffers, those of the window engine left out."""
    a = Accelerator(
        m=shape.m,
        p=shape.p,
        n=shape.n,
        q=1,
        packed=shape.packed,
        beat_bytes=beat_bytes,
        param_passes=_LEAST_PARAM_PASSES,
        list_entries=_LEAST_LIST_ENTRIES,
        sums=shape.sums,
        wide=shape.wide,
        act_words=_SMALLEST["act_words"],
        out_words=_SMALLEST["out_words"],
        weight_words=_SMALLEST["weight_words"],
    )
    return ram_blocks(a)


def fitted_buffers(accelerator: Accelerator, tilings: Sequence[Tiling]) -> Accelerator:
    """Buffers no deeper than the tiles need. The weight ring stays: its depth is prefetch."""
    act = max(item.act_words for item in tilings)
    out = max(item.out_words for item in tilings)
    every_word = sum(sum(item.lists.pass_steps) for item in tilings)
    every_pass = sum(len(item.lists.passes) for item in tilings)
    stages = [item.stage for item in tilings]
    lines = [
        item.beats(col).beats
        for item in tilings
        if item.stage.window is not None
        for col in item.cols
    ]
    return replace(
        accelerator,
        act_words=max(_power_of_two(act), _SMALLEST["act_words"]),
        out_words=max(_power_of_two(out), _SMALLEST["out_words"]),
        weight_words=min(
            accelerator.weight_words, max(_power_of_two(every_word), _SMALLEST["weight_words"])
        ),
        param_passes=min(
            accelerator.param_passes, max(_power_of_two(every_pass), _LEAST_PARAM_PASSES)
        ),
        window_taps=window_taps_of(stages),
        window_beats=max(_power_of_two(max(lines, default=1)), _LEAST_WINDOW_BEATS),
        window_channels=_power_of_two(_window_channels(stages, accelerator.n)),
    )
