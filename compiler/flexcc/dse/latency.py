# SPDX-License-Identifier: Apache-2.0
"""Cycles of a mapped network: a formula for each engine, and how the engines overlap.

Engines work on tiles independently, joined by two halves of two buffers, the weight ring and the
progress counter. `timeline` plays exactly that, tile by tile and half by half.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from flexcc.accelerator import Accelerator
from flexcc.axis_tiles import AxisTile
from flexcc.dse.mapping import WeightMode
from flexcc.dse.traffic import span_beats
from flexcc.tiles import ColumnPhases, StageLists, Tile, Tiling, beat_cycles, column_phases
from flexcc.windows import ColumnBeats

__all__ = [
    "BURST_CYCLES",
    "MEMORY_LATENCY",
    "ON_CHIP_LATENCY",
    "REQUEST_CYCLES",
    "START_CYCLES",
    "Passes",
    "RowLoad",
    "TileCycles",
    "TileWork",
    "array_cycles",
    "array_latency",
    "beat_cost",
    "halves_ahead",
    "load_cycles",
    "row_load",
    "row_reads",
    "rows_load",
    "skip_cycles",
    "skip_row_cycles",
    "stage_passes",
    "store_cycles",
    "store_reads",
    "tile_cycles",
    "timeline",
]

MEMORY_LATENCY = 100
"""Assumed cycles from a request to its first data, and from the last data written to its answer."""
ON_CHIP_LATENCY = 10
"""The same of on-chip memory, the way to it and back included."""
START_CYCLES = MEMORY_LATENCY + 30
"""Cycles from the start to the first load: the program's first beats come and are parsed."""
BURST_CYCLES = MEMORY_LATENCY / 64
"""Least distance of bursts in cycles: a memory has 64 of them under way at most."""
WINDOW_PLANE_CYCLES = 15
"""A plane takes as many cycles and N more in the window engine at the least."""
_PREPARE_CYCLES = 14
REQUEST_CYCLES = MEMORY_LATENCY + _PREPARE_CYCLES
"""From the load before last of a buffer's half to the first data in the banks, at the least."""
_HALF_CYCLES, _CHAIN = 28, 8
_FIFO_WORDS = 64
_STORE_WORDS, _SKIP_WORDS = 6, 7
"""Words of the records of a half; of a second tensor's, one for each plane as well."""
_TABLE_CYCLES, _SUM_CYCLES, _BEND_CYCLES = 3, 14, 13
_POOL_COLUMNS = 4
_FAST_PHASES = (2, 4)


@lru_cache(maxsize=4096)
def beat_cost(columns: ColumnPhases, beat_pixels: int, first: int) -> float:
    """Average cycles to write a beat of pixels into the banks, the first of them at column `first`.

    Later beats begin `beat_pixels` further, so only columns count that some beat begins at.
    """
    starts = {(first + k * beat_pixels) % columns.stride for k in range(columns.stride)}
    cycles = [
        beat_cycles(
            stride=columns.stride,
            banks=columns.banks,
            rotation=columns.rotation,
            first=start,
            n=beat_pixels,
        )
        for start in sorted(starts)
    ]
    return sum(cycles) / len(cycles)


@dataclass(frozen=True, slots=True, kw_only=True)
class RowLoad:
    """Cycles to load a row of a tile's windows: one from `memory`, and one of `padding`.

    In the window engine a row takes `walked`, 0 where there is none; `inside` unless all of the
    tile's columns are padding.
    """

    memory: float
    padding: float
    walked: float
    inside: bool


