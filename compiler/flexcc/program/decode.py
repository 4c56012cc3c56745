# SPDX-License-Identifier: Apache-2.0
"""64-bit words back to records, and a program listing for people."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from flexcc.program.formats import (
    ALL_FORMATS,
    CONTROL_END,
    HEADER,
    WORD_BITS,
    Field,
    Format,
)

__all__ = ["Decoded", "Fields", "decode", "decode_format", "from_bytes", "listing"]

Fields = Mapping[str, int | tuple[int, ...]]
"""Field values by name; a tuple where the format's field has count > 1."""

_RECORDS: dict[tuple[object, object], Format] = {
    (f.engine, f.kind): f for f in ALL_FORMATS if f.engine is not None
}
_BY_NAME = {f.name: f for f in ALL_FORMATS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """One record; `tail` holds the decoded tail words, `at` the index of its header word."""

    at: int
    format: Format
    fields: Fields
    tail: tuple[Fields, ...]

    def __getitem__(self, name: str) -> int:
        """The value of a field that is a single integer."""
        value = self.fields[name]
        if isinstance(value, tuple):
            raise TypeError(f"{self.format.name}.{name} holds {len(value)} values")
        return value

    def __str__(self) -> str:
        engine = self.format.engine
        assert engine is not None
        lines = [f"{self.at:6d}  {engine.name.lower():8s}{self.format.name}  {_text(self.fields)}"]
        lines += [f"{'':18s}{self.format.tail} {i}: {_text(t)}" for i, t in enumerate(self.tail)]
        return "\n".join(line.rstrip() for line in lines)


def _text(fields: Fields) -> str:
    return " ".join(
        f"{name}={','.join(map(str, value)) if isinstance(value, tuple) else value}"
        for name, value in fields.items()
    )


def _element(field: Field, bits: int) -> int:
    value = bits & ((1 << field.width) - 1)
    negative = field.signed and value >> (field.width - 1)
    return value - (1 << field.width) if negative else value


def decode_format(format_: Format, words: Sequence[int]) -> dict[str, int | tuple[int, ...]]:
    """The fields of a payload; ValueError on a wrong length or a set bit without meaning."""
    if len(words) != len(format_.words):
        raise ValueError(f"{format_.name}: {len(words)} words, not {len(format_.words)}")
    result: dict[str, int | tuple[int, ...]] = {}
    for number, (layout, word) in enumerate(zip(format_.words, words, strict=True)):
        rest = word
        for field in layout:
            elements = []
            for _ in range(field.count):
                elements.append(_element(field, rest))
                rest >>= field.width
            result[field.name] = elements[0] if field.count == 1 else tuple(elements)
        if rest:
            raise ValueError(f"{format_.name}: word {number} ({word:#x}) has unused bits set")
    return result


def _header(at: int, word: int) -> tuple[Format, int]:
    fields = decode_format(HEADER, [word])
    engine, kind, length = fields["engine"], fields["kind"], fields["words"]
    format_ = _RECORDS.get((engine, kind))
    if format_ is None:
        raise ValueError(f"word {at}: no record of engine {engine}, kind {kind}")
    assert isinstance(length, int)
    return format_, length


def decode(words: Sequence[int]) -> list[Decoded]:
    """The records up to and including CONTROL_END; zero words may follow it, nothing else.

    Raises ValueError with the word index for anything that no encoder writes.
    """
    records: list[Decoded] = []
    at = 0
    while at < len(words):
        format_, length = _header(at, words[at])
        body = words[at + 1 : at + 1 + length]
        fixed = len(format_.words)
        if len(body) != length or length < fixed:
            raise ValueError(f"word {at}: {format_.name} is cut short")
        if length > fixed and format_.tail is None:
            raise ValueError(f"word {at}: {format_.name} takes no tail words")
        tail = (
            ()
            if format_.tail is None
            else tuple(decode_format(_BY_NAME[format_.tail], [word]) for word in body[fixed:])
        )
        fields = decode_format(format_, body[:fixed])
        records.append(Decoded(at=at, format=format_, fields=fields, tail=tail))
        at += 1 + length
        if format_ is CONTROL_END:
            if any(words[at:]):
                raise ValueError(f"word {at}: data after control_end")
            return records
    raise ValueError("the program has no control_end")


def from_bytes(data: bytes) -> list[int]:
    """Little-endian bytes, a whole number of words, as 64-bit words."""
    step = WORD_BITS // 8
    if len(data) % step:
        raise ValueError(f"{len(data)} bytes are no whole number of {WORD_BITS}-bit words")
    return [int.from_bytes(data[i : i + step], "little") for i in range(0, len(data), step)]


def listing(records: Iterable[Decoded]) -> str:
    """One line per record and per tail word: word index, engine, fields."""
    return "".join(f"{record}\n" for record in records)
