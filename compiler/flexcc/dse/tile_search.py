# SPDX-License-Identifier: Apache-2.0
"""The best tiles of a stage on an accelerator: enumeration, cut short by bounds."""

from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from flexcc.accelerator import Accelerator
from flexcc.dse.closed_form import RowCycles, StageCycles, row_cycles, stage_cycles
from flexcc.dse.fuse_windows import apart
from flexcc.dse.latency import array_latency, rows_load
from flexcc.dse.layer_cost import best_lists
from flexcc.dse.mapping import Group, WeightMode, chain_of
from flexcc.dse.space import Shortage, column_choices, first_shortage, legal_modes, row_choices
from flexcc.dse.traffic import stage_traffic
from flexcc.errors import DoesNotFitError
from flexcc.ir.layers import Conv2d
from flexcc.tiles import Stage, StageLists, Tiling, tiling

__all__ = ["Candidate", "TileSearch", "choices_of", "geometry", "leaves_pixels_out"]

_NEARLY_AS_FAST = 1.0005


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A stage's tiles and what they cost.

    `cost` are the cycles of the stage alone: those of its engines, or of the memory channels.
    """

    group: Group
    tiling: Tiling
    cycles: StageCycles
    cost: float

    @property
    def second_key(self) -> tuple[bool, int, int]:
        """What decides between equally fast tiles: overlap with the next stage, traffic, room."""
        tiles = self.tiling
        traffic = stage_traffic(tiles, self.group.weights).total
        few = len(tiles.rows) < 3 * tiles.accelerator.cores
        return few, traffic, tiles.act_words + tiles.out_words

    def of_stage(self, stage: Stage) -> "Candidate":
        """The same for a stage of the same geometry."""
        if stage is self.tiling.stage:
            return self
        return replace(
            self,
            group=replace(self.group, chain=chain_of(stage)),
            tiling=replace(self.tiling, stage=stage),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Floor:
    """What tiles of one width take at the least: every output made once, and nothing read twice.

    `busy` are the cycles of the busiest engine or of the memory channels, `half` those of array and
    store, by which a half of the output buffer is held; `latency` is the array's. `row` is what a
    row takes.
    """

    width: int
    row: RowCycles
    heights: list[int]
    busy: float
    moved: float
    array: float
    half: float
    columns: int
    groups: int
    latency: int

    def least(self, tiling_rows: int, cores: int) -> float:
        """No tiles in so many rows or more take fewer cycles."""
        halves = -(-tiling_rows // cores) * self.columns * self.groups * self.latency
        return max(self.moved, max(self.busy, (self.half + halves) / 2) + self.latency)


def choices_of(
    stage: Stage, accelerator: Accelerator, lists: StageLists
) -> Iterator[tuple[int, list[int]]]:
    """Tile widths, each with the tile heights, rising, that give different numbers of tiles."""
    taps = lists.taps
    heights = row_choices(stage.output.height, taps.y.out_step)
    for width in column_choices(stage.output.width, accelerator.beat_pixels, taps.x.out_step):
        yield width, heights


class TileSearch:
    """Finds the best tiles on one accelerator; stages of equal geometry are searched once.

    The device's memory channels carry `carried` bytes a cycle.
    """

    def __init__(self, accelerator: Accelerator, carried: float) -> None:
        self.accelerator, self._carried = accelerator, carried
        self._known: dict[object, Candidate | Shortage] = {}

    def best(self, stage: Stage) -> list[Candidate]:
        """The best tiles of a stage, a layer in front of the array or on it, as is faster.

        Raises:
            DoesNotFitError: it has no legal tiles; names layer, resource, needed and available.
        """
        return _fused_or_apart(stage, self._best_tiles)

    def of_size(self, stage: Stage, rows: int, columns: int) -> list[Candidate]:
        """The largest tiles of a stage within a size, or its smallest; as `best` in front.

        Raises:
            DoesNotFitError: they are not legal.
        """
        return _fused_or_apart(stage, lambda part: self._of_size(part, rows, columns))

    def _of_size(self, stage: Stage, rows: int, columns: int) -> Candidate:
        a = self.accelerator
        lists = self.lists_of(stage)
        mode = self._modes(lists)[0]
        choices = dict(choices_of(stage, a, lists))
        width = max((w for w in choices if w <= columns), default=min(choices))
        height = max((h for h in choices[width] if h <= rows), default=min(choices[width]))
        tiles = self._tiling(stage, lists, height, width)
        shortage = first_shortage(tiles, mode)
        if shortage is not None:
            raise DoesNotFitError(f"{shortage} (array {a.m},{a.p},{a.n})")
        return self.candidate(tiles, mode)

    def every(self, stage: Stage) -> Iterator[Candidate]:
        """All legal tiles of a stage, each in all weight modes that the rings allow."""
        lists = self.lists_of(stage)
        for mode in self._modes(lists):
            for width, heights in choices_of(stage, self.accelerator, lists):
                for height in self._legal(stage, lists, width, heights, mode):
                    yield self.candidate(self._tiling(stage, lists, height, width), mode)

    def runner_up(self, chosen: Candidate) -> Candidate | None:
        """The best legal tiles of the stage other than those chosen, or None."""
        stage, lists, mode = chosen.tiling.stage, chosen.tiling.lists, chosen.group.weights
        taken = chosen.group.tile_rows, chosen.group.tile_cols
        best: Candidate | None = None
        for floor in self._floors(stage, lists, mode):
            most = float("inf") if best is None else best.cost
            for other in self._near(stage, lists, mode, floor, most):
                size = other.group.tile_rows, other.group.tile_cols
                if size != taken and (best is None or other.cost < best.cost):
                    best = other
        return best

    def lists_of(self, stage: Stage) -> StageLists:
        """The reduction lists of a stage."""
        a = self.accelerator
        return best_lists(stage, m=a.m, p=a.p, n=a.n, q=a.q, drain_cycles=a.drain_cycles)

    def _modes(self, lists: StageLists) -> list[WeightMode]:
        a = self.accelerator
        return legal_modes(lists, weight_words=a.weight_words, param_passes=a.param_passes)

    def _best_tiles(self, stage: Stage) -> Candidate:
        a = self.accelerator
        lists = self.lists_of(stage)
        key = geometry(stage, lists)
        if key not in self._known:
            self._known[key] = self._search(stage, lists)
        found = self._known[key]
        if isinstance(found, Shortage):
            found = replace(found, layer=stage.name)
            raise DoesNotFitError(f"{found} (array {a.m},{a.p},{a.n})")
        return found.of_stage(stage)

    def _search(self, stage: Stage, lists: StageLists) -> Candidate | Shortage:
        """The best legal tiles, or why the smallest ones are not legal.

        Widths are left out, and small heights, where a bound on their cycles is above what is near
        the best so far.
        """
        mode = self._modes(lists)[0]
        found: list[Candidate] = []
        fastest = float("inf")
        for floor in self._floors(stage, lists, mode):
            for item in self._near(stage, lists, mode, floor, fastest * _NEARLY_AS_FAST):
                if item.cost <= fastest * _NEARLY_AS_FAST:
                    fastest = min(fastest, item.cost)
                    found.append(item)
        if not found:
            return self._shortage(stage, lists, mode)
        near = sorted(
            (item for item in found if item.cost <= fastest * _NEARLY_AS_FAST),
            key=lambda item: (item.group.tile_cols, item.group.tile_rows),
        )
        return min(near, key=lambda item: item.second_key)

    def _shortage(self, stage: Stage, lists: StageLists, mode: WeightMode) -> Shortage:
        """Why no tiles of the stage are legal: what the smallest of the least width lack."""
        width, heights = next(choices_of(stage, self.accelerator, lists))
        why = first_shortage(self._tiling(stage, lists, heights[0], width), mode)
        assert why is not None
        return why

    def _floors(self, stage: Stage, lists: StageLists, mode: WeightMode) -> list[_Floor]:
        """The widths, those with the least hope of being slow first."""
        floors = []
        for width, heights in choices_of(stage, self.accelerator, lists):
            floors.append(self._floor(stage, lists, mode, width, heights))
        return sorted(floors, key=lambda floor: (floor.least(1, 1), floor.width))

    def _floor(
        self, stage: Stage, lists: StageLists, mode: WeightMode, width: int, heights: list[int]
    ) -> _Floor:
        a = self.accelerator
        whole = self._tiling(stage, lists, stage.output.height, width)
        row = row_cycles(whole)
        if leaves_pixels_out(stage):
            # The largest tiles are not those that make and read the least.
            return _Floor(
                width=width,
                row=row,
                heights=heights,
                busy=0.0,
                moved=0.0,
                array=0.0,
                half=0.0,
                columns=len(whole.cols),
                groups=len(lists.groups),
                latency=array_latency(a),
            )
        cycles = stage_cycles(whole, mode, row)
        # Weights are fetched once at least, by each core; streamed ones with the pixels.
        weights = cycles.weights / (a.cores if mode is WeightMode.STREAM else 1)
        work = max(cycles.load, cycles.skip, cycles.array, cycles.store) / a.cores
        return _Floor(
            width=width,
            row=row,
            heights=heights,
            busy=max(weights, work),
            moved=stage_traffic(whole, mode).total / self._carried,
            array=cycles.array / a.cores,
            half=(cycles.array + cycles.store) / a.cores,
            columns=len(whole.cols),
            groups=len(lists.groups),
            latency=array_latency(a),
        )

    def _near(
        self, stage: Stage, lists: StageLists, mode: WeightMode, floor: _Floor, most: float
    ) -> Iterator[Candidate]:
        """The legal tiles of a width, highest first, but those that must take more than `most`."""
        a = self.accelerator
        if floor.least(1, a.cores) > most:
            return
        for height in reversed(self._legal(stage, lists, floor.width, floor.heights, mode)):
            if floor.least(-(-stage.output.height // height), a.cores) > most:
                return
            tiles = self._tiling(stage, lists, height, floor.width)
            first = rows_load(tiles, tiles.rows[0], floor.row.loads[0])
            if first + floor.array + floor.latency <= most:
                item = self.candidate(tiles, mode, floor.row)
                most = min(most, item.cost * _NEARLY_AS_FAST)
                yield item

    def _legal(
        self,
        stage: Stage,
        lists: StageLists,
        width: int,
        heights: list[int],
        mode: WeightMode,
    ) -> list[int]:
        """The heights, in rising order, that are legal at a width."""

        def lacks(height: int) -> bool:
            return first_shortage(self._tiling(stage, lists, height, width), mode) is not None

        return heights[: bisect_left(heights, True, key=lacks)]

    def _tiling(self, stage: Stage, lists: StageLists, rows: int, width: int) -> Tiling:
        return tiling(
            stage,
            self.accelerator,
            tile_rows=rows,
            tile_cols=width,
            bundle=lists.taps.bundle,
            lists=lists,
        )

    def candidate(self, tiles: Tiling, mode: WeightMode, row: RowCycles | None = None) -> Candidate:
        """What these tiles cost in this mode, of which a `row` may be known; legal or not."""
        stage = tiles.stage
        group = Group(
            chain=chain_of(stage),
            tile_rows=len(tiles.rows[0].stored),
            tile_cols=len(tiles.cols[0].stored),
            weights=mode,
            rotation=tiles.columns.rotation,
            bundle=tiles.lists.taps.bundle,
            keep_zeros=stage.keep_zeros,
        )
        cycles = stage_cycles(tiles, mode, row)
        moved = stage_traffic(tiles, mode).total / self._carried
        return Candidate(group=group, tiling=tiles, cycles=cycles, cost=max(cycles.total, moved))


def _fused_or_apart(stage: Stage, tiles_of: Callable[[Stage], Candidate]) -> list[Candidate]:
    """The tiles of a stage; if a layer stands in front of the array, those of both apart if faster.

    Raises:
        DoesNotFitError: `tiles_of` finds none for either.
    """
    if stage.window is None:
        return [tiles_of(stage)]
    try:
        fused = [tiles_of(stage)]
    except DoesNotFitError:
        fused = []
    try:
        two = [tiles_of(part) for part in apart(stage)]
    except DoesNotFitError:
        if not fused:
            raise
        return fused
    if fused and fused[0].cost <= sum(item.cost for item in two):
        return fused
    return two


def leaves_pixels_out(stage: Stage) -> bool:
    """Whether windows lie apart: large tiles make and read what is between, small ones do not."""
    windows = [
        (layer.strides, layer.weight.shape[2:], layer.dilations)
        for layer in (stage.window, stage.conv)
        if isinstance(layer, Conv2d)
    ]
    if stage.pool is not None:
        windows.append((stage.pool.strides, stage.pool.kernel, (1, 1)))
    return any(
        stride > dilation * (kernel - 1) + 1
        for window in windows
        for stride, kernel, dilation in zip(*window, strict=True)
    )


def geometry(stage: Stage, lists: StageLists) -> tuple[object, ...]:
    """Equal for stages whose tiles cost the same and are equally legal.

    The lists stand for the convolution; those of equal taps are one object.
    """
    pool, window = stage.pool, stage.window
    types = (stage.input, stage.read, stage.raw, stage.skip, stage.output)
    return (
        lists,
        tuple(type_ and (type_.channels, type_.height, type_.width) for type_ in types),
        pool and (pool.kernel, pool.strides, pool.pads),
        window and (window.weight.shape, window.strides, window.pads, window.slope is None),
        (stage.parts, stage.keeps, stage.keep_zeros),
        stage.second and stage.second.repeats,
    )
