# SPDX-License-Identifier: Apache-2.0
"""Tile geometry: which convolution outputs, input window and buffer words a tile stands for.

A tile is a rectangle of the *stored* tensor: the convolution's output, or the pooled one. From it
follow the convolution outputs to compute, the input window to load and where that window's pixels
lie in the banked activation buffer. All of it is arithmetic on one image axis at a time.

The array works on the grid of an axis: position q stands for the outputs q*out_step + p of all
phases p, so that a tile with several phases begins at a multiple of the output step.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache, cached_property, lru_cache
from itertools import product
from math import gcd

from flexcc.accelerator import Accelerator
from flexcc.axis_tiles import AxisTile, AxisTiles, PoolAxis, Span, axis_tile, axis_tiles
from flexcc.blocks import zero_taps
from flexcc.ir.layers import Add, Conv2d, Convolution, Layer, MaxPool2d, Table
from flexcc.ir.planes import LOWER, UPPER, plane_names
from flexcc.ir.types import TensorType
from flexcc.joins import Part, plane_count
from flexcc.second import Second
from flexcc.taps import Axis, PassTaps, Taps, convolution_axes, runs, window_taps
from flexcc.windows import ColumnBeats, WindowAxis, column_beats

_MOST_PRUNED_ENTRIES = 512
"""Output blocks of pruned layers have lists of their own; beyond this they share the whole one."""

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
    "bundle_choices",
    "column_phases",
    "rows_beyond",
    "stage_lists",
    "tiling",
]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stage:
    """One trip through the accelerator: a convolution and, fused, the layers around it.

    `input` is the convolution's input type, `raw` its output's, `second` the tensor which a sum
    adds to it, as it is stored, of type `skip`, `output` that of the tensor stored. `bend`
    requantises sums one by one: `summed` is their type, `bent` that of what becomes of them. With
    a `window` in front `read` is the type of what memory holds, else None. `joined` are the
    tensors that what is read is a concatenation of; empty if it is stored as it is. With `keeps`
    what is pooled is stored, too.
    With `keep_zeros` taps whose weights are all zero stay in the reduction lists; without
    `may_bundle` each output phase has passes of its own.
    """

    window: Conv2d | None = None
    conv: Convolution
    sum: Add | None = None
    bend: Conv2d | None = None
    table: Table | None = None
    pool: MaxPool2d | None = None
    input: TensorType
    read: TensorType | None = None
    raw: TensorType
    skip: TensorType | None = None
    second: Second | None = None
    summed: TensorType | None = None
    bent: TensorType | None = None
    output: TensorType
    joined: tuple[Part, ...] = ()
    keeps: bool = False
    keep_zeros: bool = False
    may_bundle: bool = True

    @property
    def name(self) -> str:
        """The convolution's name."""
        return self.conv.name

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The layers of the chain, in order."""
        chain = (self.window, self.conv, self.sum, self.bend, self.table, self.pool)
        return tuple(layer for layer in chain if layer is not None)

    @property
    def input_tensor(self) -> str:
        """The tensor that is read."""
        return self.layers[0].inputs[0]

    @property
    def source(self) -> TensorType:
        """Its type."""
        return self.input if self.read is None else self.read

    @property
    def sources(self) -> tuple[str, ...]:
        """The stored tensors that hold it, in the order of their channels."""
        return tuple(part.tensor for part in self.joined) or (self.input_tensor,)

    @property
    def parts(self) -> tuple[int, ...]:
        """The channels of each of them."""
        return tuple(part.channels for part in self.joined) or (self.input.channels,)

    @property
    def weight_parts(self) -> tuple[int, ...]:
        """The same, those of 16 bits once for both bytes: the channels that weights belong to."""
        parts = self.parts
        return parts[: len(parts) // 2] if self.input.wide and self.joined else parts

    @property
    def wide(self) -> bool:
        """Whether the convolution reads or makes 16 bits."""
        return self.input.wide or self.raw.wide

    @property
    def skip_tensor(self) -> str | None:
        """The stored tensor that is added to the convolution's output."""
        return None if self.second is None else self.second.tensor

    @property
    def output_tensor(self) -> str:
        """The tensor that is stored."""
        return self.layers[-1].output

    @property
    def stored_tensors(self) -> tuple[str, ...]:
        """All tensors that are stored, in the order of the chain."""
        kept = self.kept_tensor
        if self.output.wide:
            return plane_names(self.output_tensor)
        return (self.output_tensor,) if kept is None else (kept, self.output_tensor)

    @property
    def kept_tensor(self) -> str | None:
        """The tensor that is pooled, if it is stored, too."""
        return self.pool.inputs[0] if self.pool is not None and self.keeps else None


