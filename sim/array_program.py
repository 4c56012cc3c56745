# SPDX-License-Identifier: Apache-2.0
"""Random array records and what the sequencer must make of them."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from flexcc.program.encode import encode, record
from flexcc.program.formats import (
    ARRAY_LISTS,
    ARRAY_PASSES,
    ARRAY_TABLE,
    ARRAY_TILE,
    ARRAY_WIDE,
    LIST_ENTRY,
    PASS,
    TABLE_WORDS,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One run of a reduction list: `run` steps, `plane_words` apart."""

    base: int
    rotation: int
    run: int
    shift: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """One output block over all pixel groups; `start` is where its list lies in the list memory."""

    start: int
    entries: tuple[Entry, ...]
    out_base: int
    out_byte: int
    take: bool
    hand_over: bool
    plane: int = 0

    @property
    def steps(self) -> int:
        """Reduction steps of a block."""
        return sum(entry.run for entry in self.entries)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """A tile's geometry, its passes and, when they change, the new content of the list memory."""

    lists: tuple[Entry, ...] | None
    rows: int
    groups: int
    row_step: int
    plane_words: int
    out_plane_words: int
    word_channels: int
    zero_point: int
    low: int
    high: int
    keep: bool
    stream: bool
    passes: tuple[Pass, ...]
    table: tuple[int, ...] | None = None
    """The words of a table that comes before the tile."""
    lookup: bool = False
    limits: tuple[int, int, int] | None = None
    """Zero point and limits of 16 bits, in a record before the tile."""

    @property
    def wide(self) -> int:
        """A packed wide_t."""
        if self.limits is None:
            return 0
        zero_point, low, high = (value & 0xFFFF for value in self.limits)
        return 1 << 48 | zero_point << 32 | low << 16 | high

    def words(self) -> list[int]:
        """The records of the tile, as 64-bit words."""
        result = []
        if self.lists is not None:
            tail = [
                encode(LIST_ENTRY, base=e.base, rotation=e.rotation, run=e.run, shift=int(e.shift))[
                    0
                ]
                for e in self.lists
            ]
            result += record(ARRAY_LISTS, tail)
        if self.table is not None:
            result += record(ARRAY_TABLE, self.table)
        if self.limits is not None:
            zero_point, low, high = self.limits
            result += record(ARRAY_WIDE, (), zero_point=zero_point, low=low, high=high)
        result += record(
            ARRAY_TILE,
            rows=self.rows,
            groups=self.groups,
            row_step=self.row_step,
            plane_words=self.plane_words,
            out_plane_words=self.out_plane_words,
            zero_point=self.zero_point,
            low=self.low,
            high=self.high,
            keep=int(self.keep),
            stream=int(self.stream),
            word_channels=self.word_channels,
            lookup=int(self.lookup),
            summed=0,
            wide=int(self.limits is not None),
            bent=0,
        )
        words = [
            encode(
                PASS,
                list_start=item.start,
                list_entries=len(item.entries),
                out_base=item.out_base,
                out_byte=item.out_byte,
                take=int(item.take),
                hand_over=int(item.hand_over),
                tile_last=int(item is self.passes[-1]),
                plane=item.plane,
            )[0]
            for item in self.passes
        ]
        # Several records may share the passes of a tile.
        cut = random.randint(1, len(words))
        for part in (words[:cut], words[cut:]):
            if part:
                result += record(ARRAY_PASSES, part)
        return result


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What one step must look like; `weight` is the absolute number of its weight word."""

    half: int
    word: int
    rotation: int
    weight: int
    first: bool
    last: bool
    shift: bool
    param: int
    takes_tile: bool
    takes_group: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """What the requantiser must be told of one block."""

    param_pass: int
    out_half: int
    out_addr: int
    out_plane_words: int
    out_byte: int
    word_channels: int
    zero_point: int
    low: int
    high: int
    lookup: int
    """A packed table_t."""
    release_params: bool
    hand_over: bool
    plane: int
    wide: int
    """A packed wide_t."""


@dataclass(slots=True, kw_only=True)
class Expected:
    """Steps and blocks of a sequence of tiles, and the ring words and passes they use up."""

    steps: list[Step] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)
    weights: int = 0
    params: int = 0


def expect(tiles: Sequence[Tile]) -> Expected:
    """The reference of the sequencer: plain loops over tiles, passes, pixels, entries, runs."""
    result = Expected()
    weight_base = param_base = out_half = table_half = 0
    for index, tile in enumerate(tiles):
        table_half ^= tile.table is not None
        weight, param, new_tile = weight_base, param_base, True
        for item in tile.passes:
            new_group = item.take
            pixels = [(r, g) for r in range(tile.rows) for g in range(tile.groups)]
            for pixel, (row, group) in enumerate(pixels):
                offset = row * tile.row_step + group
                sequence = [
                    (e.base + offset + i * tile.plane_words, e.rotation, e.shift and i == 0)
                    for e in item.entries
                    for i in range(e.run)
                ]
                for position, (word, rotation, shift) in enumerate(sequence):
                    read = weight + position
                    if tile.stream:
                        read += pixel * item.steps
                    result.steps.append(
                        Step(
                            half=index % 2,
                            word=word,
                            rotation=rotation,
                            weight=read,
                            first=position == 0,
                            last=position == len(sequence) - 1,
                            shift=shift,
                            param=param,
                            takes_tile=new_tile,
                            takes_group=new_group,
                        )
                    )
                    new_tile = new_group = False
                last = pixel == len(pixels) - 1
                result.blocks.append(
                    Block(
                        param_pass=param,
                        out_half=out_half,
                        out_addr=item.out_base + pixel,
                        out_plane_words=tile.out_plane_words,
                        out_byte=item.out_byte,
                        word_channels=tile.word_channels,
                        zero_point=tile.zero_point,
                        low=tile.low,
                        high=tile.high,
                        lookup=tile.lookup << 2
                        | table_half << 1
                        | (last and item is tile.passes[-1]),
                        release_params=last and not tile.keep,
                        hand_over=last and item.hand_over,
                        plane=item.plane,
                        wide=tile.wide,
                    )
                )
            weight += item.steps * (len(pixels) if tile.stream else 1)
            param += 1
            out_half ^= item.hand_over
        result.weights, result.params = max(result.weights, weight), max(result.params, param)
        if not tile.keep:
            weight_base, param_base = weight, param
    return result


def random_tiles(
    count: int,
    *,
    act_words: int,
    weight_words: int,
    list_entries: int,
    param_passes: int,
    columns: int,
    least_steps: int = 1,
    tables: bool = False,
    wide: bool = False,
) -> list[Tile]:
    """`count` random legal tiles; every block has at least `least_steps` steps.

    With `tables` some bring a table, and some look up; with `wide` some have 16 bits. Kept tiles
    repeat with the same passes and fit the rings whole; the last tile keeps nothing.
    """
    tiles: list[Tile] = []
    while len(tiles) < count:
        tile = _random_tile(act_words, weight_words, list_entries, columns, least_steps, wide=wide)
        if wide and random.random() < 0.5:
            zero_point, *ends = (random.randint(-32768, 32767) for _ in range(3))
            tile = replace(tile, limits=(zero_point, min(ends), max(ends)))
        steps = sum(item.steps for item in tile.passes)
        fits = steps <= weight_words and len(tile.passes) <= param_passes
        if fits and not tile.stream and random.random() < 0.4:
            repeats = random.randint(1, 3)
            tiles += [_again(tile, keep=True, lists=index == 0) for index in range(repeats)]
            tiles.append(_again(tile, keep=False, lists=random.random() < 0.5))
        else:
            tiles.append(tile)
    return [_with_table(tile) for tile in tiles] if tables else tiles


def _with_table(tile: Tile) -> Tile:
    words = tuple(random.getrandbits(64) for _ in range(TABLE_WORDS))
    table = words if random.random() < 0.3 else None
    return replace(tile, table=table, lookup=random.random() < 0.5)


def _again(tile: Tile, *, keep: bool, lists: bool) -> Tile:
    return replace(tile, keep=keep, stream=False, lists=tile.lists if lists else None)


def _random_tile(
    act_words: int,
    weight_words: int,
    list_entries: int,
    columns: int,
    least_steps: int,
    *,
    wide: bool,
) -> Tile:
    rows, groups = random.randint(1, 3), random.randint(1, 3)
    row_step = random.randint(groups, groups + 3)
    plane_words = random.randint(1, act_words // 8)
    reach = (rows - 1) * row_step + groups
    lists: list[Entry] = []
    passes: list[Pass] = []
    count = random.randint(1, 4)
    group_open = False
    for index in range(count):
        entries: list[Entry] = []
        while sum(e.run for e in entries) < least_steps or random.random() < 0.6:
            if len(lists) + len(entries) >= list_entries:
                break
            run = random.choice((1, 1, 2, random.randint(1, 5)))
            room = act_words - reach - (run - 1) * plane_words
            if room < 1:
                continue
            entries.append(
                Entry(
                    base=random.randrange(room),
                    rotation=random.randrange(columns),
                    run=run,
                    shift=wide and bool(entries) and random.random() < 0.3,
                )
            )
        if sum(e.run for e in entries) < least_steps:
            break
        hand_over = index == count - 1 or random.random() < 0.5
        passes.append(
            Pass(
                start=len(lists),
                entries=tuple(entries),
                out_base=random.randrange(64),
                out_byte=random.randrange(16),
                take=not group_open,
                hand_over=hand_over,
                plane=random.randrange(3) if wide else 0,
            )
        )
        lists += entries
        group_open = not hand_over
    if group_open or not passes:
        return _random_tile(act_words, weight_words, list_entries, columns, least_steps, wide=wide)
    too_long = any(item.steps > weight_words for item in passes)
    return Tile(
        lists=tuple(lists),
        rows=rows,
        groups=groups,
        row_step=row_step,
        plane_words=plane_words,
        out_plane_words=random.randrange(256),
        word_channels=random.randrange(8),
        zero_point=random.randint(-128, 127),
        low=random.randint(-128, 0),
        high=random.randint(1, 127),
        keep=False,
        stream=too_long or random.random() < 0.2,
        passes=tuple(passes),
    )
