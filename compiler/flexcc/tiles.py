# SPDX-License-Identifier: Apache-2.0
"""Tile geometry: which convolution outputs, input window and buffer words a tile stands for.

A tile is a rectangle of the *stored* tensor: the convolution's output, or the pooled one. From it
follow the convolution outputs to compute, the input window to load and where that window's pixels
lie in the banked activation buffer. All of it is arithmetic on one image axis at a time.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from itertools import product
from math import gcd

from flexcc.accelerator import Accelerator
from flexcc.ir.layers import Conv2d, MaxPool2d
from flexcc.ir.types import TensorType
from flexcc.taps import Axis, Phase, Taps, conv_axes, runs, window_taps

__all__ = [
    "AxisTile",
    "ColumnPhases",
    "PoolAxis",
    "Span",
    "Stage",
    "StageLists",
    "Tile",
    "Tiling",
    "axis_tile",
    "axis_tiles",
    "beat_cycles",
    "best_rotation",
    "column_phases",
    "stage_lists",
    "tiling",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """The positions start, ..., stop - 1."""

    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stage:
    """One trip through the accelerator: a convolution and, fused, the pooling of its output.

    `raw` is the convolution's output type, `output` that of the tensor stored (equal without pool).
    """

    conv: Conv2d
    pool: MaxPool2d | None
    input: TensorType
    raw: TensorType
    output: TensorType

    @property
    def name(self) -> str:
        """The convolution's name."""
        return self.conv.name

    @property
    def input_tensor(self) -> str:
        """The tensor that is read."""
        return self.conv.inputs[0]

    @property
    def output_tensor(self) -> str:
        """The tensor that is stored."""
        return self.conv.output if self.pool is None else self.pool.output


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolAxis:
    """One axis of a pooling window; `pad` is the padding before the first pixel."""

    kernel: int
    stride: int
    pad: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AxisTile:
    """One axis of one tile, in pixels.

    `stored` of the stored tensor need `raw` of the convolution's output; the first pool window
    starts `origin` pixels after raw.start. The input window has `pad_before` pixels of padding,
    `count` pixels of memory from `start` on, `step` apart, and `pad_after` pixels of padding.
    """

    stored: Span
    raw: Span
    origin: int
    pad_before: int
    start: int
    count: int
    step: int
    pad_after: int

    @property
    def window(self) -> int:
        """Pixels of the input window."""
        return self.pad_before + self.count + self.pad_after


def _offsets(axis: Axis) -> tuple[int, ...]:
    return tuple(tap.offset for phase in axis.phases for tap in phase.taps)


def _kept_step(axis: Axis) -> int:
    """The greatest step of input pixels that names all a window reads: 2 for a 1x1 of stride 2."""
    offsets = _offsets(axis)
    return gcd(axis.in_step, *(offset - offsets[0] for offset in offsets))


