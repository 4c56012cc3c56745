# SPDX-License-Identifier: Apache-2.0
"""Plan: graph and mapping fully resolved. Every address, count and field is a number here.

Tensors never share addresses, so a store can only meet a load of the same tensor, and that load
waits for the stored tiles it needs. Those on the chip share RAM where the old tensor's last load
belongs to a tile no later than the new tensor's first store: a store needs its tile's load, and
loads come in order.
"""

from collections.abc import Iterator, Sequence
from collections.abc import Mapping as MappingType
from dataclasses import dataclass, fields, replace
from operator import add
from typing import Any

import numpy as np

from flexcc.accelerator import Accelerator
from flexcc.backend.lists import Entry, ListRange, reduction_lists
from flexcc.backend.tensors import Placement, TensorPlan
from flexcc.backend.weights import (
    PassImage,
    bend_requantization,
    pass_images,
    stage_requantization,
)
from flexcc.backend.window import window_record
from flexcc.cores import core_tiles
from flexcc.dse.mapping import Group, Mapping, WeightMode, group_tiling, stage_of
from flexcc.errors import InputError
from flexcc.ir.arithmetic import output_of, sum_scaling, table_entries
from flexcc.ir.fixed_point import round_shift
from flexcc.ir.graph import Graph
from flexcc.ir.layers import Concat
from flexcc.ir.planes import LOWER, UPPER, plane_names, split_planes
from flexcc.ir.requantize import Requantization
from flexcc.ir.types import Quantization, TensorType
from flexcc.joins import stored_parts
from flexcc.program.formats import MAX_CORES, MAX_PHASES
from flexcc.tiles import Stage, Tile, Tiling
from flexcc.waits import StoredTiles, stored_tiles, wait_tiles

__all__ = [
    "ArrayBend",
    "ArraySum",
    "ArrayTile",
    "ArrayWide",
    "Load",
    "Pass",
    "Plan",
    "StagePlan",
    "Store",
    "TilePlan",
    "WeightsFetch",
    "build_plan",
]


_BYTE = 8
_PLANES = {None: 0, UPPER: 1, LOWER: 2}

