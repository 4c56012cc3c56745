# SPDX-License-Identifier: Apache-2.0
"""What no mapping on an array falls below by the closed forms, found without searching tiles.

A mapping costs the sum of its stages' closed forms (`Solution.cost`). `Needs` know the
array's size alone and hold for every form of the network; `FormBounds` take the form that the
array gets and, of every stage, the tiles that move and compute the least.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flexcc.accelerator import Accelerator
from flexcc.cores import core_rows
from flexcc.dse.closed_form import stage_cycles
from flexcc.dse.forms import Forms
from flexcc.dse.fuse_windows import apart
from flexcc.dse.latency import array_latency, stage_passes
from flexcc.dse.mapping import WeightMode
from flexcc.dse.shapes import Shape
from flexcc.dse.space import column_choices, row_choices
from flexcc.dse.tile_search import geometry, leaves_pixels_out
from flexcc.dse.traffic import row_beats, stage_traffic
from flexcc.ir.layers import Convolution, ConvTranspose2d
from flexcc.ir.types import TensorType
from flexcc.tiles import Stage, StageLists, Tiling, bundle_choices, stage_lists, tiling

__all__ = ["FormBounds", "Needs"]

_DEEP = 4096
"""Words of buffers that are no limit here."""


class Needs:
    """What the stages of a network need in any form: products, and bytes that move.

    Products with weights other than 0, and the bytes of real channels: a reshape moves them, and
    adds zeros. Left out are layers that lowering adds and second tensors, since forms differ in
    them, and the network's inputs, which the host may lay out otherwise.
    """

    def __init__(self, forms: Forms, carried: float) -> None:
        needs = [
            _needs(stage, forms.inputs)
            for stage in forms.plain_stages()
            if stage.name in forms.names
        ]
        self._products, moved = np.array(needs, dtype=np.float64).T
        self._moving = moved / carried

    def bound(self, shape: Shape, cores: int) -> float:
        """The sum of closed forms if every multiplication of every step were needed."""
        macs = shape.m * shape.p * shape.n * cores
        return float(np.maximum(self._products / macs, self._moving).sum())


def _needs(stage: Stage, inputs: frozenset[str]) -> tuple[int, int]:
    """Products and bytes of a stage."""
    conv = stage.conv
    if leaves_pixels_out(stage):
        return 0, _bytes(stage.output)
    whole = _cut(stage, _deepest(m=4, p=1, n=4, beat_bytes=8), None)
    rows, cols = whole.rows[0], whole.cols[0]
    counts = np.multiply.outer(
        _uses(conv, 0, stage.input.height, min(stage.raw.height, rows.grid.stop * _step(conv, 0))),
        _uses(conv, 1, stage.input.width, min(stage.raw.width, cols.grid.stop * _step(conv, 1))),
    )
    # Element by element takes a sixth of the time of `axis=(0, 1)`.
    weights = np.array(
        [[np.count_nonzero(w) for w in row] for row in conv.weight.transpose(2, 3, 0, 1)]
    )
    moved = int(weights[counts > 0].sum()) + _bytes(stage.output)
    if not inputs.intersection(stage.sources):
        moved += sum(stage.parts) * rows.read.count * cols.read.count
    return int((weights * counts).sum()), moved


def _step(conv: Convolution, axis: int) -> int:
    """Output pixels between positions of the array."""
    return conv.strides[axis] if isinstance(conv, ConvTranspose2d) else 1


def _uses(conv: Convolution, axis: int, inputs: int, outputs: int) -> NDArray[np.int64]:
    """For each element of a kernel's axis the outputs for which it reads a pixel of the image.

    What it reads elsewhere is padding, which some forms leave out.
    """
    stride, dilation = conv.strides[axis], conv.dilations[axis]
    pad = (conv.pads.top, conv.pads.left)[axis]
    many, few = outputs, inputs
    if isinstance(conv, ConvTranspose2d):
        many, few = inputs, outputs
    kernel = np.arange(conv.weight.shape[2 + axis])[:, None]
    reached = np.arange(many) * stride + kernel * dilation - pad
    return np.asarray(((reached >= 0) & (reached < few)).sum(axis=1))


def _bytes(type_: TensorType) -> int:
    return type_.channels * type_.height * type_.width


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    """A stage on M rows and N lanes: pixel groups of `steps` in a row of `columns`.

    Of each height of tiles that may be best the cycles to move its bytes and the rows of the core
    that has the most. `engines` is what others take whatever the tiles.
    """

    columns: int
    steps: int
    engines: float
    heights: tuple[tuple[float, int], ...]

    def cycles(self, p: int, latency: int) -> float:
        """The least closed form on P columns."""
        row = -(-self.columns // p) * self.steps
        return min(
            max(moved, max(self.engines, rows * row) + latency) for moved, rows in self.heights
        )


class FormBounds:
    """Bounds that know the form of the network which suits an array.

    A stage moves the least, and pixel groups are fullest, in tiles as wide as the image. The fewer
    rows of tiles, the less is read twice; with fewer of them than cores some have no work.
    """

    def __init__(self, forms: Forms, beat_bytes: int, carried: float) -> None:
        self._forms, self._beat_bytes, self._carried = forms, beat_bytes, carried
        self._lists: dict[object, tuple[StageLists, ...]] = {}
        self._works: dict[object, tuple[_Work, ...]] = {}

    def bound(self, shape: Shape, cores: int) -> float:
        """The least sum of closed forms on an array of that shape, whatever tiles and buffers."""
        a = _deepest(
            m=shape.m,
            p=shape.p,
            n=shape.n,
            beat_bytes=self._beat_bytes,
            packed=shape.packed,
            cores=cores,
            sums=shape.sums,
            wide=shape.wide,
        )
        total = 0.0
        for stage in self._forms.stages(self._forms.graph(m=a.m, p=a.p, n=a.n)):
            one = self._least(stage, a)
            if stage.window is not None:
                one = min(one, sum(self._least(part, a) for part in apart(stage)))
            total += one
        return total

    def _least(self, stage: Stage, a: Accelerator) -> float:
        # The forms' layers live as long as they do.
        key = id(stage.conv), stage.parts, a.m, a.n
        if key not in self._lists:
            choices = bundle_choices(stage, m=a.m, n=a.n, q=1)
            self._lists[key] = tuple(
                stage_lists(stage, m=a.m, n=a.n, bundle=bundle) for bundle in choices
            )
        every = self._lists[key]
        # Loads and stores depend on the columns; several cores' are bounded by what memory moves.
        columns = a.p if a.cores == 1 else 0
        known = geometry(stage, every[0]), a.m, a.n, a.cores, columns
        if known not in self._works:
            self._works[known] = tuple(_work(stage, a, lists, self._carried) for lists in every)
        latency = array_latency(a)
        return min(work.cycles(a.p, latency) for work in self._works[known])


def _deepest(
    *,
    m: int,
    p: int,
    n: int,
    beat_bytes: int,
    packed: bool = False,
    cores: int = 1,
    sums: bool = False,
    wide: bool = False,
) -> Accelerator:
    """An array with the shortest drain, in buffers that hold any tile."""
    return Accelerator(
        m=m,
        p=p,
        n=n,
        q=min(m, n),
        packed=packed,
        beat_bytes=beat_bytes,
        act_words=_DEEP,
        weight_words=_DEEP,
        param_passes=_DEEP,
        out_words=_DEEP,
        list_entries=_DEEP,
        cores=cores,
        sums=sums,
        wide=wide,
    )


def _cut(stage: Stage, a: Accelerator, lists: StageLists | None, rows: int = 0) -> Tiling:
    """Tiles of so many rows, of all if none are given, as wide as the image."""
    height, width = stage.output.height, stage.output.width
    bundle = 1 if lists is None else lists.taps.bundle
    return tiling(stage, a, tile_rows=rows or height, tile_cols=width, bundle=bundle, lists=lists)


def _heights(stage: Stage, lists: StageLists, cores: int) -> Iterator[int]:
    """Tile heights that leave cores without work, and the largest that does not."""
    step = lists.taps.y.out_step
    units = -(-stage.output.height // step)
    for tiles in range(1, units + 1):
        rows = -(-units // tiles)
        yield rows * step
        if -(-units // rows) >= cores:
            return


def _skipping_work(stage: Stage, a: Accelerator, lists: StageLists, carried: float) -> _Work:
    """The work of a stage whose windows lie apart: the least of all heights and of all widths."""
    taps, height, width = lists.taps, stage.output.height, stage.output.width
    rows = [
        tiling(stage, a, tile_rows=h, tile_cols=width, bundle=taps.bundle, lists=lists).rows
        for h in row_choices(height, taps.y.out_step)
    ]
    cols = [
        tiling(stage, a, tile_rows=height, tile_cols=w, bundle=taps.bundle, lists=lists).cols
        for w in column_choices(width, a.beat_pixels, taps.x.out_step)
    ]
    whole = _cut(stage, a, lists)
    read = min(every.read for every in rows)
    beats = min(sum(row_beats(col, a.beat_pixels) for col in every) for every in cols)
    traffic = stage_traffic(whole, WeightMode.KEEP)
    moved = whole.in_planes * read * beats * a.beat_bytes + traffic.weights + traffic.outputs
    made = min(every.grid for every in rows)
    return _Work(
        columns=min(every.grid for every in cols),
        steps=stage_passes(lists, a).steps,
        engines=float(stage_cycles(whole, WeightMode.KEEP).weights),
        heights=((moved / carried, -(-made // a.cores)),),
    )


def _work(stage: Stage, a: Accelerator, lists: StageLists, carried: float) -> _Work:
    if leaves_pixels_out(stage):
        return _skipping_work(stage, a, lists, carried)
    whole = _cut(stage, a, lists)
    cycles = stage_cycles(whole, WeightMode.KEEP)
    engines = float(cycles.weights)
    if a.cores == 1:
        engines = max(engines, cycles.load, cycles.skip, cycles.store)
    rows = len(whole.rows[0].grid)
    heights = []
    for height in _heights(stage, lists, a.cores):
        tiles = _cut(stage, a, lists, height)
        moved = stage_traffic(tiles, WeightMode.KEEP).total / carried
        some_idle = len(tiles.rows) < a.cores
        heights.append((moved, _busiest(tiles) if some_idle else -(-rows // a.cores)))
    return _Work(
        columns=len(whole.cols[0].grid),
        steps=stage_passes(lists, a).steps,
        engines=engines,
        heights=tuple(heights),
    )


def _busiest(tiles: Tiling) -> int:
    """Rows of the core that has the most of them."""
    orders: Sequence[Sequence[int]] = core_rows(len(tiles.rows), tiles.accelerator.cores)
    return max(sum(len(tiles.rows[row].grid) for row in order) for order in orders)
