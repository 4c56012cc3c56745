# SPDX-License-Identifier: Apache-2.0
"""Random plain convolutions: records of the plain core, and the compiler's lists of the same."""

import random
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from flexcc.accelerator import Accelerator
from flexcc.backend.lists import reduction_lists
from flexcc.ir.layers import Conv2d, Pads
from flexcc.ir.types import TensorType
from flexcc.program.encode import encode, record
from flexcc.program.formats import ARRAY_PASSES, ARRAY_TILE, PASS, Field, Format
from flexcc.tiles import ColumnPhases, Stage, Tiling, tiling
from sim.array_program import Entry, Pass, Tile

# What flex_plain_reader says of its words.
_WHOLE_WORDS = 7

# As plain_tile_t in flex_plain_pkg.sv.
PLAIN_TILE = Format(
    name="plain_tile",
    doc="Geometry of a tile, with its kernel.",
    engine=ARRAY_TILE.engine,
    kind=ARRAY_TILE.kind,
    words=(
        *ARRAY_TILE.words,
        (
            Field(name="kernel_row_words", width=16, doc="words from one kernel row to the next"),
            Field(name="last_block", width=16, doc="input channel blocks less 1"),
            Field(name="last_column", width=4, doc="kernel columns less 1"),
            Field(name="last_row", width=4, doc="kernel rows less 1"),
        ),
        (
            Field(name="step_word", width=16, count=2, doc="words to the next kernel column"),
            Field(name="step_rotation", width=4, count=2, doc="banks to the next kernel column"),
        ),
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kernel:
    """What a plain tile says of its kernel; the steps lead on from even and from odd columns."""

    rows: int
    columns: int
    blocks: int
    row_words: int
    step_word: tuple[int, int]
    step_rotation: tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainTile:
    """A tile of a plain convolution: with its lists, and with the kernel that replaces them."""

    tile: Tile
    kernel: Kernel

    def words(self) -> list[int]:
        """The records for the plain core."""
        tile, kernel = self.tile, self.kernel
        shared = {field.name: 0 for word in ARRAY_TILE.words for field in word}
        shared |= {name: int(getattr(tile, name)) for name in shared if hasattr(tile, name)}
        head = record(
            PLAIN_TILE,
            (),
            **shared,
            kernel_row_words=kernel.row_words,
            last_block=kernel.blocks - 1,
            last_column=kernel.columns - 1,
            last_row=kernel.rows - 1,
            step_word=tuple(word % (1 << 16) for word in kernel.step_word),
            step_rotation=kernel.step_rotation,
        )
        passes = [
            encode(
                PASS,
                list_start=0,
                list_entries=0,
                out_base=item.out_base,
                out_byte=item.out_byte,
                take=int(item.take),
                hand_over=int(item.hand_over),
                tile_last=int(item is tile.passes[-1]),
                plane=0,
            )[0]
            for item in tile.passes
        ]
        return head + record(ARRAY_PASSES, passes)


def plain_tiles(count: int, accelerator: Accelerator) -> list[PlainTile]:
    """`count` random tiles of plain convolutions that fit `accelerator`; none is kept."""
    tiles: list[PlainTile] = []
    while len(tiles) < count:
        tiles += _tiles(_random_tiling(accelerator))
    return tiles[:count]


def _random_tiling(accelerator: Accelerator) -> Tiling:
    while True:
        kernel = random.choice((1, 1, 2, 3, 3, 5, 7)), random.choice((1, 1, 2, 3, 3, 5, 7, 11))
        strides = random.randint(1, 2), random.randint(1, 2)
        ci, co = random.randint(1, 4 * accelerator.n), random.randint(1, 2 * accelerator.m)
        pads = tuple(random.randint(0, size // 2) for size in kernel)
        height, width = random.randint(1, 5), random.randint(1, 20)
        conv = Conv2d(
            name="plain",
            inputs=("x",),
            output="y",
            weight=np.ones((co, ci, *kernel), np.int8),
            bias=np.zeros(co, np.int32),
            strides=strides,
            pads=Pads(top=pads[0], left=pads[1], bottom=pads[0], right=pads[1]),
        )
        source = TensorType(
            channels=ci,
            height=(height - 1) * strides[0] + kernel[0],
            width=(width - 1) * strides[1] + kernel[1],
        )
        target = TensorType(
            channels=co,
            height=height + 2 * pads[0] // strides[0],
            width=width + 2 * pads[1] // strides[1],
        )
        stage = Stage(conv=conv, input=source, raw=target, output=target)
        cut = tiling(stage, accelerator, tile_rows=random.randint(1, 3), tile_cols=12)
        if cut.in_planes * cut.plane_words <= accelerator.act_words:
            return cut


def _tiles(cut: Tiling) -> Iterator[PlainTile]:
    """Some tiles of `cut`, one of its output blocks or several each."""
    entries, ranges = reduction_lists(cut)
    lists = tuple(
        Entry(base=entry.base, rotation=entry.rotation, run=entry.run) for entry in entries
    )
    kernel = _kernel(cut)
    tiles = list(cut.tiles())
    for tile in random.sample(tiles, k=min(2, len(tiles))):
        passes = []
        for number, name in enumerate(cut.lists.of_pass):
            own = ranges[name]
            passes.append(
                Pass(
                    start=own.start,
                    entries=lists[own.start : own.start + own.entries],
                    out_base=random.randrange(64),
                    out_byte=random.randrange(16),
                    take=number == 0,
                    hand_over=number == len(cut.lists.of_pass) - 1,
                )
            )
        fits = max(item.steps for item in passes) <= cut.accelerator.weight_words
        plain = Tile(
            lists=lists,
            rows=len(tile.rows.raw),
            groups=tile.groups(cut.accelerator.p),
            row_step=cut.row_step,
            plane_words=cut.plane_words,
            out_plane_words=random.randrange(256),
            word_channels=_WHOLE_WORDS,
            zero_point=random.randint(-128, 127),
            low=random.randint(-128, 0),
            high=random.randint(1, 127),
            keep=False,
            stream=not fits or random.random() < 0.2,
            passes=tuple(passes),
        )
        yield PlainTile(tile=plain, kernel=kernel)


def _kernel(cut: Tiling) -> Kernel:
    rows, columns = cut.stage.conv.weight.shape[2:]
    steps = [_step(cut.columns, column) for column in (0, 1)]
    return Kernel(
        rows=rows,
        columns=columns,
        blocks=cut.in_planes,
        row_words=cut.columns.row_words,
        step_word=(steps[0][0], steps[1][0]),
        step_rotation=(steps[0][1], steps[1][1]),
    )


def _step(columns: ColumnPhases, column: int) -> tuple[int, int]:
    """Words and banks from kernel column `column` to the next, carry out of the banks left out."""

    def number(of: int) -> int:
        return of // columns.stride + columns.rotation[of % columns.stride]

    words = columns.base[(column + 1) % columns.stride] - columns.base[column % columns.stride]
    carry, banks = divmod(number(column + 1) - number(column), columns.banks)
    return words + carry, banks
