# SPDX-License-Identifier: Apache-2.0
"""LUTs and registers of an accelerator on UltraScale+, part by part, as Yosys maps them.

A part's count is a sum of terms, each an amount that follows from the parameters (bits of
registers, lanes, bits that a multiplexer chooses from) times a constant. `area.json` holds the
constants; `python -m designs.area.fit` finds them from parts that Yosys has mapped one by one.
Parts in one netlist lose what nobody reads and what never changes: the share that is left is a
constant, too. LUTs that serve as RAM or shift register count as LUTs; `flexcc.dse.rams` counts
those of RAMs that follow from the parameters.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from math import ceil, log2
from pathlib import Path

from flexcc.accelerator import Accelerator
from flexcc.dse.rams import core_rams, ram_luts

__all__ = [
    "CONSTANTS",
    "Cells",
    "Constants",
    "Part",
    "Terms",
    "around_cells",
    "array_cells",
    "array_part",
    "array_terms",
    "buffer_terms",
    "cells",
    "core_parts",
    "fetch_terms",
    "lane_terms",
    "load_terms",
    "part_cells",
    "port_terms",
    "ram_cells",
    "requantize_terms",
    "sequencer_terms",
    "store_terms",
    "stored_constants",
    "weight_load_terms",
    "window_terms",
]

CONSTANTS = Path(__file__).with_name("area.json")
Terms = Mapping[str, float]
Constants = Mapping[str, Mapping[str, Mapping[str, float]]]
"""By part, "lut" or "ff", and term."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cells:
    """LUTs and registers."""

    lut: float
    ff: float

    def __add__(self, other: "Cells") -> "Cells":
        return Cells(lut=self.lut + other.lut, ff=self.ff + other.ff)

    def __mul__(self, factor: float) -> "Cells":
        return Cells(lut=self.lut * factor, ff=self.ff * factor)


