# SPDX-License-Identifier: Apache-2.0
"""What passes between the parts of the load engine for a tile: its shape, then its beats."""

from collections.abc import Sequence
from dataclasses import dataclass

from sim.load_tiles import LoadTile, Shape

_WORD_MASK = 0xFFFF
_POSITION = (("word", 16), ("bank", 4), ("phase", 2))
_ROW = (
    *((f"position.{name}", width) for name, width in _POSITION),
    ("skip", 5),
    ("mem", 1),
    ("mem_beats", 16),
    ("pad_beats", 18),
    ("last", 1),
    ("beats", 18),
    ("tail", 18),
    ("lead", 18),
    ("lanes", 18),
)
# Fields of the prepared tile in SystemVerilog, from bit 0 upwards; arrays from element 0.
_PREPARED = (
    ("pad", 8),
    *((f"base.{phase}", 16) for phase in range(4)),
    *((f"rot.{phase}", 4) for phase in range(4)),
    ("stride", 2),
    *((f"pad_row.{name}", width) for name, width in _ROW),
    *((f"mem_row.{name}", width) for name, width in _ROW),
    *((f"following.{segment}", 2) for segment in range(3)),
    ("first", 2),
    *((f"final_one.{segment}", 1) for segment in range(3)),
    *((f"single.{segment}", 1) for segment in range(3)),
    *((f"rows.{segment}", 16) for segment in range(3)),
    ("row_words", 16),
    ("plane_words", 16),
    ("single_plane", 1),
    ("planes", 16),
    ("pad_lower", 8),
    ("upper_planes", 16),
    ("wide", 1),
)
BEAT_FIELDS = (
    "stride",
    "phase",
    "bank",
    "word",
    "rot",
    "base",
    "mask",
    "mem_mask",
    "mem",
    "pad",
    "half",
    "last",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A buffer column, possibly before column 0: phase, and position as bank and word."""

    phase: int
    bank: int
    word: int


def column(tile: LoadTile, shape: Shape, index: int) -> Column:
    """Column `index` without rotation and base; negative ones lie before the row."""
    group, phase = divmod(index, tile.stride)
    word, bank = divmod(group, shape.banks)
    return Column(phase=phase, bank=bank, word=word)


def pack_prepared(fields: dict[str, int]) -> int:
    """The bits of a prepared tile."""
    assert fields.keys() == {name for name, _ in _PREPARED}
    bits, low = 0, 0
    for name, width in _PREPARED:
        assert 0 <= fields[name] < 1 << width, f"{name} = {fields[name]}"
        bits |= fields[name] << low
        low += width
    return bits


def unpack_prepared(bits: int) -> dict[str, int]:
    """The fields of a prepared tile."""
    fields = {}
    for name, width in _PREPARED:
        fields[name] = bits & ((1 << width) - 1)
        bits >>= width
    assert bits == 0
    return fields


def prepared(tile: LoadTile, shape: Shape) -> dict[str, int]:
    """The tile as the walker takes it."""
    empty = tile.rows == 0 or tile.columns == 0 or not tile.addresses
    planes = 1 if empty else len(tile.addresses)
    rows = [0, 0, 1] if empty else [tile.pad_top, tile.mem_rows, tile.pad_bottom]
    used = [segment for segment in range(3) if rows[segment]]
    pad_row = _pad_row(0 if empty else tile.columns, shape)
    fields = {
        "pad": tile.pad_value & 0xFF,
        "stride": tile.stride - 1,
        "first": used[0],
        "row_words": tile.row_words,
        "plane_words": tile.plane_words,
        "single_plane": int(planes == 1),
        "planes": planes,
        "pad_lower": tile.pad_lower & 0xFF if shape.wide else 0,
        "upper_planes": planes // 2 if shape.wide else 0,
        "wide": int(tile.wide),
    }
    unused = (0,) * (4 - tile.stride)
    for phase in range(4):
        fields[f"base.{phase}"] = (tile.phase_base + unused)[phase]
        fields[f"rot.{phase}"] = (tile.phase_rot + unused)[phase]
    for segment in range(3):
        later = [other for other in used if other > segment]
        fields[f"following.{segment}"] = later[0] if later else used[0]
        fields[f"final_one.{segment}"] = int(not later)
        fields[f"single.{segment}"] = int(rows[segment] == 1)
        fields[f"rows.{segment}"] = rows[segment]
    for kind, row in (
        ("mem_row", _mem_row(tile, shape) if tile.reads else pad_row),
        ("pad_row", pad_row),
    ):
        fields |= {f"{kind}.{name}": value for name, value in row.items()}
    return fields


def beats(tile: LoadTile, shape: Shape, half: int) -> list[dict[str, int]]:
    """The beats of a tile as the scatter stage takes them, by the names of BEAT_FIELDS."""
    result = []
    for plane in range(len(tile.addresses)):
        for row in range(tile.rows):
            reads = tile.reads and tile.pad_top <= row < tile.pad_top + tile.mem_rows
            start = plane * tile.plane_words + row * tile.row_words
            for lanes in tile.row_beats_of(shape, row):
                pixel = lanes.start - tile.pad_left + tile.first_pixel
                number = pixel // shape.beat_pixels
                inside = [0 <= lane < tile.columns for lane in lanes]
                mem = reads and 0 <= number < tile.row_beats
                pixels = [mem and 0 <= lane - tile.pad_left < tile.mem_cols for lane in lanes]
                result.append(
                    _beat(tile, shape, lanes.start, start)
                    | {"mask": _bits(inside), "mem_mask": _bits(pixels), "mem": int(mem)}
                    | {"pad": tile.pad(plane)}
                )
    if not result:
        result.append(_beat(tile, shape, 0, 0) | {"mask": 0, "mem_mask": 0, "mem": 0})
    for beat in result:
        beat |= {"half": half, "last": 0}
    result[-1]["last"] = 1
    return result


def _beat(tile: LoadTile, shape: Shape, index: int, start: int) -> dict[str, int]:
    first = column(tile, shape, index)
    return {
        "stride": tile.stride - 1,
        "phase": first.phase,
        "bank": first.bank,
        "word": (start + first.word) & _WORD_MASK,
        "rot": sum(rot << 4 * phase for phase, rot in enumerate(tile.phase_rot)),
        "base": sum(base << 16 * phase for phase, base in enumerate(tile.phase_base)),
        "pad": tile.pad_value & 0xFF,
    }


def _pad_row(columns: int, shape: Shape) -> dict[str, int]:
    count = -(-columns // shape.beat_pixels)
    row = {name: 0 for name, _ in _ROW}
    return row | {"lanes": columns, "beats": count, "last": int(count <= 1)}


def _mem_row(tile: LoadTile, shape: Shape) -> dict[str, int]:
    size = shape.beat_pixels
    skip = (tile.first_pixel - tile.pad_left) % size
    pad_beats = (tile.pad_left + skip) // size
    count = max(-(-(tile.columns + skip) // size), pad_beats + tile.row_beats)
    first = column(tile, shape, -skip)
    return {
        "lanes": tile.columns + skip,
        "lead": tile.pad_left + skip,
        "tail": tile.pad_left + tile.mem_cols + skip,
        "beats": count,
        "last": int(count == 1),
        "pad_beats": pad_beats,
        "mem_beats": tile.row_beats,
        "mem": int(pad_beats == 0),
        "skip": skip,
        "position.phase": first.phase,
        "position.bank": first.bank,
        "position.word": first.word & _WORD_MASK,
    }


def _bits(flags: Sequence[bool]) -> int:
    return sum(int(flag) << lane for lane, flag in enumerate(flags))
