# SPDX-License-Identifier: Apache-2.0
"""Tiles along one image axis: what each stores, computes and reads, and sums over them."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache

from flexcc.taps import Axis
from flexcc.windows import Read, WindowAxis, read_of

__all__ = ["AxisTile", "AxisTiles", "PoolAxis", "Span", "axis_tile", "axis_tiles"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """The positions start, ..., stop - 1."""

    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolAxis:
    """One axis of a pooling window; `pad` is the padding before the first pixel.

    `outputs` is the number of pooled pixels, given where those in front of them are stored, too.
    """

    kernel: int
    stride: int
    pad: int
    outputs: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AxisTile:
    """One axis of one tile, in pixels.

    `stored` of the stored tensor need `raw` of the convolution's output, which the positions `grid`
    of the array make; the first pool window starts `origin` pixels after raw.start. Of `raw` the
    tile stores `kept`, from the first on: what no later tile stores, if it is stored. The input
    window has `pad_before` pixels of padding, `count` pixels of the convolution's input from
    `start` on, `step` apart, and `pad_after` pixels of padding. For these `read` is read.
    """

    stored: Span
    raw: Span
    kept: Span
    grid: Span
    origin: int
    pad_before: int
    start: int
    count: int
    step: int
    pad_after: int
    read: Read

    @property
    def window(self) -> int:
        """Pixels of the input window."""
        return self.pad_before + self.count + self.pad_after

    @property
    def walked(self) -> int:
        """Pixels that the windows in front walk over: those read and padding behind."""
        return self.read.count + self.read.extra

    @property
    def sizes(self) -> tuple[int, ...]:
        """Equal for rows of tiles that take equal cycles, wherever they lie."""
        spans = (self.stored, self.kept, self.raw, self.grid)
        return (*map(len, spans), self.count, self.window, self.walked)


def axis_tile(
    stored: Span,
    *,
    axis: Axis,
    raw_size: int,
    in_size: int,
    pool: PoolAxis | None,
    step: int,
    front: WindowAxis | None = None,
) -> AxisTile:
    """The tile of the stored positions `stored`, keeping every `step`-th input pixel.

    `step` divides the input step and all distances between tap offsets. With several phases there
    is no pool and stored.start is a multiple of the output step. `front` makes the input.
    """
    raw, kept, origin = stored, Span(start=0, stop=0), 0
    if pool is not None:
        first = stored.start * pool.stride - pool.pad
        last = (stored.stop - 1) * pool.stride - pool.pad + pool.kernel - 1
        start = min(max(first, 0), raw_size - 1)
        stop = max(min(last, raw_size - 1), start) + 1
        if pool.outputs is not None:
            # Also the pixels between this tile's windows and the next one's, or the border.
            following = stored.stop * pool.stride - pool.pad
            end = raw_size if stored.stop == pool.outputs else min(max(following, 0), raw_size)
            kept = Span(start=min(max(first, 0), raw_size), stop=end)
            stop = max(stop, end)
        raw = Span(start=start, stop=stop)
        origin = first - start
    grid = Span(start=raw.start // axis.out_step, stop=-(-raw.stop // axis.out_step))
    begin = grid.start * axis.in_step + axis.low
    window = ((len(grid) - 1) * axis.in_step + axis.high - axis.low) // step + 1
    before = min(max(-(begin // step), 0), window)
    within = max(0, (in_size - 1 - begin) // step + 1) - before
    count = max(0, min(within, window - before))
    start = begin + before * step if count else 0
    return AxisTile(
        stored=stored,
        raw=raw,
        kept=kept,
        grid=grid,
        origin=origin,
        pad_before=before,
        start=start,
        count=count,
        step=step,
        pad_after=window - before - count,
        read=read_of(start, count, step, front),
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class AxisTiles:
    """Tiles of one axis in order, and sums over them, each of which is found once."""

    tiles: tuple[AxisTile, ...]

    def __len__(self) -> int:
        return len(self.tiles)

    def __iter__(self) -> Iterator[AxisTile]:
        return iter(self.tiles)

    def __getitem__(self, number: int) -> AxisTile:
        return self.tiles[number]

    @cached_property
    def stored(self) -> int:
        """Positions of the stored tensor."""
        return sum(len(tile.stored) for tile in self.tiles)

    @cached_property
    def kept(self) -> int:
        """Positions stored of what is pooled."""
        return sum(len(tile.kept) for tile in self.tiles)

    @cached_property
    def raw(self) -> int:
        """Positions of the convolution's output, those that tiles share counted for each."""
        return sum(len(tile.raw) for tile in self.tiles)

    @cached_property
    def grid(self) -> int:
        """Positions of the array."""
        return sum(len(tile.grid) for tile in self.tiles)

    @cached_property
    def count(self) -> int:
        """Pixels of the windows inside the image."""
        return sum(tile.count for tile in self.tiles)

    @cached_property
    def padding(self) -> int:
        """Pixels of the windows outside."""
        return sum(tile.pad_before + tile.pad_after for tile in self.tiles)

    @cached_property
    def read(self) -> int:
        """Pixels that memory brings."""
        return sum(tile.read.count for tile in self.tiles)

    @cached_property
    def alike(self) -> tuple[tuple[AxisTile, int], ...]:
        """The first tile of each `sizes`, and how many have them."""
        found: dict[tuple[int, ...], list[AxisTile]] = {}
        for tile in self.tiles:
            found.setdefault(tile.sizes, []).append(tile)
        return tuple((tiles[0], len(tiles)) for tiles in found.values())

    @cached_property
    def largest_grid(self) -> int:
        """Positions of the array in the largest tile."""
        return max(len(tile.grid) for tile in self.tiles)

    @cached_property
    def largest_window(self) -> int:
        """Pixels of the largest window."""
        return max(tile.window for tile in self.tiles)


def _spans(size: int, step: int) -> list[Span]:
    return [Span(start=s, stop=min(s + step, size)) for s in range(0, size, step)]


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
    front: WindowAxis | None = None,
) -> AxisTiles:
    """Tiles of `tile` stored positions, the last one less, that cover all `size` of them."""
    tiles = tuple(
        axis_tile(
            span, axis=axis, raw_size=raw_size, in_size=in_size, pool=pool, step=step, front=front
        )
        for span in _spans(size, tile)
    )
    return AxisTiles(tiles=tiles)
