# SPDX-License-Identifier: Apache-2.0
"""The best tiles of a stage on an accelerator: enumeration, cut short by bounds."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from flexcc.accelerator import Accelerator
from flexcc.dse.fuse_windows import apart
from flexcc.dse.latency import StageCycles, array_latency, stage_cycles
from flexcc.dse.layer_cost import best_lists
from flexcc.dse.mapping import Group, WeightMode, chain_of
from flexcc.dse.space import Shortage, column_choices, first_shortage, legal_modes, row_choices
from flexcc.dse.traffic import stage_traffic
from flexcc.errors import DoesNotFitError
from flexcc.tiles import Stage, StageLists, Tiling, tiling

__all__ = ["Candidate", "TileSearch", "choices_of"]

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
        if stage.window is None:
            return [self._best_tiles(stage)]
        try:
            fused = [self._best_tiles(stage)]
        except DoesNotFitError:
            fused = []
        try:
            two = [self._best_tiles(part) for part in apart(stage)]
        except DoesNotFitError:
            if not fused:
                raise
            return fused
        if fused and fused[0].cost <= sum(item.cost for item in two):
            return fused
        return two

    def every(self, stage: Stage) -> Iterator[Candidate]:
        """All legal tiles of a stage, each in all weight modes that the rings allow."""
        a = self.accelerator
        lists = best_lists(stage, m=a.m, p=a.p, n=a.n, q=a.q, drain_cycles=a.drain_cycles)
        modes = legal_modes(lists, weight_words=a.weight_words, param_passes=a.param_passes)
        for mode in modes:
            for width, heights in choices_of(stage, a, lists):
                legal, _ = self._legal(stage, lists, width, heights, mode)
                for height in legal:
                    yield self._candidate(self._tiling(stage, lists, height, width), mode)

    def runner_up(self, chosen: Candidate) -> Candidate | None:
        """The best legal tiles of the stage other than those chosen, or None."""
        stage, lists, mode = chosen.tiling.stage, chosen.tiling.lists, chosen.group.weights
        taken = chosen.group.tile_rows, chosen.group.tile_cols
        best: Candidate | None = None
        for width, heights in choices_of(stage, self.accelerator, lists):
            legal, _ = self._legal(stage, lists, width, heights, mode)
            for height in reversed(legal):
                if (height, width) == taken:
                    continue
                if best is not None and self._least(stage, lists, width, height) >= best.cost:
                    break
                other = self._candidate(self._tiling(stage, lists, height, width), mode)
                if best is None or other.cost < best.cost:
                    best = other
        return best

    def _best_tiles(self, stage: Stage) -> Candidate:
        a = self.accelerator
        lists = best_lists(stage, m=a.m, p=a.p, n=a.n, q=a.q, drain_cycles=a.drain_cycles)
        key = _geometry(stage, lists)
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
        a = self.accelerator
        mode = legal_modes(lists, weight_words=a.weight_words, param_passes=a.param_passes)[0]
        shortage: Shortage | None = None
        found: list[tuple[int, int, Candidate]] = []
        fastest = float("inf")
        for number, (width, heights) in enumerate(choices_of(stage, a, lists)):
            if self._least(stage, lists, width, heights[-1]) > fastest * _NEARLY_AS_FAST:
                continue
            legal, why = self._legal(stage, lists, width, heights, mode)
            shortage = shortage or why
            for height in reversed(legal):
                if self._least(stage, lists, width, height) > fastest * _NEARLY_AS_FAST:
                    break
                item = self._candidate(self._tiling(stage, lists, height, width), mode)
                if item.cost <= fastest * _NEARLY_AS_FAST:
                    fastest = min(fastest, item.cost)
                    found.append((number, height, item))
        if not found:
            assert shortage is not None
            return shortage
        near = sorted(
            (item for item in found if item[2].cost <= fastest * _NEARLY_AS_FAST),
            key=lambda item: item[:2],
        )
        return min((item[2] for item in near), key=lambda item: item.second_key)

    def _least(self, stage: Stage, lists: StageLists, width: int, height: int) -> float:
        """No tiles of the width, of at most the height, take fewer cycles.

        Every output is computed once at least; each tile holds both halves of the output buffer in
        turn while a block drains.
        """
        a = self.accelerator
        whole = self._tiling(stage, lists, stage.output.height, width)
        (rows,) = whole.rows
        groups = sum(-(-len(col.grid) // a.p) for col in whole.cols)
        steps = sum(max(k, a.drain_cycles) for k in lists.pass_steps)
        array = -(-len(rows.grid) // a.cores) * groups * steps
        row_tiles = -(-stage.output.height // height)
        tiles = -(-row_tiles // a.cores) * len(whole.cols)
        halves = tiles * len(lists.groups) * array_latency(a)
        return max(array, (array + halves) / 2) + array_latency(a)

    def _legal(
        self,
        stage: Stage,
        lists: StageLists,
        width: int,
        heights: list[int],
        mode: WeightMode,
    ) -> tuple[list[int], Shortage | None]:
        """The heights that are legal at a width, and what the next higher one lacks."""
        least, end = 0, len(heights)
        why: Shortage | None = None
        while least < end:
            middle = (least + end) // 2
            shortage = first_shortage(self._tiling(stage, lists, heights[middle], width), mode)
            if shortage is None:
                least = middle + 1
            else:
                end, why = middle, shortage
        return heights[:least], why

    def _tiling(self, stage: Stage, lists: StageLists, rows: int, width: int) -> Tiling:
        return tiling(
            stage,
            self.accelerator,
            tile_rows=rows,
            tile_cols=width,
            bundle=lists.taps.bundle,
            lists=lists,
        )

    def _candidate(self, tiles: Tiling, mode: WeightMode) -> Candidate:
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
        cycles = stage_cycles(tiles, mode)
        moved = stage_traffic(tiles, mode).total / self._carried
        return Candidate(group=group, tiling=tiles, cycles=cycles, cost=max(cycles.total, moved))


def _geometry(stage: Stage, lists: StageLists) -> tuple[object, ...]:
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
    )