def _kept_step(axis: Axis) -> int:
    """The greatest step of input pixels that names all a window reads: 2 for a 1x1 of stride 2."""
    return gcd(axis.in_step, *(offset - axis.low for offset in axis.offsets))


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
        """Groups of `columns` grid positions in a row of the tile."""
        return -(-len(self.cols.grid) // columns)


@dataclass(frozen=True, kw_only=True, eq=False)
class StageLists:
    """The reduction lists of a stage on M rows and N lanes, whatever its tiles.

    `steps` are the lengths K of the lists; the last list is the dead one, of a single step with
    zero weights, if a pass has nothing to sum. `entries` counts the entries of all lists.
    `groups` are the passes that fill a half of the output buffer together, in order: those of the
    blocks that gather one plane when M < N, else of one block. `word_channels` share a word of it.
    """

    taps: Taps
    steps: tuple[int, ...]
    entries: int
    groups: tuple[tuple[PassTaps, ...], ...]
    word_channels: int

    def planes_of(self, wide: bool) -> "StageLists":
        """The same for outputs of 16 bits: all passes for the upper bytes, then for the lower."""
        if not wide:
            return self
        return replace(
            self,
            groups=tuple(
                tuple(replace(item, plane=plane) for item in group)
                for plane in (UPPER, LOWER)
                for group in self.groups
            ),
        )

    @cached_property
    def passes(self) -> tuple[PassTaps, ...]:
        """All passes in order."""
        return tuple(item for group in self.groups for item in group)

    @property
    def dead(self) -> int | None:
        """The dead list's number, if there is one."""
        lists = len(self.taps.lists)
        return lists if len(self.steps) > lists else None

    @cached_property
    def of_pass(self) -> tuple[int, ...]:
        """The list of each pass."""
        dead = len(self.taps.lists)
        return tuple(dead if item.number is None else item.number for item in self.passes)

    @cached_property
    def pass_steps(self) -> tuple[int, ...]:
        """K of each pass."""
        return tuple(self.steps[index] for index in self.of_pass)

    @property
    def phase_slots(self) -> int:
        """Phases that a plane of the output buffer has room for: whole bundles."""
        return -(-self.taps.phases // self.taps.bundle) * self.taps.bundle


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tiling:
    """A stage cut into tiles, and the buffer geometry that all its tiles share.

    Rows of tiles are the outer order.
    """

    stage: Stage
    accelerator: Accelerator
    lists: StageLists
    rows: AxisTiles
    cols: AxisTiles
    columns: ColumnPhases
    row_step: int
    plane_words: int
    in_planes: int
    out_planes: int  # of 16 bits twice as many are stored

    def tiles(self) -> Iterator[Tile]:
        """All tiles in program order."""
        for row, col in product(self.rows, self.cols):
            yield Tile(rows=row, cols=col)

    def beats(self, cols: AxisTile) -> ColumnBeats:
        """The columns of a tile in beats."""
        _, front = _window_axes(self.stage)
        return column_beats(cols.read, front, self.accelerator.beat_pixels)

    @property
    def stored_planes(self) -> int:
        """Planes that are stored, those of both bytes of 16 bits."""
        return self.out_planes * (1 + self.stage.output.wide)

    @property
    def out_words(self) -> int:
        """Words per bank that the largest tile needs in one half of the output buffer."""
        largest = self.rows.largest_grid * -(-self.cols.largest_grid // self.accelerator.p)
        return largest * self.lists.phase_slots * self.half_planes

    @property
    def half_planes(self) -> int:
        """Planes that a half of the output buffer holds; the last one of a tile may hold fewer."""
        return 1 if self.lists.taps.bundle > 1 else self.accelerator.planes_per_half

    @property
    def skip_planes(self) -> int:
        """Planes of the second tensor of a sum that memory holds; the others are zeros."""
        skip = self.stage.skip
        return 0 if skip is None else -(-skip.channels // self.accelerator.n)

    @property
    def planes_of_halves(self) -> tuple[range, ...]:
        """The stored planes in each half that a tile fills, in order."""
        step, planes = self.half_planes, self.out_planes
        return tuple(range(k, min(k + step, planes)) for k in range(0, planes, step))

    @property
    def act_words(self) -> int:
        """Words per bank that a tile needs in one half of the activation buffer."""
        return self.plane_words * self.in_planes


def _pool_axes(stage: Stage) -> tuple[PoolAxis | None, PoolAxis | None]:
    pool = stage.pool
    if pool is None:
        return None, None
    rows, cols = (
        PoolAxis(kernel=kernel, stride=stride, pad=pad, outputs=outputs if stage.keeps else None)
        for kernel, stride, pad, outputs in zip(
            pool.kernel,
            pool.strides,
            (pool.pads.top, pool.pads.left),
            (stage.output.height, stage.output.width),
            strict=True,
        )
    )
    return rows, cols


def _window_axes(stage: Stage) -> tuple[WindowAxis | None, WindowAxis | None]:
    layer, source = stage.window, stage.source
    if layer is None:
        return None, None
    (stride_h, stride_w), (kernel_h, kernel_w) = layer.strides, layer.weight.shape[2:]
    return (
        WindowAxis(kernel=kernel_h, stride=stride_h, pad=layer.pads.top, size=source.height),
        WindowAxis(kernel=kernel_w, stride=stride_w, pad=layer.pads.left, size=source.width),
    )


@lru_cache(maxsize=4096)
def bundle_choices(stage: Stage, *, m: int, n: int, q: int) -> tuple[int, ...]:
    """How many phases one pass may make: one, or a power of two that its rows have room for.

    Phases side by side need every output channel in one word, and whole drain groups of Q.
    """
    if not stage.may_bundle:
        return (1,)
    y, x = convolution_axes(stage.conv)
    phases = y.out_step * x.out_step
    channels = stage.raw.channels
    most = 1 << (phases - 1).bit_length()
    powers = (1 << bits for bits in range(1, most.bit_length()))
    fits = [b for b in powers if m % b == 0 and max(channels, q) <= m // b <= n]
    return (1, *fits)


@lru_cache(maxsize=4096)
def stage_lists(stage: Stage, *, m: int, n: int, bundle: int = 1) -> StageLists:
    """The lists of `stage` with `bundle` phases a pass; a pass without taps gets the dead list.

    Taps whose weights are all zero are left out, unless they are to stay or that makes the lists
    long.
    """
    y, x = convolution_axes(stage.conv, stage.input, stage.raw)
    if stage.raw.width == 1:
        # One output per row: the stride leads nowhere, and the columns need no phases.
        x = replace(x, in_step=1)
    conv, block = stage.conv, m // bundle
    geometry = {
        "y": y,
        "x": x,
        "shape": conv.weight.shape[:2],
        "groups": conv.groups,
        "in_block": n,
        "out_block": block,
        "bundle": bundle,
        "parts": stage.weight_parts,
        "wide": stage.input.wide,
    }
    lists = _lists(window_taps(**geometry), m=m, n=n).planes_of(stage.raw.wide)
    if stage.keep_zeros:
        return lists
    zeros = zero_taps(conv, in_block=n, out_block=block, parts=stage.weight_parts)
    if not zeros:
        return lists
    pruned = _lists(window_taps(**geometry, zeros=zeros), m=m, n=n).planes_of(stage.raw.wide)
    return pruned if pruned.entries <= max(lists.entries, _MOST_PRUNED_ENTRIES) else lists


@lru_cache(maxsize=1024)
def _lists(taps: Taps, *, m: int, n: int) -> StageLists:
    block, bundle = taps.out_block, taps.bundle
    gathered = max(1, n // m) if bundle == 1 else 1
    per_block = len({item.phases for item in taps.passes})
    passes = list(taps.passes)
    # Blocks beyond the last channel, M < N: their words hold the zero point.
    per_group = gathered * per_block
    last = passes[-per_block:]
    for number in range(-len(passes) % per_group // per_block):
        passes += [replace(p, block=p.block + 1 + number, number=None) for p in last]
    dead = any(item.number is None for item in passes)
    return StageLists(
        taps=taps,
        steps=(*(len(own) for own in taps.lists), *([1] if dead else [])),
        entries=sum(len(list(runs(own))) for own in taps.lists) + dead,
        groups=tuple(
            tuple(passes[first : first + per_group]) for first in range(0, len(passes), per_group)
        ),
        word_channels=min(block, n) if bundle > 1 else n,
    )


@lru_cache(maxsize=4096)
def _stage_rows(stage: Stage, lists: StageLists, tile: int) -> AxisTiles:
    """Tiles of so many rows, which keep those of the input that taps name."""
    axis, (pool, _), (front, _) = lists.taps.y, _pool_axes(stage), _window_axes(stage)
    return axis_tiles(
        axis=axis,
        size=stage.output.height,
        tile=tile,
        raw_size=stage.raw.height,
        in_size=stage.input.height,
        pool=pool,
        step=_kept_step(axis) if front is None or front.plain else 1,
        front=front,
    )


@lru_cache(maxsize=4096)
def _stage_cols(stage: Stage, lists: StageLists, tile: int) -> AxisTiles:
    """Tiles of so many columns."""
    (_, pool), (_, front) = _pool_axes(stage), _window_axes(stage)
    return axis_tiles(
        axis=lists.taps.x,
        size=stage.output.width,
        tile=tile,
        raw_size=stage.raw.width,
        in_size=stage.input.width,
        pool=pool,
        step=1,
        front=front,
    )


def tiling(
    stage: Stage,
    accelerator: Accelerator,
    *,
    tile_rows: int,
    tile_cols: int,
    rotation: tuple[int, ...] | None = None,
    bundle: int = 1,
    lists: StageLists | None = None,
) -> Tiling:
    """Cuts the stored tensor of `stage` into tiles of at most `tile_rows` x `tile_cols` pixels.

    `rotation` defaults to the best one; `bundle` output phases are made by one pass. `lists` are
    those of the stage with this bundle, if they are known. Nothing is checked against the buffers
    here.
    """
    if lists is None:
        lists = stage_lists(stage, m=accelerator.m, n=accelerator.n, bundle=bundle)
    taps = lists.taps
    rows = _stage_rows(stage, lists, tile_rows)
    cols = _stage_cols(stage, lists, tile_cols)
    stride = taps.x.in_step
    if rotation is None:
        rotation = best_rotation(
            stride=stride,
            banks=accelerator.p,
            beat_pixels=accelerator.beat_pixels,
            residue=-taps.x.low % stride,
        )
    columns = column_phases(
        stride=stride,
        banks=accelerator.p,
        columns=cols.largest_window,
        rotation=rotation,
    )
    return Tiling(
        stage=stage,
        accelerator=accelerator,
        lists=lists,
        rows=rows,
        cols=cols,
        columns=columns,
        row_step=taps.y.in_step // rows[0].step * columns.row_words,
        plane_words=rows.largest_window * columns.row_words,
        in_planes=plane_count(stage.parts, accelerator.n),
        out_planes=-(-stage.output.channels // accelerator.n),
    )


def rows_beyond(tilings: Iterable[Tiling]) -> dict[str, int]:
    """Rows behind the last that may be read of second tensors, and mean nothing.

    A load of several row phases has as many rows of each.
    """
    rows: dict[str, int] = {}
    for tiling_ in tilings:
        skip = tiling_.stage.skip_tensor
        if skip is not None:
            rows[skip] = max(rows.get(skip, 0), tiling_.lists.taps.y.out_step - 1)
    return rows
