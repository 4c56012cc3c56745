# SPDX-License-Identifier: Apache-2.0
"""Which stored tiles hold the pixels that a tile reads: what its load waits for."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from operator import add
from typing import NamedTuple

from flexcc.cores import core_rows, core_tiles
from flexcc.tiles import Span, Tile, Tiling

__all__ = ["StoredTiles", "WaitingTile", "stored_tiles", "wait_tiles", "waiting_tiles"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTiles:
    """The tiles of a tensor in memory.

    The first that core c stores is number `first[c]` of its program, counted from 0; `places` tell
    of each row of tiles which core stores it, as which of its rows.
    """

    first: tuple[int, ...]
    places: tuple[tuple[int, int], ...]
    rows: tuple[Span, ...]
    cols: tuple[Span, ...]

    def needed(self, reader: Tile) -> tuple[int, ...]:
        """Tiles of each core's program up to the last one that the window of `reader` reads.

        0 for a core that stores none of its pixels.
        """
        rows, cols = reader.rows.read, reader.cols.read
        if not rows.count or not cols.count:
            return (0,) * len(self.first)
        last_row = rows.start + (rows.count - 1) * rows.step
        return self._until(rows.start, last_row, cols.start + cols.count - 1)

    def needed_beside(self, writer: Tile, repeats: int = 1) -> tuple[int, ...]:
        """As above, up to the last one whose pixels are summed with those of `writer`.

        Its outputs before pooling have the tensor's size, with `repeats` rows for each.
        """
        rows, cols = writer.rows.raw, writer.cols.raw
        return self._until(rows.start // repeats, (rows.stop - 1) // repeats, cols.stop - 1)

    def _until(self, first_row: int, last_row: int, last_col: int) -> tuple[int, ...]:
        result = [0] * len(self.first)
        top, bottom = _tile_of(self.rows, first_row), _tile_of(self.rows, last_row)
        col = _tile_of(self.cols, last_col)
        for core, place in self.places[top : bottom + 1]:
            count = self.first[core] + place * len(self.cols) + col + 1
            result[core] = max(result[core], count)
        return tuple(result)


def _tile_of(spans: tuple[Span, ...], position: int) -> int:
    return bisect_right(spans, position, key=lambda span: span.start) - 1


def stored_tiles(tiling: Tiling, first: tuple[int, ...]) -> dict[str, StoredTiles]:
    """The tiles of what a stage stores, by tensor.

    The first that each core stores has the number `first` of its program.
    """
    places = [(0, 0)] * len(tiling.rows)
    for core, order in enumerate(core_rows(len(tiling.rows), len(first))):
        for place, row in enumerate(order):
            places[row] = (core, place)
    stored = StoredTiles(
        first=first,
        places=tuple(places),
        rows=tuple(row.stored for row in tiling.rows),
        cols=tuple(col.stored for col in tiling.cols),
    )
    result = dict.fromkeys(tiling.stage.stored_tensors, stored)
    if tiling.stage.kept_tensor is not None:
        rows = tuple(row.kept for row in tiling.rows)
        cols = tuple(col.kept for col in tiling.cols)
        result[tiling.stage.kept_tensor] = replace(stored, rows=rows, cols=cols)
    return result


def wait_tiles(reader: Tile, sources: Iterable[StoredTiles], cores: int) -> tuple[int, ...]:
    """Stored tiles of each core's program that the window of `reader` waits for.

    `sources` hold the channels of the tensor that it reads, graph inputs left out.
    """
    needed = (source.needed(reader) for source in sources)
    return tuple(map(max, zip((0,) * cores, *needed, strict=True)))


class WaitingTile(NamedTuple):
    """A tile, its number in its stage, and whether it is the `first` or `last` of it on its core.

    `waits` are the stored tiles of each core's program that its load waits for, `skip_waits` those
    that the load of its second tensor waits for; None if no stage stores that.
    """

    core: int
    number: int
    tile: Tile
    first: bool
    last: bool
    waits: tuple[int, ...]
    skip_waits: tuple[int, ...] | None


def waiting_tiles(tilings: Sequence[Tiling]) -> Iterator[tuple[WaitingTile, ...]]:
    """Of each stage of a network its tiles, core by core, in the order of the core's program."""
    producers: dict[str, StoredTiles] = {}
    cores = tilings[0].accelerator.cores
    first = (0,) * cores
    for tiling in tilings:
        stage, tiles = tiling.stage, tuple(tiling.tiles())
        sources = [producers[name] for name in stage.sources if name in producers]
        second = stage.second
        beside = None if second is None else producers.get(second.tensor)
        repeats = 1 if second is None else second.repeats
        order = core_tiles(len(tiling.rows), len(tiling.cols), cores)
        yield tuple(
            WaitingTile(
                core=core,
                number=number,
                tile=tiles[number],
                first=number == own[0],
                last=number == own[-1],
                waits=wait_tiles(tiles[number], sources, cores),
                skip_waits=None if beside is None else beside.needed_beside(tiles[number], repeats),
            )
            for core, own in enumerate(order)
            for number in own
        )
        producers.update(stored_tiles(tiling, first))
        first = tuple(map(add, first, map(len, order)))
