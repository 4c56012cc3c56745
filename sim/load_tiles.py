# SPDX-License-Identifier: Apache-2.0
"""Random load records, and what must be asked for, written and how fast."""

import os
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from flexcc.program.encode import encode, record
from flexcc.program.formats import LOAD_TILE, MAX_PHASES, PLANE
from sim.bus.read_engine import Request

WAIT_MODULUS = 1 << 32
_NO_WINDOW = dict.fromkeys(
    (
        "window",
        "extra_rows",
        "extra_beats",
        "first_row",
        "drop_beats",
        "tail_lanes",
        "odd",
        "step_rows",
        "step_cols",
    ),
    0,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Parameters of the load engine."""

    banks: int
    pixel_bytes: int
    beat_bytes: int
    act_words: int
    column_phases: int = MAX_PHASES
    cores: int = 1
    wide: bool = False

    @classmethod
    def from_environment(cls) -> "Shape":
        """The shape that the caller of the bench has put into the environment."""
        return cls(
            banks=int(os.environ["P"]),
            pixel_bytes=int(os.environ["N"]),
            beat_bytes=int(os.environ["DATA_BYTES"]),
            act_words=int(os.environ["ACT_WORDS"]),
            column_phases=int(os.environ.get("COLUMN_PHASES", MAX_PHASES)),
            cores=int(os.environ.get("CORES", "1")),
            wide=os.environ.get("WIDE") == "1",
        )

    @property
    def beat_pixels(self) -> int:
        """Pixels of a beat."""
        return self.beat_bytes // self.pixel_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a pixel lies in a half of the buffer."""

    bank: int
    word: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadTile:
    """A load record, field by field."""

    wait_tiles: int
    row_beats: int
    row_pitch: int
    mem_rows: int
    pad_top: int
    pad_bottom: int
    pad_left: int
    mem_cols: int
    pad_right: int
    row_words: int
    plane_words: int
    pad_value: int
    first_pixel: int
    phase_base: tuple[int, ...]
    phase_rot: tuple[int, ...]
    contiguous: bool
    addresses: tuple[int, ...]
    wide: bool = False
    pad_lower: int = 0

    @property
    def stride(self) -> int:
        """Column phases."""
        return len(self.phase_base)

    @property
    def columns(self) -> int:
        """Columns of a buffer row."""
        return self.pad_left + self.mem_cols + self.pad_right

    @property
    def rows(self) -> int:
        """Rows of a plane in the buffer."""
        return self.pad_top + self.mem_rows + self.pad_bottom

    @property
    def reads(self) -> bool:
        """Whether anything is read from memory."""
        return self.mem_rows > 0 and self.mem_cols > 0 and self.row_beats > 0

    def words(self) -> list[int]:
        """The record as 64-bit words, header first."""
        unused = (0,) * (MAX_PHASES - self.stride)
        return record(
            LOAD_TILE,
            [encode(PLANE, address=address)[0] for address in self.addresses],
            wait_tiles=self.wait_tiles % WAIT_MODULUS,
            planes=len(self.addresses),
            row_beats=self.row_beats,
            row_pitch=self.row_pitch,
            mem_rows=self.mem_rows,
            pad_top=self.pad_top,
            pad_bottom=self.pad_bottom,
            pad_left=self.pad_left,
            mem_cols=self.mem_cols,
            pad_right=self.pad_right,
            row_words=self.row_words,
            plane_words=self.plane_words,
            pad_value=self.pad_value,
            first_pixel=self.first_pixel,
            phases=self.stride,
            contiguous=int(self.contiguous),
            wide=int(self.wide),
            pad_lower=self.pad_lower,
            phase_base=self.phase_base + unused,
            phase_rot=self.phase_rot + unused,
            **_NO_WINDOW,
        )

    def requests(self) -> list[Request]:
        """What the tile asks of memory, in order."""
        if not self.reads:
            return []
        if self.contiguous:
            beats = self.mem_rows * self.row_beats
            return [Request(address=address, beats=beats) for address in self.addresses]
        return [
            Request(address=address + row * self.row_pitch, beats=self.row_beats)
            for address in self.addresses
            for row in range(self.mem_rows)
        ]

    def place(self, shape: Shape, plane: int, row: int, column: int) -> Place:
        """Where a pixel of the tile belongs."""
        phase = column % self.stride
        position = column // self.stride + self.phase_rot[phase]
        start = plane * self.plane_words + row * self.row_words + self.phase_base[phase]
        return Place(bank=position % shape.banks, word=start + position // shape.banks)

    def pad(self, plane: int) -> int:
        """The padding byte of a plane, unsigned."""
        lower = self.wide and 2 * plane >= len(self.addresses)
        return (self.pad_lower if lower else self.pad_value) & 0xFF

    def content(self, shape: Shape, memory: bytes) -> dict[Place, int]:
        """The pixels of the filled half as integers, byte 0 lowest."""
        content: dict[Place, int] = {}
        for plane, address in enumerate(self.addresses):
            pad = bytes([self.pad(plane)]) * shape.pixel_bytes
            for row in range(self.rows):
                source = row - self.pad_top
                for column in range(self.columns):
                    pixel = column - self.pad_left
                    inside = 0 <= source < self.mem_rows and 0 <= pixel < self.mem_cols
                    at = address + source * self.row_pitch
                    at += (self.first_pixel + pixel) * shape.pixel_bytes
                    value = memory[at : at + shape.pixel_bytes] if inside and self.reads else pad
                    place = self.place(shape, plane, row, column)
                    assert place not in content, f"{place} holds two pixels: a wrong test"
                    assert place.word < shape.act_words, f"{place} lies outside: a wrong test"
                    content[place] = int.from_bytes(value, "little")
        return content

    def cycles(self, shape: Shape) -> int:
        """Cycles that writing takes without stalls: per beat the pixels of its fullest bank."""
        cycles = sum(
            max([1, *self._bank_load(shape, row, columns).values()])
            for row in range(self.rows)
            for columns in self.row_beats_of(shape, row)
        )
        return max(1, cycles * len(self.addresses))

    def beats(self, shape: Shape) -> int:
        """Beats of the tile."""
        per_plane = sum(1 for row in range(self.rows) for _ in self.row_beats_of(shape, row))
        return max(1, per_plane * len(self.addresses))

    def row_beats_of(self, shape: Shape, row: int) -> Iterator[range]:
        """The columns under the lanes of each beat of a row; lanes outside the row included."""
        size = shape.beat_pixels
        if self.columns == 0:
            return
        first, beats = 0, -(-self.columns // size)
        if self.reads and self.pad_top <= row < self.pad_top + self.mem_rows:
            before = (self.first_pixel - self.pad_left) % size
            first = -before
            beats = -(-(before + self.columns) // size)
            beats = max(beats, (before + self.pad_left) // size + self.row_beats)
        for beat in range(beats):
            yield range(first + beat * size, first + (beat + 1) * size)

    def _bank_load(self, shape: Shape, row: int, columns: range) -> Counter[int]:
        return Counter(
            self.place(shape, 0, row, column).bank
            for column in columns
            if 0 <= column < self.columns
        )


def random_tile(shape: Shape, memory_bytes: int, wait_tiles: int) -> LoadTile:
    """A random record whose tile fits the buffer and the memory; about one in ten reads nothing."""
    while True:
        tile = _random_tile(shape, memory_bytes, wait_tiles)
        if tile is not None:
            return tile


def _random_tile(shape: Shape, memory_bytes: int, wait_tiles: int) -> LoadTile | None:
    """One attempt; None when the tile came out too large."""
    size = shape.beat_pixels
    stride = random.randint(1, shape.column_phases)
    mem_cols = random.choice([0, 1, *[random.randint(1, 3 * size + shape.banks)] * 8])
    mem_rows = random.choice([0, 1, *[random.randint(1, 6)] * 8])
    pad_left, pad_right = (random.choice([0, 0, 1, random.randint(0, size + 2)]) for _ in "lr")
    pad_top, pad_bottom = (random.choice([0, 0, 1, random.randint(0, 3)]) for _ in "tb")
    first_pixel = random.randrange(size)
    needed = -(-(first_pixel + mem_cols) // size) if mem_cols and mem_rows else 0
    row_beats = needed + (random.choice([0, 0, 0, 1, 2]) if needed else 0)
    contiguous = random.random() < 0.4
    row_pitch = row_beats * shape.beat_bytes
    row_pitch += 0 if contiguous else random.randint(0, 3) * shape.beat_bytes
    columns = pad_left + mem_cols + pad_right
    rotations = tuple(random.randrange(shape.banks) for _ in range(stride))
    bases, word = [], random.choice([0, 0, 1])
    for phase, rotation in enumerate(rotations):
        bases.append(word)
        word += -(-(rotation + -(-max(columns - phase, 0) // stride)) // shape.banks)
        word += random.choice([0, 0, 1])
    row_words = word
    plane_words = row_words * (pad_top + mem_rows + pad_bottom) + random.choice([0, 0, 2])
    planes = random.randint(1, 4)
    span = (mem_rows - 1) * row_pitch + row_beats * shape.beat_bytes if mem_rows else 0
    if planes * plane_words > shape.act_words or span > memory_bytes:
        return None
    starts = (memory_bytes - span) // shape.beat_bytes
    return LoadTile(
        wait_tiles=wait_tiles,
        row_beats=row_beats,
        row_pitch=row_pitch,
        mem_rows=mem_rows,
        pad_top=pad_top,
        pad_bottom=pad_bottom,
        pad_left=pad_left,
        mem_cols=mem_cols,
        pad_right=pad_right,
        row_words=row_words,
        plane_words=plane_words,
        pad_value=random.randint(-128, 127),
        first_pixel=first_pixel,
        phase_base=tuple(bases),
        phase_rot=rotations,
        contiguous=contiguous,
        addresses=tuple(random.randint(0, starts) * shape.beat_bytes for _ in range(planes)),
        wide=shape.wide and planes % 2 == 0 and random.random() < 0.7,
        pad_lower=random.randint(-128, 127),
    )


def conflict_free_tile(shape: Shape, columns: int, rows: int, planes: int) -> LoadTile:
    """A padded tile of stride 1 whose beats fall into different banks (if P is at least B)."""
    size = shape.beat_pixels
    row_beats = -(-columns // size)
    row_words = -(-(columns + 2) // shape.banks)
    return LoadTile(
        wait_tiles=0,
        row_beats=row_beats,
        row_pitch=row_beats * shape.beat_bytes,
        mem_rows=rows,
        pad_top=1,
        pad_bottom=1,
        pad_left=1,
        mem_cols=columns,
        pad_right=1,
        row_words=row_words,
        plane_words=row_words * (rows + 2),
        pad_value=-3,
        first_pixel=0,
        phase_base=(0,),
        phase_rot=(0,),
        contiguous=True,
        addresses=tuple(plane * rows * row_beats * shape.beat_bytes for plane in range(planes)),
    )
