# SPDX-License-Identifier: Apache-2.0
"""Random tiles for the store engine, and what plain loops say it must do with them."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from flexcc.program.encode import record
from flexcc.program.formats import STORE_TILE

_ADDRESS_LIMIT = 1 << 40
_RECORD_HEADER_WORDS = 1

Bytes = NDArray[np.uint8]


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

    def reads(self, shape: Shape) -> int:
        """Reads of the output buffer: the cycles that the tile takes."""
        if self.pool:
            per_pixel = self.kernel_h * -(-self.kernel_w // shape.pool_pixels)
            return self.planes * self.rows * self.cols * per_pixel
        return self.planes * self.rows * -(-self.cols // shape.raw_pixels)

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

    def _pixel(self, shape: Shape, half: Bytes, plane: int, row: int, col: int) -> Bytes:
        pixel = np.full(shape.n, -128, dtype=np.int8)
        base = plane % shape.planes_per_half * self.plane_words
        for y, x in self.taps(row, col):
            tap = half[x % shape.p, base + y * self.row_words + x // shape.p].view(np.int8)
            pixel = np.maximum(pixel, tap)
        return pixel.view(np.uint8)


def random_tile(
    shape: Shape, *, pool: bool, least_reads: int = 1, least_half_reads: int = 1
) -> StoreTile:
    """A tile that fits the output buffer, anywhere in memory.

    It takes at least `least_reads` reads, and at least `least_half_reads` of every half.
    """
    while True:
        tile = _random_tile(shape, pool)
        reads = tile.reads(shape)
        in_last_half = tile.planes - (tile.halves(shape) - 1) * shape.planes_per_half
        fewest = min(in_last_half, tile.planes, shape.planes_per_half)
        if reads >= least_reads and reads // tile.planes * fewest >= least_half_reads:
            return tile


def _random_tile(shape: Shape, pool: bool) -> StoreTile:
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
    if pool:
        rows, cols = random.randint(1, 4), random.randint(1, 3 * shape.beat_pixels)
    row_beats = -(-cols // shape.beat_pixels)
    row_pitch = shape.data_bytes * (row_beats + random.choice((0, 0, 1, 5)))
    plane_pitch = rows * row_pitch + shape.data_bytes * random.choice((0, 1, 7))
    planes = random.randint(1, 2 * planes_per_half + 1)
    address = random.randrange(0, _ADDRESS_LIMIT - planes * plane_pitch, shape.data_bytes)
    return StoreTile(
        address=address,
        planes=planes,
        pool=int(pool),
        plane_pitch=plane_pitch,
        row_pitch=row_pitch,
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
        phase_words=0,
        origin_y=origin_y,
        origin_x=origin_x,
        valid_rows=valid_rows,
        valid_cols=valid_cols,
    )
