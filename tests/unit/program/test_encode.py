# SPDX-License-Identifier: Apache-2.0
"""Encoding and decoding are inverse, and neither lets anything slip."""

import random
from typing import Any

import pytest

from flexcc.program.decode import decode, decode_format, from_bytes, listing
from flexcc.program.encode import encode, record, to_bytes
from flexcc.program.formats import (
    ALL_FORMATS,
    ARRAY_PASSES,
    CONTROL_END,
    HEADER,
    LOAD_TILE,
    PARAMETER,
    PASS,
    PLANE,
    WEIGHTS_FETCH,
    Field,
    Format,
)


def _random_value(rng: random.Random, field: Field) -> int | tuple[int, ...]:
    low = -(1 << (field.width - 1)) if field.signed else 0
    high = low + (1 << field.width) - 1
    values = [rng.choice([low, high, rng.randint(low, high)]) for _ in range(field.count)]
    return values[0] if field.count == 1 else tuple(values)


def _random_fields(rng: random.Random, format_: Format) -> dict[str, Any]:
    return {f.name: _random_value(rng, f) for word in format_.words for f in word}


@pytest.mark.parametrize("format_", ALL_FORMATS, ids=lambda f: f.name)
@pytest.mark.parametrize("seed", range(8))
def test_decode_inverts_encode(format_: Format, seed: int) -> None:
    fields = _random_fields(random.Random(seed), format_)
    words = encode(format_, **fields)
    assert len(words) == len(format_.words)
    assert decode_format(format_, words) == fields


def test_first_field_and_first_element_lie_lowest() -> None:
    assert encode(HEADER, words=0x1234, kind=0x56, engine=0x78) == [0x78561234]
    fields = {f.name: (0,) * 4 if f.count > 1 else 0 for word in LOAD_TILE.words for f in word}
    fields |= {"phase_base": (1, 2, 3, 4), "pad_value": -1}
    words = encode(LOAD_TILE, **fields)
    assert words[4] == 0x0004_0003_0002_0001
    assert words[3] == 0xFF << 32


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"mult": 1 << 24, "shift": 0, "bias": 0},
            r"mult: 16777216 lies outside 0\.\.16777215",
        ),
        ({"mult": -1, "shift": 0, "bias": 0}, "parameter.mult: -1 lies outside"),
        (
            {"mult": 0, "shift": 0, "bias": 1 << 59},
            "parameter.bias: 576460752303423488 lies outside",
        ),
        ({"mult": 0, "shift": 0}, "parameter: missing bias"),
        ({"mult": 0, "shift": 0, "bias": 0, "bais": 1}, "parameter: no such field: bais"),
        ({"mult": (0,), "shift": 0, "bias": 0}, "parameter.mult: one integer expected"),
    ],
)
def test_wrong_fields_are_named(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        encode(PARAMETER, **fields)


def test_array_fields_need_every_element() -> None:
    fields = {f.name: (0,) * 4 if f.count > 1 else 0 for word in LOAD_TILE.words for f in word}
    with pytest.raises(ValueError, match=r"load_tile\.phase_rot: 4 integers expected"):
        encode(LOAD_TILE, **{**fields, "phase_rot": (0, 1)})


def test_fractions_are_refused() -> None:
    with pytest.raises(TypeError):
        encode(PLANE, address=1.5)  # type: ignore[arg-type]


def test_only_records_have_headers_and_only_some_take_tails() -> None:
    with pytest.raises(ValueError, match="plane: not a record"):
        record(PLANE, address=0)
    with pytest.raises(ValueError, match="weights_fetch: takes no tail"):
        record(WEIGHTS_FETCH, [1], address=0, beats=1, repeats=1)
    with pytest.raises(ValueError, match="tail word"):
        record(ARRAY_PASSES, [1 << 64])
    with pytest.raises(ValueError, match=r"header\.words: 65536"):
        record(ARRAY_PASSES, [0] * 65536)


@pytest.mark.parametrize("seed", range(8))
def test_a_program_survives_the_round_trip(seed: int) -> None:
    rng = random.Random(seed)
    by_name = {f.name: f for f in ALL_FORMATS}
    kinds = [f for f in ALL_FORMATS if f.engine is not None and f is not CONTROL_END]
    expected: list[object] = []
    words: list[int] = []
    for _ in range(20):
        format_ = rng.choice(kinds)
        fields = _random_fields(rng, format_)
        tail = []
        if format_.tail:
            tail = [_random_fields(rng, by_name[format_.tail]) for _ in range(rng.randint(0, 5))]
        expected.append((len(words), format_.name, fields, tuple(tail)))
        tail_words = [encode(by_name[format_.tail], **t)[0] for t in tail] if format_.tail else []
        words += record(format_, tail_words, **fields)
    expected.append((len(words), "control_end", {"tiles": 7}, ()))
    words += record(CONTROL_END, tiles=7)

    records = decode(from_bytes(to_bytes([*words, 0, 0])))
    assert [(r.at, r.format.name, r.fields, r.tail) for r in records] == expected


def test_decode_refuses_what_no_encoder_writes() -> None:
    end = record(CONTROL_END, tiles=1)
    with pytest.raises(ValueError, match="no control_end"):
        decode(encode(HEADER, words=0, kind=2, engine=3))
    with pytest.raises(ValueError, match="word 2: data after control_end"):
        decode([*end, 1])
    with pytest.raises(ValueError, match="no record of engine 3, kind 9"):
        decode(encode(HEADER, words=0, kind=9, engine=3))
    with pytest.raises(ValueError, match="no record of engine 99, kind 0"):
        decode(encode(HEADER, words=0, kind=0, engine=99))
    with pytest.raises(ValueError, match="word 0: control_end is cut short"):
        decode(end[:1])
    with pytest.raises(ValueError, match="unused bits"):
        decode([end[0], 1 << 40])
    with pytest.raises(ValueError, match="takes no tail"):
        decode([end[0] + 1, 1, 1])
    with pytest.raises(ValueError, match="whole number"):
        from_bytes(b"abc")


def test_listing_names_engine_fields_and_tail() -> None:
    fields = {
        "list_start": 0,
        "list_entries": 9,
        "out_byte": 0,
        "take": 1,
        "hand_over": 1,
        "plane": 2,
    }
    passes = [encode(PASS, **fields, out_base=i, tile_last=i)[0] for i in range(2)]
    text = listing(decode(record(ARRAY_PASSES, passes) + record(CONTROL_END, tiles=3)))
    common = "list_start=0 list_entries=9"
    assert text.splitlines() == [
        "     0  array   array_passes",
        f"{'':18}pass 0: {common} out_base=0 out_byte=0 take=1 hand_over=1 tile_last=0 plane=2",
        f"{'':18}pass 1: {common} out_base=1 out_byte=0 take=1 hand_over=1 tile_last=1 plane=2",
        "     3  control control_end  tiles=3",
    ]
