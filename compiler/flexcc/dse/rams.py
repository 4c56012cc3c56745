# SPDX-License-Identifier: Apache-2.0
"""The RAMs of a core, and the block RAM that Yosys makes of each.

A RAM is made of blocks of one shape side by side and on top of each other, or of LUTs: of whatever
costs least by the prices that Yosys gives them. Blocks have one write port and one read port.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from flexcc.accelerator import Accelerator

__all__ = ["Ram", "core_rams", "ram_halves", "ram_luts"]

_HALF, _FULL, _LUTS = 129, 257, 16
"""Prices of a block of 18 Kbit, of 36 Kbit, and of the 8 LUTs that hold 64 words of 7 bits."""
_HALF_SHAPES = ((36, 512), (18, 1024), (9, 2048), (4, 4096), (2, 8192), (1, 16384))
_FULL_SHAPES = ((72, 512), (36, 1024), (18, 2048), (9, 4096), (4, 8192), (2, 16384), (1, 32768))
_LUT_SHAPES = ((14, 32), (7, 64))
_LUTS_OF_SHAPE = 8
_PARITY = 9
"""Bits of a block under one write enable."""
_READ_BEATS, _LIST_BITS, _TABLE_WORDS = 512, 64, 512
_ARRAY_RECORDS = 256
_RECORD_BITS = {False: 78, True: 90}
"""Of a channel's parameters, those that are stored: for 8 bits, and for up to 16."""
_SLOPE_BITS = 106
_WINDOW_CHANNEL_BITS = {False: 150, True: 256}
"""Without slopes and with them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ram:
    """So many alike of `words` of `bits`; `lane` bits are written by an enable of their own."""

    name: str
    words: int
    bits: int
    lane: int = 0
    count: int = 1


def _placed(ram: Ram) -> tuple[int, int, int]:
    """Price, halves of blocks, and LUTs of one of them, by what costs least."""
    bits, lane_bits = ram.bits, ram.lane or ram.bits
    lanes = bits // lane_bits
    if lanes > 1:
        bits = lanes * -(-lane_bits // _PARITY) * _PARITY

    def cells(shape: tuple[int, int], width: int) -> int:
        return -(-width // shape[0]) * -(-ram.words // shape[1])

    least = [(_HALF * cells(s, bits), cells(s, bits), 0) for s in _HALF_SHAPES]
    least += [(_FULL * cells(s, bits), 2 * cells(s, bits), 0) for s in _FULL_SHAPES]
    for shape in _LUT_SHAPES:
        parts = lanes * cells(shape, lane_bits)
        least.append((_LUTS * parts, 0, _LUTS_OF_SHAPE * parts))
    return min(least)


def ram_halves(ram: Ram) -> int:
    """Blocks of 18 Kbit that RAMs take together; one of 36 Kbit counts twice."""
    return ram.count * _placed(ram)[1]


def ram_luts(ram: Ram) -> int:
    """LUTs that RAMs are made of together, if they are."""
    return ram.count * _placed(ram)[2]


def core_rams(a: Accelerator) -> Iterator[Ram]:
    """The RAMs of one core that depend on its parameters.

    Column buffers have a bank for each of P columns, of two halves; the weight ring has a RAM for
    each of M rows; a FIFO for each read engine and the write engine holds memory beats.
    """
    word, beat = 8 * a.n, 8 * a.beat_bytes
    yield Ram(name="activations", words=2 * a.act_words, bits=word, count=a.p)
    yield Ram(name="outputs", words=2 * a.out_words, bits=word, lane=8 * a.q, count=a.p)
    if a.sums:
        yield Ram(name="second tensor", words=2 * a.out_words, bits=word, count=a.p)
    yield Ram(name="weights", words=a.weight_words, bits=word, count=a.m)
    depth = a.param_passes * a.drain_cycles
    record = _RECORD_BITS[a.wide] + a.slopes * _SLOPE_BITS
    yield Ram(name="parameters", words=depth, bits=a.q * record)
    if a.bends:
        yield Ram(name="slopes of sums", words=depth, bits=a.q * _SLOPE_BITS)
    yield Ram(name="lists", words=2 * a.list_entries, bits=_LIST_BITS)
    yield Ram(name="array records", words=_ARRAY_RECORDS, bits=_LIST_BITS)
    yield Ram(name="reads", words=_READ_BEATS, bits=beat, count=3 + a.sums)
    yield Ram(name="writes", words=_READ_BEATS, bits=beat + a.beat_bytes)
    if a.tables:
        yield Ram(name="tables", words=_TABLE_WORDS, bits=8, count=a.p * a.q)
    if a.window_taps:
        bits = _WINDOW_CHANNEL_BITS[a.slopes]
        yield Ram(name="window channels", words=2 * a.window_channels, bits=bits)
    if a.window_taps > 1:
        yield Ram(name="window lines", words=a.window_beats, bits=beat, count=2)
