# SPDX-License-Identifier: Apache-2.0
"""Which stored tiles hold the pixels that a tile reads: what its load waits for."""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass

from flexcc.tiles import Span, Tile, Tiling

__all__ = ["StoredTiles", "stored_tiles", "wait_tiles"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTiles:
    """The tiles of a tensor in memory; rows of tiles are the outer order.

    The first is number `first` of the program, counted from 0.
    """

    first: int
    rows: tuple[Span, ...]
    cols: tuple[Span, ...]

    def needed(self, reader: Tile) -> int:
        """Tiles of the program up to the last one whose pixels the window of `reader` reads.

        0 for a window of padding.
        """
        rows, cols = reader.rows, reader.cols
        if not rows.count or not cols.count:
            return 0
        row = _tile_of(self.rows, rows.start + (rows.count - 1) * rows.step)
        col = _tile_of(self.cols, cols.start + cols.count - 1)
        return self.first + row * len(self.cols) + col + 1


def _tile_of(spans: tuple[Span, ...], position: int) -> int:
    return bisect_right(spans, position, key=lambda span: span.start) - 1


def stored_tiles(tiling: Tiling, first: int) -> dict[str, StoredTiles]:
    """The tiles of what a stage stores, by tensor; its first is number `first` of the program."""
    rows = tuple(row.stored for row in tiling.rows)
    cols = tuple(col.stored for col in tiling.cols)
    result = {tiling.stage.output_tensor: StoredTiles(first=first, rows=rows, cols=cols)}
    if tiling.stage.kept_tensor is not None:
        rows = tuple(row.kept for row in tiling.rows)
        cols = tuple(col.kept for col in tiling.cols)
        result[tiling.stage.kept_tensor] = StoredTiles(first=first, rows=rows, cols=cols)
    return result


def wait_tiles(reader: Tile, sources: Iterable[StoredTiles]) -> int:
    """Stored tiles of the program that the window of `reader` waits for.

    `sources` hold the channels of the tensor that it reads, graph inputs left out.
    """
    return max((source.needed(reader) for source in sources), default=0)
