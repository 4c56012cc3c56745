# SPDX-License-Identifier: Apache-2.0
"""Cycles of a mapped network: a formula for each engine, and how the engines overlap.

Engines work on tiles independently, joined by two halves of two buffers, the weight ring and the
progress counter. `timeline` plays exactly that, tile by tile and half by half.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

from flexcc.accelerator import Accelerator
from flexcc.cores import core_rows
from flexcc.dse.mapping import WeightMode
from flexcc.dse.traffic import span_beats
from flexcc.tiles import AxisTile, ColumnPhases, Span, Tile, Tiling, beat_cycles, column_phases

__all__ = [
    "BURST_CYCLES",
    "MEMORY_LATENCY",
    "ON_CHIP_LATENCY",
    "REQUEST_CYCLES",
    "START_CYCLES",
    "StageCycles",
    "TileCycles",
    "TileWork",
    "array_cycles",
    "array_latency",
    "beat_cost",
    "halves_ahead",
    "load_cycles",
    "row_reads",
    "skip_cycles",
    "stage_cycles",
    "store_cycles",
    "tile_cycles",
    "timeline",
    "weight_cycles",
    "window_cycles",
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


def _row_load_cycles(tiling: Tiling, cols: AxisTile) -> tuple[float, float]:
    """Cycles to load a row from memory, padding included, which is a burst, and a row of padding.

    A row from memory lies in its beats as in memory: some pixels of a beat precede column 0.
    """
    size, beats = tiling.accelerator.beat_pixels, tiling.beats(cols)
    before = (beats.first_pixel - cols.pad_before) % size
    read = (before + cols.pad_before) // size + beats.out_beats
    memory = max(-(-(before + cols.window) // size), read)
    cost = beat_cost(tiling.columns, size, -before % tiling.columns.stride)
    padding = -(-cols.window // size) * beat_cost(tiling.columns, size, 0)
    return max(memory * cost, BURST_CYCLES), padding


def load_cycles(tiling: Tiling, tile: Tile) -> float:
    """Planes x (rows read x their cycles + padding rows x theirs), or what the windows take."""
    memory, padding = _row_load_cycles(tiling, tile.cols)
    rows = tile.rows.count if tile.cols.count else 0
    written = rows * memory + (tile.rows.window - rows) * padding
    windows = window_cycles(tiling, tile) if tiling.stage.window is not None and rows else 0
    return tiling.in_planes * max(written, windows)


def window_cycles(tiling: Tiling, tile: Tile) -> float:
    """Cycles of a plane in the window engine: rows walked x beats walked, padding behind included.

    A row of a single beat takes two, a plane N + 15 to get its parameters, a row read is a burst.
    """
    beats, read = tiling.beats(tile.cols), tile.rows.read
    walked = beats.beats + beats.extra_beats
    lines = tiling.accelerator.window_taps > 1
    row = max(2 if walked == 1 and lines else walked, BURST_CYCLES)
    return max((read.count + read.extra) * row, tiling.accelerator.n + WINDOW_PLANE_CYCLES)


def skip_cycles(tiling: Tiling, tile: Tile) -> float:
    """Planes x rows x cycles to load a row of the second tensor, a burst; 0 without a sum.

    Output phases of columns are loaded like those of a stride, planes of zeros as padding.
    """
    if tiling.stage.skip is None:
        return 0.0
    a, cols = tiling.accelerator, tile.cols.raw
    step = tiling.lists.taps.x.out_step
    columns = column_phases(stride=step, banks=a.p, columns=len(cols), rotation=(0,) * step)
    beats = span_beats(cols.start, len(cols), a.beat_pixels)
    first = -(cols.start % a.beat_pixels) % step
    each = beat_cost(columns, a.beat_pixels, first)
    read = tiling.skip_planes * max(beats * each, BURST_CYCLES)
    zeros = (tiling.out_planes - tiling.skip_planes) * -(-len(cols) // a.beat_pixels) * each
    return len(tile.rows.raw) * (read + zeros)


def array_cycles(tiling: Tiling, tile: Tile) -> int:
    """Rows x pixel groups x sum over passes of max(K, L): a block drains in L = M/Q cycles."""
    a = tiling.accelerator
    steps = sum(max(k, a.drain_cycles) for k in tiling.lists.pass_steps)
    return len(tile.rows.grid) * tile.groups(a.p) * steps


def weight_cycles(tiling: Tiling, steps: int) -> tuple[int, int]:
    """Cycles of one pass's parameters and of its weights, each with a header beat.

    Beats and ring words both pass at one a cycle at most. Unless weights are streamed, one header
    serves both, a cycle less than charged here.
    """
    a = tiling.accelerator
    parameters = max(-(-a.m * a.record_bytes // a.beat_bytes), a.drain_cycles)
    return 1 + parameters, 1 + max(-(-steps * a.m * a.n // a.beat_bytes), steps)


def store_cycles(tiling: Tiling, tile: Tile) -> int:
    """Planes x rows x reads of a row.

    Without pooling a read has as many pixels as the largest power of two that neither a beat nor
    the banks exceed; with pooling it has up to four columns of a row of one window, or a row of two
    windows of two columns, two apart. What is pooled may be stored, too.
    """
    a, pool = tiling.accelerator, tiling.stage.pool
    rows, cols = len(tile.rows.stored), len(tile.cols.stored)
    step = tiling.lists.taps.x.out_step
    if pool is None:
        reads = row_reads(cols, step=step, banks=a.p, beat_pixels=a.beat_pixels)
    else:
        columns = min(a.p, _POOL_COLUMNS)
        pairs = columns == 4 and a.beat_pixels > 1 and pool.kernel[1] == pool.strides[1] == 2
        windows = -(-cols // (1 + pairs))
        reads = windows * pool.kernel[0] * -(-pool.kernel[1] // columns)
    return tiling.stored_planes * (
        rows * reads + len(tile.rows.kept) * _kept_reads(tiling, tile.cols)
    )


def _kept_reads(tiling: Tiling, cols: AxisTile) -> int:
    """Reads of a row of what is pooled, if it is stored, too."""
    a = tiling.accelerator
    return row_reads(len(cols.kept), step=1, banks=a.p, beat_pixels=a.beat_pixels)


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
        parts = {k: weight_cycles(tiling, k) for k in set(tiling.lists.pass_steps)}
        sizes = [parts[k] for k in tiling.lists.pass_steps]
        weights = sum(parameters + repeats * words for parameters, words in sizes)
        first_weights = sizes[0][0]
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


def timeline(works: Sequence[TileWork], accelerator: Accelerator) -> list[float]:
    """The cycle in which each tile is stored and acknowledged, counted from the start.

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
    done: list[float] = []
    for work in works:
        stored, skip_stored = (
            max((core.done[n - 1] for core, n in zip(cores, waits, strict=True) if n), default=0.0)
            for waits in (work.waits, work.skip_waits or (0,) * len(cores))
        )
        done.append(cores[work.core].run(work, stored, skip_stored))
    return done


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

    def run(self, work: TileWork, stored: float, skip_stored: float) -> float:
        """The end of the core's next tile.

        Its input is stored in cycle `stored`, the second tensor of a sum in `skip_stored`.
        """
        cycles = work.cycles
        load_request = work.load_latency + _PREPARE_CYCLES
        skip_request = work.skip_latency + _PREPARE_CYCLES
        if len(self.half_begins) >= self.ahead:
            self.fetched = max(self.fetched, self.half_begins[-self.ahead])
        del self.half_begins[:-_FIFO_WORDS]
        self.ahead = cycles.ahead
        if cycles.lists:
            self.fetched = max(self.fetched, self.array_begins) + cycles.lists
        self.request = max(self.request, self.load_ends[0], stored, self.fetched)
        begin = max(self.load_ends[1], self.array_ends[0], self.request + load_request)
        self.load_ends = (self.load_ends[1], begin + cycles.load)
        now = max(self.array_ends[1], self.load_ends[1])
        if cycles.weights:
            record = max(self.fetched, self.array_begins)
            weights_begin = max(self.weights_end, record + MEMORY_LATENCY)
            self.weights_end = weights_begin + cycles.weights
            now = max(now, weights_begin + cycles.first_weights)
        self.array_begins = now
        for half in range(cycles.halves):
            if cycles.skip:
                self.skip_request = max(self.skip_request, self.skip_ends[0], skip_stored)
                begin = max(self.skip_ends[1], self.skip_freed[0], self.skip_request + skip_request)
                self.skip_ends = (self.skip_ends[1], begin + cycles.skip / cycles.halves)
                now = max(now, self.skip_ends[1])
            now = max(now, self.half_stored[0])
            self.half_begins.append(now)
            now += cycles.array / cycles.halves
            if cycles.skip:
                self.skip_freed = (self.skip_freed[1], now + self.latency)
            if half == cycles.halves - 1:
                now = max(now, self.weights_end)
            ready = max(self.half_stored[1], now + self.latency)
            self.half_stored = (self.half_stored[1], ready + cycles.store / cycles.halves)
        self.array_ends = (self.array_ends[1], now)
        self.done.append(self.half_stored[1] + work.store_latency)
        return self.done[-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class StageCycles:
    """A stage on its own: total cycles of each engine, and an estimate of the whole."""

    load: float
    skip: float
    array: int
    weights: int
    store: int
    total: float


def _busiest_rows(tiling: Tiling) -> tuple[AxisTile, ...]:
    """The rows of tiles of the core that has the most output rows."""
    orders = core_rows(len(tiling.rows), tiling.accelerator.cores)
    bands = (tuple(tiling.rows[row] for row in order) for order in orders)
    return max(bands, key=lambda band: sum(len(row.grid) for row in band))


def _totals(tiling: Tiling, band: Sequence[AxisTile]) -> tuple[float, int, int]:
    """Cycles of load and store over all tiles, and their pixel groups: products of two sums."""
    a = tiling.accelerator
    if tiling.stage.window is None:
        cycles = [_row_load_cycles(tiling, col) for col in tiling.cols]
        rows = sum(row.count for row in band)
        pads = sum(row.window - row.count for row in band)
        load = rows * sum(memory for memory, _ in cycles)
        load += pads * sum(padding for _, padding in cycles)
        load *= tiling.in_planes
    else:
        load = sum(
            load_cycles(tiling, Tile(rows=row, cols=col)) for row in band for col in tiling.cols
        )
    top = tiling.rows[0]
    unkept = replace(top, kept=Span(start=0, stop=0))
    one_row = sum(store_cycles(tiling, Tile(rows=unkept, cols=col)) for col in tiling.cols)
    store = one_row * sum(len(row.stored) for row in band) // len(top.stored)
    kept = sum(len(row.kept) for row in band)
    store += tiling.out_planes * kept * sum(_kept_reads(tiling, col) for col in tiling.cols)
    groups = sum(-(-len(col.grid) // a.p) for col in tiling.cols)
    return (
        load,
        store,
        groups * sum(len(row.grid) for row in band),
    )


def _skip_total(tiling: Tiling, band: Sequence[AxisTile]) -> float:
    """Cycles to load the second tensor for a band: rows and columns are independent."""
    top = tiling.rows[0]
    one_row = sum(skip_cycles(tiling, Tile(rows=top, cols=col)) for col in tiling.cols)
    return one_row * sum(len(row.raw) for row in band) / len(top.raw)


def stage_cycles(tiling: Tiling, mode: WeightMode) -> StageCycles:
    """The closed form that the solver minimises, of the core with the most to do.

    Every engine works through its own total; the slowest one decides, or the two halves of a
    buffer: of the output buffer, which a block group holds while it is computed, drained and
    stored, of the activation buffer, whose next tile is asked for when the one before has come, of
    the skip buffer, which is held like both. In front
    stands the load of the first tile, behind it the store of the last one's last half; the array
    waits in the first tile for weights that take longer than load and array do. With fewer than
    three rows of tiles the next stage cannot begin before this one ends, and a memory latency each
    way shows.
    """
    a = tiling.accelerator
    band = _busiest_rows(tiling)
    load, store, groups = _totals(tiling, band)
    array = groups * sum(max(k, a.drain_cycles) for k in tiling.lists.pass_steps)
    tiles = len(band) * len(tiling.cols)
    first = tile_cycles(tiling, Tile(rows=tiling.rows[0], cols=tiling.cols[0]), mode, first=True)
    if mode is WeightMode.STREAM:
        parts = [weight_cycles(tiling, k) for k in tiling.lists.pass_steps]
        weights = sum(tiles * parameters + groups * words for parameters, words in parts)
    else:
        weights = first.weights * (1 if mode is WeightMode.KEEP else tiles)
    late = 0.0
    if mode is not WeightMode.STREAM:
        late = max(0.0, first.weights - first.load - first.array)
    skip = _skip_total(tiling, band)
    halves = tiles * first.halves
    held = halves * array_latency(a)
    slowest = max(
        load - first.load,
        array + late,
        weights,
        store,
        skip,
        (array + store + held) / 2,
        (load + tiles * REQUEST_CYCLES) / 2 - first.load,
    )
    if skip:
        slowest = max(slowest, (skip + max(array + held, halves * REQUEST_CYCLES)) / 2)
    total = first.load + slowest + first.store / first.halves + array_latency(a)
    if len(band) < 3:
        total += 2 * MEMORY_LATENCY
    return StageCycles(load=load, skip=skip, array=array, weights=weights, store=store, total=total)
