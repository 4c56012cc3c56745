# SPDX-License-Identifier: Apache-2.0
"""Random programs, good and broken, and what the fetch unit must make of any sequence of words."""

import os
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from flexcc.program.encode import Value, encode, to_bytes
from flexcc.program.formats import (
    ALL_FORMATS,
    ARRAY_TABLE,
    CONTROL_END,
    HEADER,
    LOAD_TILE,
    SKIP_TILE,
    TABLE_WORDS,
    WINDOW,
    WORD_BITS,
    Engine,
    Field,
    Format,
)

WORD_BYTES = WORD_BITS // 8
RECEIVERS = {
    Engine.LOAD: "load",
    Engine.WEIGHTS: "weights",
    Engine.ARRAY: "array",
    Engine.STORE: "store",
    Engine.SKIP: "skip",
}
_WITH_PLANES = (LOAD_TILE, SKIP_TILE)
_WINDOW_CHANNEL_WORDS = int(os.environ.get("WINDOW_CHANNEL_WORDS", "0"))
_RECORDS = [
    format_
    for format_ in ALL_FORMATS
    if format_.engine in RECEIVERS and (format_ is not WINDOW or _WINDOW_CHANNEL_WORDS)
]
_BY_KEY: dict[tuple[int | None, int | None], Format] = {
    (format_.engine, format_.kind): format_ for format_ in [*_RECORDS, CONTROL_END]
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """Words for each receiver, headers included; the tiles that CONTROL_END names, if it came."""

    streams: dict[str, list[int]]
    end_tiles: int | None

    @property
    def error(self) -> bool:
        """Whether the program is broken: every good one ends with CONTROL_END."""
        return self.end_tiles is None

    @property
    def words(self) -> int:
        """Words that are handed out."""
        return sum(map(len, self.streams.values()))


def parse(words: Sequence[int], engines: Iterable[Engine] = RECEIVERS) -> Parsed:
    """What the fetch unit hands out of `words` up to the end or the first thing it cannot take.

    It knows the records of `engines`.
    """
    known = {Engine.CONTROL, *engines}
    streams: dict[str, list[int]] = {name: [] for name in RECEIVERS.values()}
    position = 0
    while position < len(words):
        header, position = words[position], position + 1
        length, key = header & 0xFFFF, (header >> 24 & 0xFF, header >> 16 & 0xFF)
        format_ = _BY_KEY.get(key) if header >> 32 == 0 else None
        if format_ is None or format_.engine not in known or not _length_fits(format_, length):
            break
        body = list(words[position : position + length])
        position += length
        if format_ is CONTROL_END:
            if body:
                return Parsed(streams=streams, end_tiles=body[0] & 0xFFFF_FFFF)
            break
        inconsistent = bool(body) and not _tail_fits(format_, body[0], length)
        # The word that shows the mistake has gone out already.
        streams[RECEIVERS[Engine(key[0])]] += [header, *(body[:1] if inconsistent else body)]
        if inconsistent:
            break
    return Parsed(streams=streams, end_tiles=None)


def random_record(format_: Format, tail: int) -> list[int]:
    """A record with random fields and a tail of `tail` words, if its format has a tail."""
    fields: dict[str, Value] = {}
    for field in (field for word in format_.words for field in word):
        values = [_random_value(field) for _ in range(field.count)]
        fields[field.name] = values if field.count > 1 else values[0]
    if format_ in _WITH_PLANES:
        fields["planes"] = tail
    if format_ is ARRAY_TABLE:
        tail = TABLE_WORDS
    if format_ is WINDOW:
        fields["channels"] = tail
        tail *= _WINDOW_CHANNEL_WORDS
    body = encode(format_, **fields)
    body += [random.getrandbits(WORD_BITS) for _ in range(tail if format_.tail else 0)]
    assert format_.engine is not None
    assert format_.kind is not None
    return encode(HEADER, words=len(body), kind=format_.kind, engine=format_.engine) + body


def random_program(records: int, engines: Iterable[Engine] = RECEIVERS) -> list[int]:
    """A good program: random records to some of `engines`, then CONTROL_END."""
    chosen = list(engines)
    formats = [format_ for format_ in _RECORDS if format_.engine in chosen]
    words: list[int] = []
    for _ in range(records):
        words += random_record(random.choice(formats), random.choice([0, 1, 2, 5, 30]))
    return words + random_record(CONTROL_END, 0)


def broken_program(records: int, engines: Iterable[Engine] = RECEIVERS) -> list[int]:
    """A program with a flipped bit or two, cut short, or with rubbish in its middle."""
    words = random_program(records, engines)
    at = random.randrange(len(words))
    match random.randrange(4):
        case 0:
            for _ in range(random.randint(1, 2)):
                words[random.randrange(len(words))] ^= 1 << random.randrange(32)
        case 1:
            words = words[:at]
        case 2:
            words[at:at] = [random.getrandbits(WORD_BITS) for _ in range(random.randint(1, 9))]
        case _:
            words[at:at] = [0] * random.randint(1, 9)
    return words


def to_beats(words: Sequence[int], beat_bytes: int) -> list[int]:
    """The words as they lie in whole beats: the last beat is filled with random words."""
    filled = list(words)
    while len(filled) * WORD_BYTES % beat_bytes:
        filled.append(random.getrandbits(WORD_BITS))
    return filled


def image(words: Sequence[int]) -> bytes:
    """The words in memory."""
    return to_bytes(words)


def _length_fits(format_: Format, length: int) -> bool:
    if format_ is ARRAY_TABLE:
        return length == TABLE_WORDS
    fixed = len(format_.words)
    return length == fixed if format_.tail is None else length >= fixed


def _tail_fits(format_: Format, word: int, length: int) -> bool:
    """Whether the tail is as long as the first word of the record says."""
    if format_ in _WITH_PLANES:
        return (word >> 32 & 0xFFFF) + len(LOAD_TILE.words) == length
    if format_ is WINDOW:
        return (word & 0xFFFF) * _WINDOW_CHANNEL_WORDS + len(WINDOW.words) == length
    return True


def _random_value(field: Field) -> int:
    value = random.getrandbits(field.width)
    return value - (1 << field.width - 1) if field.signed else value
