# SPDX-License-Identifier: Apache-2.0
"""A tile's passes, what the array is told before them, and the weights that they need."""

from flexcc.backend.lists import ListRange
from flexcc.backend.plan import ArrayTile, Pass, WeightsFetch
from flexcc.backend.weights import PassImage
from flexcc.dse.mapping import WeightMode
from flexcc.ir.planes import LOWER, UPPER
from flexcc.ir.requantize import Requantization
from flexcc.tiles import Tile, Tiling

__all__ = ["array_tile", "tile_fetches", "tile_passes"]

_PLANES = {None: 0, UPPER: 1, LOWER: 2}


def array_tile(
    tiling_: Tiling, tile: Tile, rq: Requantization, *, mode: WeightMode, last: bool
) -> ArrayTile:
    """What the array is told of a tile, the `last` of its core or not."""
    groups = tile.groups(tiling_.accelerator.p)
    lists = tiling_.lists
    phase_words = len(tile.rows.grid) * groups
    wide = tiling_.stage.wide
    return ArrayTile(
        rows=len(tile.rows.grid),
        groups=groups,
        row_step=tiling_.row_step,
        plane_words=tiling_.plane_words,
        out_plane_words=phase_words * (1 if lists.taps.bundle > 1 else lists.phase_slots),
        zero_point=0 if wide else rq.zero_point,
        low=0 if wide else rq.low,
        high=0 if wide else rq.high,
        keep=int(mode is WeightMode.KEEP and not last),
        stream=int(mode is WeightMode.STREAM),
        word_channels=lists.word_channels.bit_length() - 1,
        lookup=int(tiling_.stage.table is not None),
        summed=int(tiling_.stage.sum is not None),
        wide=int(wide),
        bent=int(tiling_.stage.bend is not None),
    )


def tile_passes(tiling_: Tiling, tile: Tile, ranges: tuple[ListRange, ...]) -> tuple[Pass, ...]:
    """A half is taken by the first pass of a group and handed over by its last one.

    Phases stand one after the other in each plane's words, blocks that gather a plane (M < N) side
    by side in a word.
    """
    lists, m = tiling_.lists, tiling_.accelerator.m
    phase_words = len(tile.rows.grid) * tile.groups(tiling_.accelerator.p)
    numbers = iter(lists.of_pass)
    result = []
    for group in lists.groups:
        first_block = group[0].block
        for position, item in enumerate(group):
            own = ranges[next(numbers)]
            result.append(
                Pass(
                    list_start=own.start,
                    list_entries=own.entries,
                    out_base=item.phases[0] * phase_words,
                    out_byte=(item.block - first_block) * m,
                    take=int(position == 0),
                    hand_over=int(position == len(group) - 1),
                    tile_last=int(group is lists.groups[-1] and position == len(group) - 1),
                    plane=_PLANES[item.plane],
                )
            )
    return tuple(result)


def tile_fetches(
    images: tuple[PassImage, ...],
    address: int,
    beat_bytes: int,
    *,
    mode: WeightMode,
    first: bool,
    pixel_groups: int,
) -> tuple[tuple[WeightsFetch, ...], ...]:
    """What the weight load engine reads for a tile, by the pass before which it is told so."""
    if mode is not WeightMode.STREAM:
        size = sum(image.size for image in images)
        whole = (_fetch(address, size, 1, beat_bytes),)
        needed = first or mode is WeightMode.RELOAD
        return (whole if needed else (), *(() for _ in images[1:]))
    result = []
    for image in images:
        weights = address + len(image.parameters)
        result.append(
            (
                _fetch(address, len(image.parameters), 1, beat_bytes),
                _fetch(weights, len(image.weights), pixel_groups, beat_bytes),
            )
        )
        address += image.size
    return tuple(result)


def _fetch(address: int, size: int, repeats: int, beat_bytes: int) -> WeightsFetch:
    return WeightsFetch(address=address, beats=size // beat_bytes, repeats=repeats)
