# SPDX-License-Identifier: Apache-2.0
"""Random tiles for the store engine, and what plain loops say it must do with them."""

import enum
import random
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from flexcc.program.encode import record
from flexcc.program.formats import STORE_TILE

_ADDRESS_LIMIT = 1 << 40
_RECORD_HEADER_WORDS = 1

# Numbers of phases that matter: those with a way of their own, their neighbours, the limits.
PHASES = (1, 2, 3, 4, 5, 6, 8, 17, 255)

Bytes = NDArray[np.uint8]


class Kind(enum.Enum):
    """How a tile lies in the output buffer, and what becomes of it."""

    PLAIN = enum.auto()
    POOLED = enum.auto()
    PHASED = enum.auto()


class Source(enum.Enum):
    """`source_e` of flex_store_pkg."""

    SINGLE = 0
    ADJACENT = 1
    SECOND = 2
    FOURTH = 3


_SOURCES = {1: Source.ADJACENT, 2: Source.SECOND, 4: Source.FOURTH}


class _Memory(TypedDict):
    address: int
    planes: int
    plane_pitch: int
    row_pitch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Parameters of a store engine; `out_words` are words per bank and half."""

    m: int
    p: int
    n: int
    data_bytes: int
    out_words: int

    @property
    def beat_pixels(self) -> int:
        """Pixels of a memory beat."""
        return self.data_bytes // self.n

    @property
    def raw_pixels(self) -> int:
        """Pixels per read without pooling."""
        return 1 << (min(self.p, self.beat_pixels).bit_length() - 1)

    @property
    def pool_pixels(self) -> int:
        """Columns per read with pooling."""
        return min(self.p, 4)

    def phase_columns(self, phases: int) -> int:
        """Columns per read of a tile with `phases` column phases; 1 is a read per pixel."""
        if phases not in (1, 2, 4):
            return 1
        return max(1, min(self.raw_pixels, self.beat_pixels // phases))

    @property
    def planes_per_half(self) -> int:
        """Planes in a full half of the output buffer."""
        return max(1, self.m // self.n)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreTile:
    """The fields of a store record."""

    address: int
    planes: int
    pool: int
    plane_pitch: int
    row_pitch: int
    rows: int
    cols: int
    row_words: int
    plane_words: int
    kernel_h: int
    kernel_w: int
    stride_h: int
    stride_w: int
    phases_y: int
    phases_x: int
    phase_words: int
    origin_y: int
    origin_x: int
    valid_rows: int
    valid_cols: int
    keep: int = 0
    part: int = 0

    def words(self) -> list[int]:
        """The record, header first."""
        return record(STORE_TILE, **asdict(self))

    def payload(self) -> int:
        """The record's fields as one packed number."""
        words = self.words()[_RECORD_HEADER_WORDS:]
        return sum(word << (64 * index) for index, word in enumerate(words))

    def halves(self, shape: Shape) -> int:
        """Halves of the output buffer that hold the tile."""
        return -(-self.planes // shape.planes_per_half)

    def freed(self, shape: Shape) -> int:
        """Halves that it frees: a kept one is the next tile's first."""
        return self.halves(shape) - self.keep

    def single(self, shape: Shape) -> bool:
        """Whether each of its pixels goes by way of the pool."""
        if self.phases_x == 1:
            return bool(self.pool)
        return shape.phase_columns(self.phases_x) == 1

    def paired(self, shape: Shape) -> bool:
        """Whether a read brings a row of two windows."""
        fits = shape.pool_pixels == 4 and shape.beat_pixels > 1
        return fits and bool(self.pool) and self.kernel_w == self.stride_w == 2

    def source(self, shape: Shape) -> Source:
        """Which of its pixels a read brings."""
        return Source.SINGLE if self.single(shape) else _SOURCES[self.phases_x]

    def reads(self, shape: Shape) -> int:
        """Reads of the output buffer: the cycles that the tile takes."""
        if self.pool:
            per_window = self.kernel_h * -(-self.kernel_w // shape.pool_pixels)
            windows = -(-self.cols // (1 + self.paired(shape)))
            return self.planes * self.rows * windows * per_window
        if self.single(shape):
            return self.planes * self.rows * self.cols
        window = self.phases_x * shape.phase_columns(self.phases_x)
        return self.planes * self.rows * self.phases_x * -(-self.cols // window)

    def row_beats(self, shape: Shape) -> int:
        """Memory beats of a row."""
        return -(-self.cols // shape.beat_pixels)

    def requests(self, shape: Shape) -> list[tuple[int, int]]:
        """Address and beats of every write request."""
        beats = self.row_beats(shape)
        merged = self.rows == 1 or self.row_pitch == beats * shape.data_bytes
        requests = []
        for plane in range(self.planes):
            start = self.address + plane * self.plane_pitch
            if merged:
                requests.append((start, beats * self.rows))
            else:
                requests += [(start + row * self.row_pitch, beats) for row in range(self.rows)]
        return requests

    def stored(self, shape: Shape, halves: Sequence[Bytes]) -> dict[int, bytes]:
        """Every pixel in memory by its address; `halves` are [bank][word][byte] each."""
        return {
            self.address + plane * self.plane_pitch + row * self.row_pitch + col * shape.n: bytes(
                self._pixel(shape, halves[plane // shape.planes_per_half], plane, row, col)
            )
            for plane in range(self.planes)
            for row in range(self.rows)
            for col in range(self.cols)
        }

    def taps(self, row: int, col: int) -> Iterator[tuple[int, int]]:
        """Rows and columns of the buffer that make up one stored pixel."""
        if not self.pool:
            yield row, col
            return
        for y in range(self.kernel_h):
            for x in range(self.kernel_w):
                tap_y = self.origin_y + row * self.stride_h + y
                tap_x = self.origin_x + col * self.stride_w + x
                if 0 <= tap_y < self.valid_rows and 0 <= tap_x < self.valid_cols:
                    yield tap_y, tap_x

    def place(self, shape: Shape, row: int, col: int) -> tuple[int, int]:
        """Word (from the plane's first) and bank of the buffer's pixel at `row`, `col`."""
        row, phase_y = divmod(row, self.phases_y)
        col, phase_x = divmod(col, self.phases_x)
        phase = phase_y * self.phases_x + phase_x
        word = phase * self.phase_words + row * self.row_words + col // shape.p
        return word, col % shape.p

    def _pixel(self, shape: Shape, half: Bytes, plane: int, row: int, col: int) -> Bytes:
        pixel = np.full(shape.n, -128, dtype=np.int8)
        base = plane % shape.planes_per_half * self.plane_words
        for y, x in self.taps(row, col):
            word, bank = self.place(shape, y, x)
            pixel = np.maximum(pixel, half[bank, base + word].view(np.int8))
        return pixel.view(np.uint8)


def random_tile(
    shape: Shape, kind: Kind, *, least_reads: int = 1, least_half_reads: int = 1
) -> StoreTile:
    """A tile that fits the output buffer, anywhere in memory.

    It takes at least `least_reads` reads, and at least `least_half_reads` of every half.
    """
    while True:
        tile = _random_phased_tile(shape) if kind is Kind.PHASED else _random_tile(shape, kind)
        reads = tile.reads(shape)
        in_last_half = tile.planes - (tile.halves(shape) - 1) * shape.planes_per_half
        fewest = min(in_last_half, tile.planes, shape.planes_per_half)
        if reads >= least_reads and reads // tile.planes * fewest >= least_half_reads:
            return tile


def with_parts(tiles: Sequence[StoreTile]) -> list[StoreTile]:
    """`tiles`, some of which keep their last half, and some of which are parts of the next one."""
    *others, last = tiles
    marked = [replace(t, keep=random.getrandbits(1), part=random.getrandbits(1)) for t in others]
    return [*marked, last]


def _random_tile(shape: Shape, kind: Kind) -> StoreTile:
    pool = kind is Kind.POOLED
    planes_per_half = shape.planes_per_half
    buffer_words = shape.out_words // planes_per_half
    # The image in the buffer.
    valid_cols = random.randint(1, random.choice((shape.p, 2 * shape.beat_pixels, 40)))
    row_words = -(-valid_cols // shape.p) + random.choice((0, 0, 1))
    row_words = min(row_words, buffer_words)
    valid_cols = min(valid_cols, row_words * shape.p)
    valid_rows = random.randint(1, min(6, buffer_words // row_words))
    rows, cols = valid_rows, valid_cols
    kernel_h, kernel_w = (random.choice((1, 2, 3, random.randint(1, 7))) for _ in range(2))
    stride_h, stride_w = (random.choice((1, 2, random.randint(1, 7))) for _ in range(2))
    origin_y, origin_x = random.randint(-kernel_h, 2), random.randint(-kernel_w, 2)
    if random.random() < 0.1:
        stride_w, origin_x = random.randint(1, 255), random.randint(-300, 300)
    if random.random() < 0.3:
        kernel_w = stride_w = 2
    if pool:
        rows, cols = random.randint(1, 4), random.randint(1, 3 * shape.beat_pixels)
    return StoreTile(
        **_random_memory(shape, rows, cols),
        pool=int(pool),
        rows=rows,
        cols=cols,
        row_words=row_words,
        plane_words=random.randint(valid_rows * row_words, buffer_words),
        kernel_h=kernel_h if pool else random.getrandbits(8),
        kernel_w=kernel_w if pool else random.getrandbits(8),
        stride_h=stride_h if pool else random.getrandbits(8),
        stride_w=stride_w if pool else random.getrandbits(8),
        phases_y=1,
        phases_x=1,
        phase_words=random.getrandbits(16),
        origin_y=origin_y,
        origin_x=origin_x,
        valid_rows=valid_rows,
        valid_cols=valid_cols,
    )


def _random_phased_tile(shape: Shape) -> StoreTile:
    buffer_words = shape.out_words // shape.planes_per_half
    phases_y, phases_x = random.choice(PHASES), random.choice(PHASES)
    if random.random() < 0.6:
        phases_y, phases_x = random.choice(((1, 2), (2, 1), (2, 2), (3, 3), (1, 4), (4, 4)))
    cols = random.randint(1, random.choice((2 * phases_x, shape.p * phases_x, 60)))
    row_words = -(-cols // (phases_x * shape.p)) + random.choice((0, 0, 1))
    rows = random.randint(1, random.choice((2, 6, min(2 * phases_y, 12))))
    phase_words = row_words * -(-rows // phases_y) + random.choice((0, 0, 1))
    # A phase without a pixel needs no words.
    last_phase = (min(rows, phases_y) - 1) * phases_x + min(cols, phases_x) - 1
    words = last_phase * phase_words + row_words * -(-rows // phases_y)
    if words > buffer_words:
        return _random_phased_tile(shape)
    return StoreTile(
        **_random_memory(shape, rows, cols),
        pool=0,
        rows=rows,
        cols=cols,
        row_words=row_words,
        plane_words=random.randint(words, buffer_words),
        kernel_h=random.getrandbits(8),
        kernel_w=random.getrandbits(8),
        stride_h=random.getrandbits(8),
        stride_w=random.getrandbits(8),
        phases_y=phases_y,
        phases_x=phases_x,
        phase_words=phase_words,
        origin_y=random.getrandbits(15),
        origin_x=-random.getrandbits(15),
        valid_rows=random.getrandbits(16),
        valid_cols=random.getrandbits(16),
    )


def _random_memory(shape: Shape, rows: int, cols: int) -> _Memory:
    row_beats = -(-cols // shape.beat_pixels)
    row_pitch = shape.data_bytes * (row_beats + random.choice((0, 0, 1, 5)))
    plane_pitch = rows * row_pitch + shape.data_bytes * random.choice((0, 1, 7))
    planes = random.randint(1, 2 * shape.planes_per_half + 1)
    address = random.randrange(0, _ADDRESS_LIMIT - planes * plane_pitch, shape.data_bytes)
    return {
        "address": address,
        "planes": planes,
        "plane_pitch": plane_pitch,
        "row_pitch": row_pitch,
    }