_NOTHING = Cells(lut=0, ff=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A module of which there are `count`, and the amounts that its cells follow from."""

    name: str
    terms: Terms
    count: int = 1


def array_terms(*, m: int, p: int, n: int, packed: bool, acc_bits: int) -> Terms:
    """The array of G groups of columns, one column or two packed.

    `products`: M*P*N, each with a byte of activations on its way and a part of a chain of sums.
    `hops`: M*G words of N bytes of weights on their way. `accumulators`: bits of M*P of them.
    `skews`: of the N bytes of M rows and P columns each comes a cycle after the one before.
    """
    groups = -(-p // 2) if packed else p
    return {
        "products": m * p * n,
        "hops": 8 * n * m * groups,
        "accumulators": m * p * acc_bits,
        "skews": 8 * n * (m + p),
    }


def buffer_terms(*, banks: int, word_bytes: int, rotated: bool) -> Terms:
    """A buffer: `words`, the bits that leave it, and `turns`, those of its rotation.

    A LUT chooses one bit of four, so that two of log2(banks) stages take one.
    """
    bits = 8 * banks * word_bytes
    stages = ceil(log2(banks)) if rotated else 0
    return {"words": bits, "turns": bits * ceil(stages / 2)}


def load_terms(*, p: int, n: int, beat_bytes: int) -> Terms:
    """The load engine: `picks`, the bits of a beat's pixels that each of P banks picks one from.

    `places`: P picks among the pixels of a beat. `beat`: its bits.
    """
    beat = 8 * beat_bytes
    return {"picks": p * beat, "places": p * beat_bytes // n, "beat": beat, "one": 1}


def store_terms(*, p: int, n: int, beat_bytes: int) -> Terms:
    """The store engine: bits of P words and of a beat; four of the words are pooled."""
    return {"words": 8 * p * n, "pooled": 32 * n, "beat": 8 * beat_bytes, "one": 1}


def weight_load_terms(*, m: int, n: int, q: int, record_bytes: int, beat_bytes: int) -> Terms:
    """The weight engine: bits of a ring word, of Q parameter records, and of a beat."""
    return {"weights": 8 * m * n, "records": 8 * q * record_bytes, "beat": 8 * beat_bytes}


def requantize_terms(*, p: int, q: int, slopes: bool = False, wide: bool = False) -> Terms:
    """Requantisation: P*Q lanes, those with two slopes or 16 bits, Q chains of parameters."""
    lanes = p * q
    return {"lanes": lanes, "sloped": lanes * slopes, "wide": lanes * wide, "chains": q, "one": 1}


def lane_terms(*, p: int, q: int) -> Terms:
    """What stands behind requantisation: P*Q lanes."""
    return {"lanes": p * q}


def window_terms(*, taps: int, beat_bytes: int, slopes: bool) -> Terms:
    """The window engine: products of a beat's bytes with taps, and its requantising lanes."""
    return {
        "products": beat_bytes * taps,
        "lanes": beat_bytes,
        "sloped": beat_bytes * slopes,
    }


def port_terms(*, beat_bytes: int) -> Terms:
    """A memory port: bits of a beat, addresses and counters."""
    return {"beat": 8 * beat_bytes, "one": 1}


def fetch_terms(*, beat_bytes: int, sums: bool) -> Terms:
    """The fetch unit: bits of a beat, and a FIFO more for records of second tensors."""
    return {"beat": 8 * beat_bytes, "sums": sums, "one": 1}


def sequencer_terms(*, sums: bool) -> Terms:
    """The array's control, with what tiles say of sums."""
    return {"sums": sums, "one": 1}


def array_part(a: Accelerator) -> Part:
    """The array of a core."""
    terms = array_terms(m=a.m, p=a.p, n=a.n, packed=a.packed, acc_bits=a.acc_bits)
    return Part(name="array", terms=terms)


def core_parts(a: Accelerator) -> Iterator[Part]:
    """The parts of a core but its array."""
    bytes_, port = a.beat_bytes, port_terms(beat_bytes=a.beat_bytes)
    load = load_terms(p=a.p, n=a.n, beat_bytes=bytes_)
    columns = buffer_terms(banks=a.p, word_bytes=a.n, rotated=True)
    yield Part(name="load", terms=load, count=1 + a.sums)
    yield Part(name="buffer", terms=columns, count=2)
    yield Part(name="weights", terms=buffer_terms(banks=a.m, word_bytes=a.n, rotated=False))
    yield Part(
        name="weight_load",
        terms=weight_load_terms(
            m=a.m, n=a.n, q=a.q, record_bytes=a.record_bytes, beat_bytes=bytes_
        ),
    )
    yield Part(
        name="requantize",
        terms=requantize_terms(p=a.p, q=a.q, slopes=a.slopes, wide=a.wide),
    )
    yield Part(name="store", terms=store_terms(p=a.p, n=a.n, beat_bytes=bytes_))
    yield Part(name="sequencer", terms=sequencer_terms(sums=a.sums))
    yield Part(name="fetch", terms=fetch_terms(beat_bytes=bytes_, sums=a.sums))
    yield Part(name="read", terms=port, count=3 + a.sums)
    yield Part(name="write", terms=port)
    yield Part(name="control", terms={"one": 1})
    lanes = lane_terms(p=a.p, q=a.q)
    if a.sums:
        skip = buffer_terms(banks=a.p, word_bytes=a.n, rotated=False)
        yield Part(name="buffer", terms=skip)
        yield Part(name="sum", terms=lanes)
    if a.bends:
        yield Part(name="bend", terms=lanes)
    if a.tables:
        yield Part(name="table", terms=lanes)
    if a.window_taps:
        yield Part(
            name="window",
            terms=window_terms(taps=a.window_taps, beat_bytes=bytes_, slopes=a.slopes),
        )


@cache
def _stored() -> tuple[Constants, Cells]:
    stored = json.loads(CONSTANTS.read_text())
    return stored["parts"], Cells(**stored["left"])


def stored_constants() -> Constants:
    """The constants that were fitted."""
    return _stored()[0]


def part_cells(part: Part, constants: Constants) -> Cells:
    """The cells of all that are alike, mapped on their own."""
    lut, ff = (
        sum(
            constants[part.name][kind][term] * amount
            for term, amount in part.terms.items()
            if amount
        )
        for kind in ("lut", "ff")
    )
    return Cells(lut=lut, ff=ff) * part.count


def around_cells(a: Accelerator, constants: Constants, *, top: bool = True) -> Cells:
    """All cores but their arrays and RAMs, each part on its own; `top` counts what they share."""
    core = sum((part_cells(part, constants) for part in core_parts(a)), start=_NOTHING)
    if not top:
        return core * a.cores
    return core * a.cores + part_cells(Part(name="registers", terms={"one": 1}), constants)


def ram_cells(a: Accelerator) -> Cells:
    """The LUTs of RAMs of all cores."""
    return Cells(lut=sum(map(ram_luts, core_rams(a))), ff=0) * a.cores


def array_cells(a: Accelerator) -> Cells:
    """The arrays of all cores."""
    constants, _ = _stored()
    return part_cells(array_part(a), constants) * a.cores


def cells(a: Accelerator, *, top: bool = True) -> Cells:
    """All cores, and with `top` the control registers that they share."""
    constants, left = _stored()
    around = around_cells(a, constants, top=top)
    in_one = Cells(lut=around.lut * left.lut, ff=around.ff * left.ff)
    return in_one + ram_cells(a) + array_cells(a)