# Cores know of each other's tiles modulo 2^16.
_MOST_TILES = 1 << 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """The fields of a `load_tile` record; `addresses` are its plane words.

    `core_tiles` are those of a `load_wait` record before it, all 0 where other cores store nothing
    that the tile reads.
    """

    wait_tiles: int
    core_tiles: tuple[int, ...]
    row_beats: int
    row_pitch: int
    mem_rows: int
    pad_top: int
    pad_bottom: int
    pad_left: int
    mem_cols: int
    pad_right: int
    row_words: int
    plane_words: int
    pad_value: int
    first_pixel: int
    phases: int
    contiguous: int
    phase_base: tuple[int, ...]
    phase_rot: tuple[int, ...]
    addresses: tuple[int, ...]
    window: int = 0
    extra_rows: int = 0
    extra_beats: int = 0
    first_row: int = 0
    drop_beats: int = 0
    tail_lanes: int = 0
    odd: int = 0
    step_rows: int = 0
    step_cols: int = 0
    wide: int = 0
    pad_lower: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightsFetch:
    """The fields of a `weights_fetch` record."""

    address: int
    beats: int
    repeats: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """The fields of a `pass` word."""

    list_start: int
    list_entries: int
    out_base: int
    out_byte: int
    take: int
    hand_over: int
    tile_last: int
    plane: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """The fields of a `store_tile` record."""

    address: int
    planes: int
    pool: int
    keep: int
    part: int
    plane_pitch: int
    row_pitch: int
    rows: int
    cols: int
    row_words: int
    plane_words: int
    kernel_h: int
    kernel_w: int
    stride_h: int
    stride_w: int
    phases_y: int
    phases_x: int
    phase_words: int
    origin_y: int
    origin_x: int
    valid_rows: int
    valid_cols: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrayTile:
    """The fields of an `array_tile` record."""

    rows: int
    groups: int
    row_step: int
    plane_words: int
    out_plane_words: int
    zero_point: int
    low: int
    high: int
    keep: int
    stream: int
    word_channels: int
    lookup: int
    summed: int
    wide: int
    bent: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ArraySum:
    """The fields of an `array_sum` record."""

    mult: int
    skip_mult: int
    shift: int
    zero_point: int
    bias: int
    low: int
    high: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrayWide:
    """The fields of an `array_wide` record."""

    zero_point: int
    low: int
    high: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrayBend:
    """The fields of an `array_bend` record."""

    mult: int
    shift: int
    zero_point: int
    low: int
    high: int
    bias: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TilePlan:
    """One tile. `fetches[i]` precede pass i; all others precede the first pass of the tile.

    `stores` is one record, one for each byte of 16 bits, or for each half of the output buffer one
    of what is pooled and one of the pooled pixels. With a sum, `skips` fill the halves of the skip
    buffer, one for each half that passes fill.
    """

    load: Load
    skips: tuple[Load, ...]
    stores: tuple[Store, ...]
    array: ArrayTile
    passes: tuple[Pass, ...]
    fetches: tuple[tuple[WeightsFetch, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StagePlan:
    """One fusion group: its lists, weights and tiles, row by row.

    `stored` are the tensors that it stores. `table` is what its outputs become, from that of -128
    on. `kept` is the tensor in front of the pooling if it is stored, too. `order` are the tiles
    that each core computes, in turn. `window` is the record of the layer in front of the array, if
    there is one.
    """

    group: Group
    input: str
    output: str
    stored: tuple[str, ...]
    kept: str | None
    window: tuple[int, ...]
    entries: tuple[Entry, ...]
    weights_address: int
    images: tuple[PassImage, ...]
    table: tuple[int, ...] | None
    sum: ArraySum | None
    wide: ArrayWide | None
    bend: ArrayBend | None
    tiles: tuple[TilePlan, ...]
    order: tuple[tuple[int, ...], ...]

    @property
    def name(self) -> str:
        """The convolution's name."""
        return self.group.name


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plan:
    """A network ready to run: stages in order and where everything lies in memory.

    `joined` are the concatenations, each with the tensors that hold its channels, one after the
    other; it has no memory of its own. Tensors of 16 bits, named in `wide`, are joined of their
    upper planes and then their lower ones.
    Memory is the window of on-chip memory if there is some, then weights, tensors (graph inputs
    first), and the program, from `program_address` to its end; all offsets from the base register.
    """

    name: str
    mapping: Mapping
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    tensors: MappingType[str, TensorPlan]
    joined: MappingType[str, tuple[str, ...]]
    wide: tuple[str, ...]
    stages: tuple[StagePlan, ...]
    weights_address: int
    weights_bytes: int
    program_address: int

    @property
    def accelerator(self) -> Accelerator:
        """The hardware that the plan is for."""
        return self.mapping.accelerator

    @property
    def weights(self) -> slice:
        """The bytes of memory that are weights."""
        return slice(self.weights_address, self.weights_address + self.weights_bytes)

    @property
    def variable(self) -> tuple[slice, ...]:
        """The bytes of memory that runs change: all but weights and program."""
        parts = (slice(0, self.weights.start), slice(self.weights.stop, self.program_address))
        return tuple(part for part in parts if part.start < part.stop)

    def on_chip(self, tensor: TensorPlan) -> bool:
        """Whether a tensor lies in on-chip memory."""
        return tensor.address < self.weights_address

    @property
    def tiles(self) -> int:
        """Stored tiles of a run."""
        return sum(len(stage.tiles) for stage in self.stages)

    def __str__(self) -> str:
        return "\n".join(_describe(self)) + "\n"


def _line(title: str, value: Any) -> str:
    texts = (f"{f.name}={getattr(value, f.name)}" for f in fields(value))
    return f"{title} {' '.join(texts)}"


def _describe(plan: Plan) -> Iterator[str]:
    """The plan as text, one line per thing."""
    yield f"plan {plan.name}: {len(plan.stages)} stages, {plan.tiles} tiles"
    weights = f"weights at {plan.weights_address}, {plan.weights_bytes} bytes"
    yield f"{weights}; program at {plan.program_address}"
    for tensor in plan.tensors.values():
        layout, kind = tensor.layout, "input" if tensor.name in plan.inputs else "tensor"
        place = " on chip" if plan.on_chip(tensor) else ""
        yield (
            f"{kind} {tensor.name} at {tensor.address}{place}, {layout.size} bytes: "
            f"{layout.channels}x{layout.height}x{layout.width}, row pitch {layout.row_pitch}, "
            f"plane pitch {layout.plane_pitch}, dead lanes {tensor.dead}"
        )
    for name, parts in plan.joined.items():
        yield f"joined {name}: {', '.join(parts)}"
    for stage in plan.stages:
        chain = stage.group.chain
        yield f"stage {chain}: {stage.input} -> {stage.output}, weights at {stage.weights_address}"
        yield from (_line(f"  entry {i}:", entry) for i, entry in enumerate(stage.entries))
        if stage.table is not None:
            yield f"  table: {' '.join(map(str, stage.table))}"
        if stage.sum is not None:
            yield _line("  sum", stage.sum)
        if stage.wide is not None:
            yield _line("  wide", stage.wide)
        if stage.bend is not None:
            yield _line("  bend", stage.bend)
        core_of = {tile: core for core, order in enumerate(stage.order) for tile in order}
        for number, tile in enumerate(stage.tiles):
            core = f" on core {core_of[number]}" if len(stage.order) > 1 else ""
            yield f"  tile {number}{core}:"
            yield _line("    load", tile.load)
            yield from (_line(f"    skip {i}:", item) for i, item in enumerate(tile.skips))
            yield _line("    array", tile.array)
            yield from (_line(f"    pass {i}:", item) for i, item in enumerate(tile.passes))
            yield from (_line("    store", store) for store in tile.stores)
            for index, fetches in enumerate(tile.fetches):
                yield from (_line(f"    before pass {index} fetch", fetch) for fetch in fetches)


def _other_cores(waits: tuple[int, ...], core: int) -> tuple[int, ...]:
    """The tiles of each core to wait for; a core's own are in the record itself."""
    others = [0 if other == core else count for other, count in enumerate(waits)]
    return (*others, *(0,) * (MAX_CORES - len(others)))


def _load(
    tiling_: Tiling,
    tile: Tile,
    sources: Sequence[TensorPlan],
    stored: Sequence[StoredTiles],
    core: int,
) -> Load:
    """The input window of a tile; a window without a single pixel is padding rows only.

    `sources` hold the input's channels, `stored` are the tiles of those that the program stores.
    """
    rows, cols, layout = tile.rows, tile.cols, sources[0].layout
    window = tiling_.stage.window
    within = rows.count > 0 and cols.count > 0
    read, beats = rows.read, tiling_.beats(cols)
    row_pitch = read.step * layout.row_pitch
    row_beats = beats.beats if within else 0
    begin = beats.first_beat * layout.beat_bytes + read.start * layout.row_pitch if within else 0
    columns = tiling_.columns
    unused = (0,) * (MAX_PHASES - columns.stride)
    quantization = tiling_.stage.input.quantization
    assert quantization is not None
    waits = wait_tiles(tile, stored, tiling_.accelerator.cores)
    front = window is not None and within
    pad, pad_lower = _padding(quantization)
    step_rows, step_cols = (0, 0) if window is None else (s - 1 for s in window.strides)
    return Load(
        wait_tiles=waits[core],
        core_tiles=_other_cores(waits, core),
        row_beats=row_beats,
        row_pitch=row_pitch,
        mem_rows=read.count if within else 0,
        pad_top=rows.pad_before if within else rows.window,
        pad_bottom=rows.pad_after if within else 0,
        pad_left=cols.pad_before if within else cols.window,
        mem_cols=cols.count if within else 0,
        pad_right=cols.pad_after if within else 0,
        row_words=columns.row_words,
        plane_words=tiling_.plane_words,
        pad_value=pad,
        wide=int(tiling_.stage.input.wide),
        pad_lower=pad_lower,
        first_pixel=beats.first_pixel if within else 0,
        phases=columns.stride,
        contiguous=int(row_pitch == row_beats * layout.beat_bytes),
        phase_base=(*columns.base, *unused),
        phase_rot=(*columns.rotation, *unused),
        window=int(front),
        extra_rows=read.extra if front else 0,
        extra_beats=beats.extra_beats if front else 0,
        first_row=read.first if front else 0,
        drop_beats=beats.drop_beats if front else 0,
        tail_lanes=beats.tail_lanes if front else 0,
        odd=beats.odd if front else 0,
        step_rows=step_rows if front else 0,
        step_cols=step_cols if front else 0,
        addresses=tuple(begin + plane for source in sources for plane in source.planes()),
    )


def _padding(quantization: Quantization) -> tuple[int, int]:
    """The padding byte, or of 16 bits that of upper and that of lower planes."""
    if quantization.bits == _BYTE:
        return quantization.zero_point, 0
    upper, lower = split_planes(np.array(quantization.zero_point, np.int16))
    return int(upper), int(lower)


def _skips(
    tiling_: Tiling, tile: Tile, source: TensorPlan, stored: StoredTiles | None, core: int
) -> tuple[Load, ...]:
    """The pixels of a second tensor, each in the word where the output buffer has its own.

    A row phase of a plane is loaded as a plane of its own, column phases as those of a stride. All
    row phases are loaded with equally many rows, some beyond the tensor's last. Of rows that are
    repeated without phases each is a plane of its own, too. Planes that memory has not are padding.
    """
    layout, taps, second = source.layout, tiling_.lists.taps, tiling_.stage.second
    assert second is not None
    rows, cols = tile.rows.raw, tile.cols.raw
    groups = tile.groups(tiling_.accelerator.p)
    phase_words = len(tile.rows.grid) * groups
    first_beat = cols.start // layout.beat_pixels
    row_beats = (cols.stop - 1) // layout.beat_pixels - first_beat + 1
    begin = source.address + first_beat * layout.beat_bytes
    # Rows that a plane of a record holds, and the row of memory that each of these begins with.
    apart = second.repeats > taps.y.out_step
    mem_rows = 1 if apart else len(tile.rows.grid)
    stop = rows.stop if apart else rows.start + taps.y.out_step
    row_pitch = max(1, taps.y.out_step // second.repeats) * layout.row_pitch
    steps = taps.x.out_step
    unused = (0,) * (MAX_PHASES - steps)
    waits = (0,) * tiling_.accelerator.cores
    if stored is not None:
        waits = stored.needed_beside(tile, second.repeats)
    loaded = tuple(
        Load(
            wait_tiles=waits[core],
            core_tiles=_other_cores(waits, core),
            row_beats=row_beats,
            row_pitch=row_pitch,
            mem_rows=mem_rows,
            pad_top=0,
            pad_bottom=0,
            pad_left=0,
            mem_cols=len(cols),
            pad_right=0,
            row_words=groups,
            plane_words=groups if apart else steps * phase_words,
            pad_value=0,
            first_pixel=cols.start % layout.beat_pixels,
            phases=steps,
            contiguous=int(row_pitch == row_beats * layout.beat_bytes),
            phase_base=(*(phase * phase_words for phase in range(steps)), *unused),
            phase_rot=(0,) * MAX_PHASES,
            addresses=tuple(
                begin + plane * layout.plane_pitch + row // second.repeats * layout.row_pitch
                for plane in planes
                for row in range(rows.start, stop)
            ),
        )
        for planes in tiling_.planes_of_halves
    )
    return tuple(
        load if planes.start < layout.planes else _zeros(load, source)
        for load, planes in zip(loaded, tiling_.planes_of_halves, strict=True)
    )


def _zeros(load: Load, source: TensorPlan) -> Load:
    """A load of `source` as a second tensor, with nothing but padding."""
    quantization = source.type.quantization
    assert quantization is not None
    return replace(
        load,
        wait_tiles=0,
        core_tiles=(0,) * len(load.core_tiles),
        row_beats=0,
        mem_rows=0,
        pad_top=load.mem_rows,
        pad_left=load.mem_cols,
        mem_cols=0,
        pad_value=_padding(quantization)[0],
        first_pixel=0,
        contiguous=0,
        addresses=(0,) * len(load.addresses),
    )


def _array_sum(graph: Graph, stage: Stage) -> ArraySum | None:
    """The numbers of a stage's sum; the convolution's output may be either operand."""
    if stage.sum is None:
        return None
    layer = stage.sum
    first, second, target = (
        graph.tensors[name].quantization for name in (*layer.inputs, layer.output)
    )
    assert first is not None
    assert second is not None
    assert target is not None
    scaling, output = sum_scaling(layer, first, second, target), output_of(layer.clamp, target)
    own = layer.inputs.index(stage.conv.output)
    return ArraySum(
        mult=scaling.multipliers[own],
        skip_mult=scaling.multipliers[1 - own],
        shift=scaling.shift,
        zero_point=output.zero_point,
        bias=scaling.bias,
        low=output.low,
        high=output.high,
    )


def _array_bend(bend: Requantization | None) -> ArrayBend | None:
    """The numbers of sums above the channels' limits, the same for all channels."""
    if bend is None:
        return None
    return ArrayBend(
        mult=int(bend.multiplier[0]),
        shift=int(bend.shift[0]),
        zero_point=bend.zero_point,
        low=bend.low,
        high=bend.high,
        bias=int(bend.bias[0]),
    )


def _bent(bend: ArrayBend, value: int) -> int:
    """What becomes of a sum in a lane without a channel, whose second record is zero."""
    step = 0
    if value > 0:
        step = int(round_shift(np.array(value * bend.mult + bend.bias, np.int64), bend.shift))
    return min(max(step + bend.zero_point, bend.low), bend.high)


def _summed(sum_: ArraySum, own: int, skip: int) -> int:
    """One sum."""
    total = np.array(own * sum_.mult + skip * sum_.skip_mult + sum_.bias, np.int64)
    value = int(round_shift(total, sum_.shift)) + sum_.zero_point
    return min(max(value, sum_.low), sum_.high)


def _array_tile(
    tiling_: Tiling, tile: Tile, rq: Requantization, *, mode: WeightMode, last: bool
) -> ArrayTile:
    groups = tile.groups(tiling_.accelerator.p)
    lists = tiling_.lists
    phase_words = len(tile.rows.grid) * groups
    wide = tiling_.stage.wide
    return ArrayTile(
        rows=len(tile.rows.grid),
        groups=groups,
        row_step=tiling_.row_step,
        plane_words=tiling_.plane_words,
        out_plane_words=phase_words * (1 if lists.taps.bundle > 1 else lists.phase_slots),
        zero_point=0 if wide else rq.zero_point,
        low=0 if wide else rq.low,
        high=0 if wide else rq.high,
        keep=int(mode is WeightMode.KEEP and not last),
        stream=int(mode is WeightMode.STREAM),
        word_channels=lists.word_channels.bit_length() - 1,
        lookup=int(tiling_.stage.table is not None),
        summed=int(tiling_.stage.sum is not None),
        wide=int(wide),
        bent=int(tiling_.stage.bend is not None),
    )


def _stores(tiling_: Tiling, tile: Tile, targets: Sequence[TensorPlan]) -> tuple[Store, ...]:
    """The store records of a tile: one for each byte of 16 bits, which `targets` then are.

    Else what is pooled goes to the first of two targets, half by half: it is stored as it is and
    kept for the record that pools it.
    """
    *others, target = targets
    whole = _store(tiling_, tile, target)
    if tiling_.stage.output.wide:
        (upper,) = others
        return replace(_store(tiling_, tile, upper), part=1), whole
    kept = others[0] if others else None
    if kept is None:
        return (whole,)
    raw = _raw_store(tiling_, tile, kept)
    per_half = tiling_.accelerator.planes_per_half
    records = []
    for first in range(0, whole.planes, per_half):
        planes = min(per_half, whole.planes - first)
        for store in (raw, whole):
            part = store.part or first + planes < whole.planes
            address = store.address + first * store.plane_pitch
            if store.rows and store.cols:
                records.append(replace(store, address=address, planes=planes, part=int(part)))
    return tuple(records)


def _raw_store(tiling_: Tiling, tile: Tile, target: TensorPlan) -> Store:
    """The pixels of a tile that are pooled, those that no other tile stores."""
    rows, cols, layout = tile.rows.kept, tile.cols.kept, target.layout
    return replace(
        _store(tiling_, tile, target),
        address=target.address + rows.start * layout.row_pitch + cols.start * layout.lanes,
        pool=0,
        keep=1,
        part=1,
        rows=len(rows),
        cols=len(cols),
        kernel_h=1,
        kernel_w=1,
        stride_h=1,
        stride_w=1,
        origin_y=0,
        origin_x=0,
    )


def _store(tiling_: Tiling, tile: Tile, target: TensorPlan) -> Store:
    """The stored pixels of a tile; without pooling every window is the pixel itself."""
    layout, pool = target.layout, tiling_.stage.pool
    groups = tile.groups(tiling_.accelerator.p)
    taps, phase_words = tiling_.lists.taps, len(tile.rows.grid) * groups
    kernel, strides = ((1, 1), (1, 1)) if pool is None else (pool.kernel, pool.strides)
    begin = tile.rows.stored.start * layout.row_pitch + tile.cols.stored.start * layout.lanes
    return Store(
        address=target.address + begin,
        planes=layout.planes,
        pool=int(pool is not None),
        keep=0,
        part=0,
        plane_pitch=layout.plane_pitch,
        row_pitch=layout.row_pitch,
        rows=len(tile.rows.stored),
        cols=len(tile.cols.stored),
        row_words=groups,
        plane_words=phase_words * tiling_.lists.phase_slots,
        kernel_h=kernel[0],
        kernel_w=kernel[1],
        stride_h=strides[0],
        stride_w=strides[1],
        phases_y=taps.y.out_step,
        phases_x=taps.x.out_step,
        phase_words=phase_words,
        origin_y=tile.rows.origin,
        origin_x=tile.cols.origin,
        valid_rows=len(tile.rows.raw),
        valid_cols=len(tile.cols.raw),
    )


def _passes(tiling_: Tiling, tile: Tile, ranges: tuple[ListRange, ...]) -> tuple[Pass, ...]:
    """A half is taken by the first pass of a group and handed over by its last one.

    Phases stand one after the other in each plane's words, blocks that gather a plane (M < N) side
    by side in a word.
    """
    lists, m = tiling_.lists, tiling_.accelerator.m
    phase_words = len(tile.rows.grid) * tile.groups(tiling_.accelerator.p)
    numbers = iter(lists.of_pass)
    result = []
    for group in lists.groups:
        first_block = group[0].block
        for position, item in enumerate(group):
            own = ranges[next(numbers)]
            result.append(
                Pass(
                    list_start=own.start,
                    list_entries=own.entries,
                    out_base=item.phases[0] * phase_words,
                    out_byte=(item.block - first_block) * m,
                    take=int(position == 0),
                    hand_over=int(position == len(group) - 1),
                    tile_last=int(group is lists.groups[-1] and position == len(group) - 1),
                    plane=_PLANES[item.plane],
                )
            )
    return tuple(result)


def _fetch(address: int, size: int, repeats: int, beat_bytes: int) -> WeightsFetch:
    return WeightsFetch(address=address, beats=size // beat_bytes, repeats=repeats)


def _fetches(
    images: tuple[PassImage, ...],
    address: int,
    beat_bytes: int,
    *,
    mode: WeightMode,
    first: bool,
    pixel_groups: int,
) -> tuple[tuple[WeightsFetch, ...], ...]:
    """What the weight load engine reads for a tile, by the pass before which it is told so."""
    if mode is not WeightMode.STREAM:
        size = sum(image.size for image in images)
        whole = (_fetch(address, size, 1, beat_bytes),)
        needed = first or mode is WeightMode.RELOAD
        return (whole if needed else (), *(() for _ in images[1:]))
    result = []
    for image in images:
        weights = address + len(image.parameters)
        result.append(
            (
                _fetch(address, len(image.parameters), 1, beat_bytes),
                _fetch(weights, len(image.weights), pixel_groups, beat_bytes),
            )
        )
        address += image.size
    return tuple(result)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Resolved:
    """A stage whose place in memory is not known yet."""

    group: Group
    tiling: Tiling
    requantization: tuple[Requantization, ...]
    images: tuple[PassImage, ...]
    table: tuple[int, ...] | None
    sum: ArraySum | None
    bend: ArrayBend | None

    def dead(self, tensor: str, skip: int) -> int:
        """What lanes of a stored tensor without a channel hold.

        `skip` is what those of the second tensor hold.
        """
        rq = self.requantization[0]
        value = min(max(rq.zero_point, rq.low), rq.high)
        if self.tiling.stage.output.wide:
            planes = map(int, split_planes(np.array(value, np.int16)))
            return dict(zip(self.tiling.stage.stored_tensors, planes, strict=True))[tensor]
        if self.sum is not None:
            value = _summed(self.sum, value, skip)
        if self.bend is not None:
            value = _bent(self.bend, value)
        return value if self.table is None else self.table[value + 128]

    @property
    def size(self) -> int:
        return sum(image.size for image in self.images)


def _resolve(graph: Graph, group: Group, accelerator: Accelerator) -> _Resolved:
    tiling_ = group_tiling(stage_of(graph, group.chain), group, accelerator)
    rq = stage_requantization(tiling_)
    split = group.weights is WeightMode.STREAM
    bend = bend_requantization(tiling_.stage)
    images = pass_images(tiling_, rq, split=split, bend=bend)
    return _Resolved(
        group=group,
        tiling=tiling_,
        requantization=rq,
        images=images,
        sum=_array_sum(graph, tiling_.stage),
        bend=_array_bend(bend),
        table=_table(graph, tiling_.stage),
    )


def _table(graph: Graph, stage: Stage) -> tuple[int, ...] | None:
    """The entries of a stage's table.

    Raises:
        InputError: its function is not defined anywhere in the input's range.
    """
    if stage.table is None:
        return None
    source, target = (
        graph.tensors[name].quantization for name in (stage.table.inputs[0], stage.table.output)
    )
    assert source is not None
    assert target is not None
    return tuple(int(entry) for entry in table_entries(stage.table, source, target))


def _stage_plan(
    resolved: _Resolved,
    *,
    weights_address: int,
    tensors: MappingType[str, TensorPlan],
    producers: MappingType[str, StoredTiles],
) -> StagePlan:
    tiling_, group = resolved.tiling, resolved.group
    stage = tiling_.stage
    entries, ranges = reduction_lists(tiling_)
    second = stage.skip_tensor
    tiles = tuple(tiling_.tiles())
    sources = [tensors[name] for name in stage.sources]
    stored = [producers[name] for name in stage.sources if name in producers]
    targets = [tensors[name] for name in stage.stored_tensors]
    order = core_tiles(len(tiling_.rows), len(tiling_.cols), tiling_.accelerator.cores)
    plans: dict[int, TilePlan] = {}
    for core, own in enumerate(order):
        for number in own:
            tile = tiles[number]
            array = _array_tile(
                tiling_,
                tile,
                resolved.requantization[0],
                mode=group.weights,
                last=number == own[-1],
            )
            skips: tuple[Load, ...] = ()
            if second is not None:
                skips = _skips(tiling_, tile, tensors[second], producers.get(second), core)
            plans[number] = TilePlan(
                load=_load(tiling_, tile, sources, stored, core),
                skips=skips,
                stores=_stores(tiling_, tile, targets),
                array=array,
                passes=_passes(tiling_, tile, ranges),
                fetches=_fetches(
                    resolved.images,
                    weights_address,
                    tiling_.accelerator.beat_bytes,
                    mode=group.weights,
                    first=number == own[0],
                    pixel_groups=array.rows * array.groups,
                ),
            )
    return StagePlan(
        group=group,
        input=stage.input_tensor,
        output=stage.output_tensor,
        stored=stage.stored_tensors,
        kept=stage.kept_tensor,
        window=window_record(tiling_),
        entries=entries,
        weights_address=weights_address,
        images=resolved.images,
        table=resolved.table,
        sum=resolved.sum,
        wide=_array_wide(resolved),
        bend=resolved.bend,
        tiles=tuple(plans[number] for number in range(len(tiles))),
        order=order,
    )


def _array_wide(resolved: _Resolved) -> ArrayWide | None:
    if not resolved.tiling.stage.wide:
        return None
    rq = resolved.requantization[0]
    return ArrayWide(zero_point=rq.zero_point, low=rq.low, high=rq.high)


def _joined(graph: Graph) -> dict[str, tuple[str, ...]]:
    """The stored tensors that hold each concatenation or tensor of 16 bits, in order."""
    return {
        layer.output: tuple(part.tensor for part in stored_parts(graph, layer.output))
        for layer in graph.layers
        if isinstance(layer, Concat) or graph.tensors[layer.output].wide
    }


def _stored_types(graph: Graph) -> dict[str, TensorType]:
    """The types of all tensors and, of 16 bits, of their planes."""
    types = dict(graph.tensors)
    for name, type_ in graph.tensors.items():
        if type_.wide:
            plane = replace(type_, quantization=None)
            types.update(dict.fromkeys(plane_names(name), plane))
    return types


def _rows_beyond(resolved: Sequence[_Resolved]) -> dict[str, int]:
    """Rows of memory that second tensors need behind their last: see `_skips`."""
    result: dict[str, int] = {}
    for stage in resolved:
        skip, steps = stage.tiling.stage.skip_tensor, stage.tiling.lists.taps.y.out_step
        if skip is not None:
            result[skip] = max(result.get(skip, 0), steps - 1)
    return result


def _dead_second(stage: Stage, memory: Placement) -> int:
    """What is added in lanes without a channel: what the second tensor holds there, or its zero."""
    if stage.second is None:
        return 0
    stored = memory.tensors[stage.second.tensor]
    if stage.raw.channels == stage.second.channels:
        return stored.dead
    assert stored.type.quantization is not None
    return _padding(stored.type.quantization)[0]


def build_plan(graph: Graph, mapping: Mapping) -> Plan:
    """Resolves a lowered graph and its mapping, which must be legal.

    Raises:
        InputError: names a layer whose numbers the hardware cannot represent.
    """
    accelerator = mapping.accelerator
    resolved = [_resolve(graph, group, accelerator) for group in mapping.groups]
    weights_bytes = sum(stage.size for stage in resolved)

    memory = Placement(
        _stored_types(graph),
        accelerator,
        accelerator.on_chip_window + weights_bytes,
        {item.tensor: item.address for item in mapping.residents},
    )
    beyond = _rows_beyond(resolved)
    for port in graph.inputs:
        memory.place(
            port.tensor,
            dead=0,
            word_channels=accelerator.n,
            rows_beyond=beyond.get(port.tensor, 0),
        )
    for stage in resolved:
        own = stage.tiling.stage
        skip = _dead_second(own, memory)
        for tensor in own.stored_tensors:
            memory.place(
                tensor,
                dead=stage.dead(tensor, skip),
                word_channels=stage.tiling.lists.word_channels,
                rows_beyond=beyond.get(tensor, 0),
            )

    stages: list[StagePlan] = []
    producers: dict[str, StoredTiles] = {}
    weights_address, first = accelerator.on_chip_window, (0,) * accelerator.cores
    for stage in resolved:
        plan = _stage_plan(
            stage,
            weights_address=weights_address,
            tensors=memory.tensors,
            producers=producers,
        )
        stages.append(plan)
        producers.update(stored_tiles(stage.tiling, first))
        weights_address += stage.size
        first = tuple(map(add, first, map(len, plan.order)))
    if accelerator.cores > 1 and max(first) >= _MOST_TILES:
        raise InputError(
            f"{graph.name}: a core computes {max(first)} tiles, and cores can tell each other of "
            f"{_MOST_TILES - 1} at most; take fewer cores or a device with more block RAM"
        )
    return Plan(
        name=graph.name,
        mapping=mapping,
        inputs=tuple(port.tensor for port in graph.inputs),
        outputs=tuple(port.tensor for port in graph.outputs),
        tensors=memory.tensors,
        joined=_joined(graph),
        wide=tuple(name for name, type_ in graph.tensors.items() if type_.wide),
        stages=tuple(stages),
        weights_address=accelerator.on_chip_window,
        weights_bytes=weights_bytes,
        program_address=memory.end,
    )