def axis_tile(
    stored: Span, *, axis: Axis, raw_size: int, in_size: int, pool: PoolAxis | None, step: int
) -> AxisTile:
    """The tile of the stored positions `stored`, keeping every `step`-th input pixel.

    `step` divides the input step and all distances between tap offsets.
    """
    if pool is None:
        raw, origin = stored, 0
    else:
        first = stored.start * pool.stride - pool.pad
        last = (stored.stop - 1) * pool.stride - pool.pad + pool.kernel - 1
        start = min(max(first, 0), raw_size - 1)
        raw = Span(start=start, stop=max(min(last, raw_size - 1), start) + 1)
        origin = first - start
    low, high = min(_offsets(axis)), max(_offsets(axis))
    begin = raw.start * axis.in_step + low
    window = ((len(raw) - 1) * axis.in_step + high - low) // step + 1
    before = min(max(-(begin // step), 0), window)
    within = max(0, (in_size - 1 - begin) // step + 1) - before
    count = max(0, min(within, window - before))
    return AxisTile(
        stored=stored,
        raw=raw,
        origin=origin,
        pad_before=before,
        start=begin + before * step if count else 0,
        count=count,
        step=step,
        pad_after=window - before - count,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnPhases:
    """How the columns of a window row lie in P banks.

    Column x belongs to phase f = x mod stride; it is number q = x div stride + rotation[f] of the
    phase, which lies in bank q mod P, word base[f] + q div P of the row.
    """

    stride: int
    banks: int
    rotation: tuple[int, ...]
    base: tuple[int, ...]
    row_words: int

    def place(self, column: int) -> tuple[int, int]:
        """Word within the row and bank of a column."""
        phase = column % self.stride
        number = column // self.stride + self.rotation[phase]
        return self.base[phase] + number // self.banks, number % self.banks


def column_phases(
    *, stride: int, banks: int, columns: int, rotation: tuple[int, ...]
) -> ColumnPhases:
    """The phases of rows of `columns` pixels, one after the other."""
    base, words = [], 0
    for phase in range(stride):
        base.append(words)
        pixels = -((phase - columns) // stride)
        words += -(-(rotation[phase] + pixels) // banks)
    return ColumnPhases(
        stride=stride, banks=banks, rotation=rotation, base=tuple(base), row_words=words
    )


def beat_cycles(*, stride: int, banks: int, rotation: tuple[int, ...], first: int, n: int) -> int:
    """Cycles to write the `n` columns from column `first` on: pixels of the fullest bank."""
    counts = [0] * banks
    for column in range(first, first + n):
        counts[(column // stride + rotation[column % stride]) % banks] += 1
    return max(counts)


@cache
def best_rotation(*, stride: int, banks: int, beat_pixels: int, residue: int) -> tuple[int, ...]:
    """The rotations that write memory beats in the fewest cycles; least total rotation among those.

    `residue` is the column, modulo stride, at which a memory beat begins. Later beats begin
    `beat_pixels` further, so that every residue counts that some beat begins at.
    """
    starts = sorted({(residue + k * beat_pixels) % stride for k in range(stride)})

    def cost(rotation: tuple[int, ...]) -> tuple[int, int, tuple[int, ...]]:
        cycles = sum(
            beat_cycles(stride=stride, banks=banks, rotation=rotation, first=start, n=beat_pixels)
            for start in starts
        )
        return cycles, sum(rotation), rotation

    least = len(starts) * -(-beat_pixels // banks)
    candidates = product((0,), *(range(banks) for _ in range(stride - 1)))
    best = None
    for candidate in sorted(candidates, key=sum):
        best = min(filter(None, (best, cost(candidate))))
        if best[0] == least:
            break
    assert best is not None
    return best[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """One tile: its rows and its columns."""

    rows: AxisTile
    cols: AxisTile

    def groups(self, columns: int) -> int:
        """Groups of `columns` output pixels in a row of the tile."""
        return -(-len(self.cols.raw) // columns)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StageLists:
    """The reduction lists of a stage on M rows and N lanes, whatever its tiles.

    `steps` are the lengths K of the lists; the last list is the dead one, of a single step, if a
    pass needs it. `entries` counts the entries of all lists, `of_pass` names the list of each pass.
    """

    taps: Taps
    steps: tuple[int, ...]
    entries: int
    of_pass: tuple[int, ...]

    @property
    def phase(self) -> Phase:
        """The only phase of a convolution."""
        (phase,) = self.taps.phases
        return phase

    @property
    def dead(self) -> int | None:
        """The dead list's number, if there is one."""
        lists = len(self.phase.lists)
        return lists if len(self.steps) > lists else None

    @property
    def pass_steps(self) -> tuple[int, ...]:
        """K of each pass."""
        return tuple(self.steps[index] for index in self.of_pass)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tiling:
    """A stage cut into tiles, and the buffer geometry that all its tiles share.

    Rows of tiles are the outer order.
    """

    stage: Stage
    accelerator: Accelerator
    lists: StageLists
    rows: tuple[AxisTile, ...]
    cols: tuple[AxisTile, ...]
    columns: ColumnPhases
    row_step: int
    plane_words: int
    in_planes: int
    out_planes: int

    def tiles(self) -> Iterator[Tile]:
        """All tiles in program order."""
        for row, col in product(self.rows, self.cols):
            yield Tile(rows=row, cols=col)

    def tiles_needed(self, reader: Tile) -> int:
        """Tiles of this stage, in program order, whose pixels the window of `reader` reads.

        Counts up to the last one needed: 0 for a window of padding, at most the number of tiles.
        """
        rows, cols = reader.rows, reader.cols
        if not rows.count or not cols.count:
            return 0
        row = (rows.start + (rows.count - 1) * rows.step) // len(self.rows[0].stored)
        col = (cols.start + cols.count - 1) // len(self.cols[0].stored)
        return row * len(self.cols) + col + 1

    @property
    def out_words(self) -> int:
        """Words per bank that the largest tile needs in one half of the output buffer."""
        largest = max(len(r.raw) for r in self.rows) * max(
            -(-len(c.raw) // self.accelerator.p) for c in self.cols
        )
        return largest * self.accelerator.planes_per_half

    @property
    def act_words(self) -> int:
        """Words per bank that a tile needs in one half of the activation buffer."""
        return self.plane_words * self.in_planes


def _spans(size: int, step: int) -> list[Span]:
    return [Span(start=s, stop=min(s + step, size)) for s in range(0, size, step)]


def _pool_axes(pool: MaxPool2d | None) -> tuple[PoolAxis | None, PoolAxis | None]:
    if pool is None:
        return None, None
    (kernel_h, kernel_w), (stride_h, stride_w) = pool.kernel, pool.strides
    return (
        PoolAxis(kernel=kernel_h, stride=stride_h, pad=pool.pads.top),
        PoolAxis(kernel=kernel_w, stride=stride_w, pad=pool.pads.left),
    )


@lru_cache(maxsize=4096)
def axis_tiles(
    *,
    axis: Axis,
    size: int,
    tile: int,
    raw_size: int,
    in_size: int,
    pool: PoolAxis | None,
    step: int,
) -> tuple[AxisTile, ...]:
    """Tiles of `tile` stored positions, the last one less, that cover all `size` of them."""
    return tuple(
        axis_tile(span, axis=axis, raw_size=raw_size, in_size=in_size, pool=pool, step=step)
        for span in _spans(size, tile)
    )


def stage_lists(stage: Stage, *, m: int, n: int) -> StageLists:
    """The lists of `stage`; passes beyond the last channel block, M < N, get the dead list."""
    y, x = conv_axes(stage.conv)
    if stage.raw.width == 1:
        # One output per row: the stride leads nowhere, and the columns need no phases.
        x = replace(x, in_step=1)
    shape = stage.conv.weight.shape[:2]
    return _lists(y=y, x=x, shape=shape, groups=stage.conv.groups, m=m, n=n)


@lru_cache(maxsize=1024)
def _lists(*, y: Axis, x: Axis, shape: tuple[int, ...], groups: int, m: int, n: int) -> StageLists:
    taps = window_taps(y=y, x=x, shape=shape, groups=groups, in_block=n, out_block=m)
    (phase,) = taps.phases
    live = len(phase.of_block)
    total = live if m >= n else -(-shape[0] // n) * (n // m)
    dead = total - live
    return StageLists(
        taps=taps,
        steps=(*(len(taps) for taps in phase.lists), *([1] if dead else [])),
        entries=sum(len(list(runs(taps))) for taps in phase.lists) + (dead > 0),
        of_pass=(*phase.of_block, *([len(phase.lists)] * dead)),
    )


def tiling(
    stage: Stage,
    accelerator: Accelerator,
    *,
    tile_rows: int,
    tile_cols: int,
    rotation: tuple[int, ...] | None = None,
) -> Tiling:
    """Cuts the stored tensor of `stage` into tiles of at most `tile_rows` x `tile_cols` pixels.

    `rotation` defaults to the best one. Nothing is checked against the buffers here.
    """
    lists = stage_lists(stage, m=accelerator.m, n=accelerator.n)
    taps = lists.taps
    pool_y, pool_x = _pool_axes(stage.pool)
    step = _kept_step(taps.y)
    rows = axis_tiles(
        axis=taps.y,
        size=stage.output.height,
        tile=tile_rows,
        raw_size=stage.raw.height,
        in_size=stage.input.height,
        pool=pool_y,
        step=step,
    )
    cols = axis_tiles(
        axis=taps.x,
        size=stage.output.width,
        tile=tile_cols,
        raw_size=stage.raw.width,
        in_size=stage.input.width,
        pool=pool_x,
        step=1,
    )
    stride = taps.x.in_step
    if rotation is None:
        rotation = best_rotation(
            stride=stride,
            banks=accelerator.p,
            beat_pixels=accelerator.beat_pixels,
            residue=-min(_offsets(taps.x)) % stride,
        )
    columns = column_phases(
        stride=stride,
        banks=accelerator.p,
        columns=max(col.window for col in cols),
        rotation=rotation,
    )
    return Tiling(
        stage=stage,
        accelerator=accelerator,
        lists=lists,
        rows=rows,
        cols=cols,
        columns=columns,
        row_step=taps.y.in_step // step * columns.row_words,
        plane_words=max(row.window for row in rows) * columns.row_words,
        in_planes=-(-stage.input.channels // accelerator.n),
        out_planes=-(-stage.output.channels // accelerator.n),
    )