def row_load(tiling: Tiling, cols: AxisTile) -> RowLoad:
    """Cycles of a row of the columns `cols`, padding included; from memory it is a burst.

    A row from memory lies in its beats as in memory: some pixels of a beat precede column 0.
    """
    size, beats = tiling.accelerator.beat_pixels, tiling.beats(cols)
    before = (beats.first_pixel - cols.pad_before) % size
    read = (before + cols.pad_before) // size + beats.out_beats
    memory = max(-(-(before + cols.window) // size), read)
    cost = beat_cost(tiling.columns, size, -before % tiling.columns.stride)
    padding = -(-cols.window // size) * beat_cost(tiling.columns, size, 0)
    return RowLoad(
        memory=max(memory * cost, BURST_CYCLES),
        padding=padding,
        walked=_walked_cycles(tiling, beats) if tiling.stage.window is not None else 0.0,
        inside=cols.count > 0,
    )


def _walked_cycles(tiling: Tiling, beats: ColumnBeats) -> float:
    """Cycles of a row in the window engine: beats walked, two for a single one, or a burst."""
    walked = beats.beats + beats.extra_beats
    lines = tiling.accelerator.window_taps > 1
    return max(2 if walked == 1 and lines else walked, BURST_CYCLES)


def load_cycles(tiling: Tiling, tile: Tile) -> float:
    """Planes x (rows read x their cycles + padding rows x theirs), or what the windows take."""
    return rows_load(tiling, tile.rows, row_load(tiling, tile.cols))


def rows_load(tiling: Tiling, rows: AxisTile, row: RowLoad) -> float:
    """The same for rows each of which takes `row`."""
    inside = rows.count if row.inside else 0
    cycles = inside * row.memory + (rows.window - inside) * row.padding
    if inside and tiling.stage.window is not None:
        cycles = max(cycles, _plane_in_windows(tiling, rows, row.walked))
    return tiling.in_planes * cycles


def _plane_in_windows(tiling: Tiling, rows: AxisTile, walked: float) -> float:
    """Rows walked x the cycles of each, padding behind included, or N + 15 to get parameters."""
    return max(rows.walked * walked, tiling.accelerator.n + WINDOW_PLANE_CYCLES)


def skip_cycles(tiling: Tiling, tile: Tile) -> float:
    """Planes x rows x cycles to load a row of the second tensor, a burst; 0 without a sum.

    Output phases of columns are loaded like those of a stride, planes of zeros as padding.
    """
    return len(tile.rows.raw) * skip_row_cycles(tiling, tile.cols)


def skip_row_cycles(tiling: Tiling, columns_: AxisTile) -> float:
    """Cycles to load a row of the second tensor in all planes; 0 without a sum."""
    if tiling.stage.skip is None:
        return 0.0
    a, cols = tiling.accelerator, columns_.raw
    step = tiling.lists.taps.x.out_step
    columns = column_phases(stride=step, banks=a.p, columns=len(cols), rotation=(0,) * step)
    beats = span_beats(cols.start, len(cols), a.beat_pixels)
    first = -(cols.start % a.beat_pixels) % step
    each = beat_cost(columns, a.beat_pixels, first)
    read = tiling.skip_planes * max(beats * each, BURST_CYCLES)
    zeros = (tiling.out_planes - tiling.skip_planes) * -(-len(cols) // a.beat_pixels) * each
    return read + zeros


def array_cycles(tiling: Tiling, tile: Tile) -> int:
    """Rows x pixel groups x sum over passes of max(K, L): a block drains in L = M/Q cycles."""
    a = tiling.accelerator
    return len(tile.rows.grid) * tile.groups(a.p) * stage_passes(tiling.lists, a).steps


@dataclass(frozen=True, slots=True, kw_only=True)
class Passes:
    """All passes of a stage: steps of the array for a pixel group, and cycles of weights.

    `parameters` and `words` are sums over the passes, `first` the parameters of the first one.
    """

    steps: int
    first: int
    parameters: int
    words: int


@lru_cache(maxsize=4096)
def stage_passes(lists: StageLists, a: Accelerator) -> Passes:
    """What a stage's passes add up to."""
    parts = {steps: _weight_cycles(a, steps) for steps in set(lists.pass_steps)}
    sizes = [parts[steps] for steps in lists.pass_steps]
    return Passes(
        steps=sum(max(steps, a.drain_cycles) for steps in lists.pass_steps),
        first=sizes[0][0],
        parameters=sum(parameters for parameters, _ in sizes),
        words=sum(words for _, words in sizes),
    )


def _weight_cycles(a: Accelerator, steps: int) -> tuple[int, int]:
    """Cycles of one pass's parameters and of its weights, each with a header beat.

    Beats and ring words both pass at one a cycle at most. Unless weights are streamed, one header
    serves both, a cycle less than charged here.
    """
    parameters = max(-(-a.m * a.record_bytes // a.beat_bytes), a.drain_cycles)
    return 1 + parameters, 1 + max(-(-steps * a.m * a.n // a.beat_bytes), steps)


def store_cycles(tiling: Tiling, tile: Tile) -> int:
    """Planes x rows x reads of a row.

    Without pooling a read has as many pixels as the largest power of two that neither a beat nor
    the banks exceed; with pooling it has up to four columns of a row of one window, or a row of two
    windows of two columns, two apart. What is pooled may be stored, too.
    """
    stored, kept = store_reads(tiling, tile.cols)
    return tiling.stored_planes * (len(tile.rows.stored) * stored + len(tile.rows.kept) * kept)


def store_reads(tiling: Tiling, cols: AxisTile) -> tuple[int, int]:
    """Reads of a row of what is stored, and of a row of what is pooled, if that is stored, too."""
    a, pool, stored = tiling.accelerator, tiling.stage.pool, len(cols.stored)
    step = tiling.lists.taps.x.out_step
    if pool is None:
        reads = row_reads(stored, step=step, banks=a.p, beat_pixels=a.beat_pixels)
    else:
        columns = min(a.p, _POOL_COLUMNS)
        pairs = columns == 4 and a.beat_pixels > 1 and pool.kernel[1] == pool.strides[1] == 2
        windows = -(-stored // (1 + pairs))
        reads = windows * pool.kernel[0] * -(-pool.kernel[1] // columns)
    return reads, row_reads(len(cols.kept), step=1, banks=a.p, beat_pixels=a.beat_pixels)


def row_reads(cols: int, *, step: int, banks: int, beat_pixels: int) -> int:
    """Reads of a row of the output buffer, whose pixels lie in `step` column phases.

    A read has as many pixels of a phase as the largest power of two that neither the banks nor a
    beat exceed. With 2 or 4 phases it has U of them, as many as a memory beat has of each phase,
    and a row is whole windows of `step` reads. With others, and if U is 1, a read has one pixel.
    """
    pixels = min(1 << (banks.bit_length() - 1), beat_pixels)
    if step == 1:
        return -(-cols // pixels)
    of_phase = min(pixels, beat_pixels // step)
    if step not in _FAST_PHASES or of_phase < 2:
        return cols
    return step * -(-cols // (step * of_phase))


def array_latency(accelerator: Accelerator) -> int:
    """Cycles that a half of the output buffer is held beside its blocks' steps and its reads.

    From the last step on: reads of activations and weights, a hop for each row and each group of
    columns, the chains of products, L cycles of drain, the requantiser and what stands behind it,
    then the store engine's way to its first read and from the last one to the next block's step.
    """
    a = accelerator
    groups = -(-a.p // 2) if a.packed else a.p
    behind = a.slopes + _TABLE_CYCLES * a.tables + _SUM_CYCLES * a.sums + _BEND_CYCLES * a.bends
    return a.m + groups + min(a.n, _CHAIN) + a.drain_cycles + _HALF_CYCLES + behind


@dataclass(frozen=True, slots=True, kw_only=True)
class TileCycles:
    """Cycles of each engine for one tile; `halves` of the output buffer are stored one by one.

    So are those of the skip buffer loaded, in `skip` cycles together; 0 without a sum.

    `weights` are read before or during the tile; the array can begin after `first_weights`. `lists`
    come ahead of the tile's other records, a word a cycle; the records of at most `ahead` halves
    wait for their engines, then the fetch unit waits, too.
    """

    load: float
    skip: float
    array: int
    first_weights: int
    weights: int
    store: int
    halves: int
    lists: int = 0
    ahead: int = _FIFO_WORDS // _STORE_WORDS


def halves_ahead(tiling: Tiling) -> int:
    """Halves of the output buffer by which the fetch unit is ahead of the array at most.

    Each has a record for the store engine and one for the load of second tensors, which is a half
    ahead itself; their FIFOs hold 64 words each.
    """
    ahead = _FIFO_WORDS // _STORE_WORDS
    second = tiling.stage.second
    if second is None:
        return ahead
    planes = -(-tiling.out_planes // len(tiling.lists.groups))
    if second.repeats > tiling.lists.taps.y.out_step:
        planes *= max(len(row.raw) for row in tiling.rows)  # Each row is a plane of its own.
    return min(ahead, 1 + _FIFO_WORDS // (_SKIP_WORDS + planes))


def tile_cycles(tiling: Tiling, tile: Tile, mode: WeightMode, *, first: bool) -> TileCycles:
    """The cycles of a tile, the first of its stage or another one."""
    a = tiling.accelerator
    groups = len(tile.rows.grid) * tile.groups(a.p)
    weights = first_weights = 0
    if first or mode is not WeightMode.KEEP:
        repeats = groups if mode is WeightMode.STREAM else 1
        passes = stage_passes(tiling.lists, a)
        weights = passes.parameters + repeats * passes.words
        first_weights = passes.first
    return TileCycles(
        load=load_cycles(tiling, tile),
        skip=skip_cycles(tiling, tile),
        array=array_cycles(tiling, tile),
        first_weights=first_weights,
        weights=weights,
        store=store_cycles(tiling, tile),
        halves=len(tiling.lists.groups),
        lists=tiling.lists.entries if first else 0,
        ahead=halves_ahead(tiling),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class TileWork:
    """A tile: its stage and core, its cycles, and how many stored tiles of each core it needs.

    `skip_waits` are those that the second tensor of a sum needs, None for one that is an input. The
    latencies are those of the memories where what it reads, adds and stores lies.
    """

    stage: int
    cycles: TileCycles
    waits: tuple[int, ...]
    core: int = 0
    skip_waits: tuple[int, ...] | None = None
    load_latency: int = MEMORY_LATENCY
    skip_latency: int = MEMORY_LATENCY
    store_latency: int = MEMORY_LATENCY


def timeline(
    works: Sequence[TileWork],
    accelerator: Accelerator,
    played: Sequence[TileCycles] | None = None,
) -> list[float]:
    """The cycle in which each tile is stored and acknowledged, counted from the start.

    The cycles of tiles are those of `played`, if given, instead of their own.

    The tiles of each core come in its order, and behind all that they wait for.

    - A load begins when the loader and a half of the buffer are free and its data come: one
      memory latency after its request, which is made one tile ahead, and not before the tiles it
      waits for are stored.
    - The records of a tile come behind all those of the tiles before, so not before the last half
      of those is `ahead` of the array; lists not before the array works on the tile before.
    - The weights of a tile are fetched from the beginning of the tile before.
    - The array begins when window, first weights and a half of the output buffer are there, and
      ends no earlier than the weights.
    - A half of the skip buffer is loaded as a window is, one half ahead of the array.
    - A half is stored when it is complete and the half before it is stored.
    """
    cores = [_Core(latency=array_latency(accelerator)) for _ in range(accelerator.cores)]
    dones = [core.done for core in cores]

    def end(waits: Sequence[int]) -> float:
        """When the last tile of those that are waited for is stored."""
        latest = 0.0
        for number, core_done in zip(waits, dones, strict=True):
            if number and core_done[number - 1] > latest:
                latest = core_done[number - 1]
        return latest

    return [
        cores[work.core].run(
            work,
            cycles,
            end(work.waits),
            0.0 if work.skip_waits is None else end(work.skip_waits),
        )
        for work, cycles in zip(works, played or [work.cycles for work in works], strict=True)
    ]


@dataclass(slots=True, kw_only=True)
class _Core:
    """Where the engines of a core are; `done` holds the end of each of its tiles."""

    latency: float
    done: list[float] = field(default_factory=list)
    array_begins: float = START_CYCLES
    array_ends: tuple[float, float] = (0.0, 0.0)
    fetched: float = 0.0
    half_begins: list[float] = field(default_factory=list)
    ahead: int = 1
    half_stored: tuple[float, float] = (0.0, 0.0)
    load_ends: tuple[float, float] = (0.0, 0.0)
    request: float = START_CYCLES
    skip_ends: tuple[float, float] = (0.0, 0.0)
    skip_freed: tuple[float, float] = (0.0, 0.0)
    skip_request: float = START_CYCLES
    weights_end: float = 0.0

    def run(self, work: TileWork, cycles: TileCycles, stored: float, skip_stored: float) -> float:
        """The end of the core's next tile.

        Its input is stored in cycle `stored`, the second tensor of a sum in `skip_stored`.
        """
        begins, halves, latency = self.half_begins, cycles.halves, self.latency
        if len(begins) >= self.ahead:
            self.fetched = max(self.fetched, begins[-self.ahead])
        del begins[:-_FIFO_WORDS]
        self.ahead = cycles.ahead
        if cycles.lists:
            self.fetched = max(self.fetched, self.array_begins) + cycles.lists
        before, last = self.load_ends
        self.request = max(self.request, before, stored, self.fetched)
        request = self.request + (work.load_latency + _PREPARE_CYCLES)
        loaded = max(last, self.array_ends[0], request) + cycles.load
        self.load_ends = last, loaded
        now = max(self.array_ends[1], loaded)
        if cycles.weights:
            record = max(self.fetched, self.array_begins)
            weights_begin = max(self.weights_end, record + MEMORY_LATENCY)
            self.weights_end = weights_begin + cycles.weights
            now = max(now, weights_begin + cycles.first_weights)
        self.array_begins = now
        array, store = cycles.array / halves, cycles.store / halves
        freed, end = self.half_stored
        for half in range(halves):
            if cycles.skip:
                now = self._add(now, work, cycles, skip_stored)
            now = max(now, freed)
            begins.append(now)
            now += array
            if cycles.skip:
                self.skip_freed = (self.skip_freed[1], now + latency)
            if half == halves - 1 and self.weights_end > now:
                now = self.weights_end
            ready = now + latency
            freed, end = end, (ready if ready > end else end) + store
        self.half_stored = freed, end
        self.array_ends = (self.array_ends[1], now)
        self.done.append(end + work.store_latency)
        return self.done[-1]

    def _add(self, now: float, work: TileWork, cycles: TileCycles, stored: float) -> float:
        """When the next half of the skip buffer is there and the array has come as far as `now`."""
        self.skip_request = max(self.skip_request, self.skip_ends[0], stored)
        request = self.skip_request + (work.skip_latency + _PREPARE_CYCLES)
        begin = max(self.skip_ends[1], self.skip_freed[0], request)
        self.skip_ends = (self.skip_ends[1], begin + cycles.skip / cycles.halves)
        return max(now, self.skip_ends[1])
