# SPDX-License-Identifier: Apache-2.0
"""Fields to 64-bit words: payloads, and whole records with their header."""

from collections.abc import Iterable, Mapping, Sequence
from operator import index

from flexcc.program.formats import HEADER, WORD_BITS, Field, Format

__all__ = ["Value", "encode", "record", "to_bytes"]

Value = int | Sequence[int]
"""What a field takes: an integer, or exactly `count` of them for a field with count > 1."""


def _pack(format_: Format, field: Field, value: Value) -> int:
    """The bits of one field, its first element lowest."""
    place = f"{format_.name}.{field.name}"
    if field.count == 1:
        if isinstance(value, Sequence):
            raise ValueError(f"{place}: one integer expected, not {value!r}")
        elements: Sequence[int] = (value,)
    else:
        if not isinstance(value, Sequence) or len(value) != field.count:
            raise ValueError(f"{place}: {field.count} integers expected, not {value!r}")
        elements = value
    low = -(1 << (field.width - 1)) if field.signed else 0
    high = low + (1 << field.width) - 1
    bits = 0
    for position, element in enumerate(elements):
        number = index(element)
        if not low <= number <= high:
            raise ValueError(f"{place}: {number} lies outside {low}..{high}")
        bits |= (number & ((1 << field.width) - 1)) << (position * field.width)
    return bits


def _payload(format_: Format, values: Mapping[str, Value]) -> list[int]:
    names = {field.name for word in format_.words for field in word}
    if missing := sorted(names - values.keys()):
        raise ValueError(f"{format_.name}: missing {', '.join(missing)}")
    if unknown := sorted(values.keys() - names):
        raise ValueError(f"{format_.name}: no such field: {', '.join(unknown)}")
    result = []
    for word in format_.words:
        bits, low = 0, 0
        for field in word:
            bits |= _pack(format_, field, values[field.name]) << low
            low += field.width * field.count
        result.append(bits)
    return result


def encode(format_: Format, /, **fields: Value) -> list[int]:
    """The payload words of `format_`; every field must be given and fit, else ValueError."""
    return _payload(format_, fields)


def record(format_: Format, /, tail: Iterable[int] = (), **fields: Value) -> list[int]:
    """A whole record: header, payload, then `tail`, encoded words, where the format has a tail.

    Raises ValueError when the format is no record, a field is wrong or the record is too long.
    """
    if format_.engine is None or format_.kind is None:
        raise ValueError(f"{format_.name}: not a record of its own")
    extra = [index(word) for word in tail]
    if extra and format_.tail is None:
        raise ValueError(f"{format_.name}: takes no tail words")
    if any(not 0 <= word < 1 << WORD_BITS for word in extra):
        raise ValueError(f"{format_.name}: a tail word is no unsigned {WORD_BITS}-bit number")
    body = _payload(format_, fields) + extra
    header = encode(HEADER, words=len(body), kind=format_.kind, engine=format_.engine)
    return header + body


def to_bytes(words: Iterable[int]) -> bytes:
    """64-bit words as they lie in memory, little-endian."""
    return b"".join(word.to_bytes(WORD_BITS // 8, "little") for word in words)
