# SPDX-License-Identifier: Apache-2.0
"""The load engines of the model: windows of tiles, and the pixels of second tensors."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flexcc.backend.interpreter.state import (
    Halves,
    Process,
    State,
    int_of,
    ints_of,
    read_bytes,
    require,
)
from flexcc.backend.window_lanes import WindowChannel, decode_window, windows_of
from flexcc.program.decode import Decoded
from flexcc.program.formats import (
    LOAD_WAIT,
    SKIP_WAIT,
    WINDOW,
)

__all__ = ["load", "load_skip"]

_WINDOW_GEOMETRY = ("extra_rows", "extra_beats", "first_row", "step_rows", "step_cols")
"""Fields of a tile that are 0 where windows are single pixels."""


def load(state: State, records: Sequence[Decoded]) -> Process:
    """Executes load records: windows into the halves of the activation buffer."""
    return _fill(state, state.act, records)


def load_skip(state: State, records: Sequence[Decoded]) -> Process:
    """Executes load records of second tensors, into the halves of the skip buffer."""
    return _fill(state, state.skip, records)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layer:
    """The window engine's layer."""

    record: Decoded
    channels: list[WindowChannel]


def _fill(state: State, buffer: Halves, records: Sequence[Decoded]) -> Process:
    p = state.accelerator.p
    half = 0
    layer: _Layer | None = None
    for record in records:
        if record.format in (LOAD_WAIT, SKIP_WAIT):
            counts = ints_of(record.fields, "core_tiles")
            require(not any(counts[len(state.done) :]), record, "a core that is not there")
            while not _reached(state.done, counts):
                yield False
            continue
        if record.format is WINDOW:
            channels = decode_window(record, state.accelerator)
            fits = len(channels) <= state.accelerator.window_channels
            require(state.accelerator.window_taps > 0, record, "there is no window engine")
            require(fits, record, "the channels overrun the window engine")
            plain = all(not own.weights.flat[:-1].any() for own in channels)
            require(plain or state.accelerator.window_taps > 1, record, "there is one tap only")
            layer = _Layer(record=record, channels=channels)
            continue
        require(len(record.tail) == record["planes"], record, "planes and plane words differ")
        pitch = record["row_beats"] * state.accelerator.beat_bytes
        contiguous = record["contiguous"] == (record["row_pitch"] == pitch)
        require(contiguous, record, "contiguous does not say what the pitch says")
        while not buffer.free or state.counts.tiles < record["wait_tiles"]:
            yield False
        buffer.free -= 1
        stride = record["phases"]
        require(1 <= stride <= len(ints_of(record.fields, "phase_base")), record, "phases")
        base = np.array(ints_of(record.fields, "phase_base"))
        rotation = np.array(ints_of(record.fields, "phase_rot"))
        require(bool((rotation < p).all()), record, "a rotation is not below P")
        for number, tail in enumerate(record.tail):
            window = _plane(state, record, number, int_of(tail, "address"), layer)
            column = np.arange(window.shape[1])
            place = column // stride + rotation[column % stride]
            word = base[column % stride] + place // p
            row = np.arange(window.shape[0])[:, None] * record["row_words"]
            word = number * record["plane_words"] + row + word
            inside = int(word.max(initial=0)) < buffer.words
            require(inside, record, "the window overruns the buffer")
            buffer.data[half * buffer.words + word, place % p] = window
        buffer.full += 1
        half = 1 - half
        yield True


def _reached(done: Sequence[int], counts: Sequence[int]) -> bool:
    """Whether no core has stored less; counts are known modulo 2^16, as in the hardware."""
    pairs = zip(done, counts, strict=False)
    return all((stored - count) % 2**16 < 2**15 for stored, count in pairs)


def _plane(
    state: State, record: Decoded, number: int, address: int, layer: _Layer | None
) -> NDArray[np.int8]:
    """The window of one plane, [rows, columns, N], padding included."""
    cols, n = record["mem_cols"], state.accelerator.n
    require(state.accelerator.wide or not record["wide"], record, "there are no 16 bits")
    lower = record["wide"] and 2 * number >= record["planes"]
    pixels = _beats(state, record, address)
    if record["window"]:
        require(layer is not None, record, "there is no window layer")
        assert layer is not None
        plain = not any(record[name] for name in _WINDOW_GEOMETRY)
        require(plain or state.accelerator.window_taps > 1, record, "there are no lines")
        lanes = layer.channels[number * n : number * n + n]
        require(len(lanes) == n, record, "the window layer has fewer planes")
        fits = record["row_beats"] <= state.accelerator.window_beats
        require(fits or state.accelerator.window_taps == 1, record, "a row overruns the lines")
        pixels = windows_of(record, layer.record, lanes, pixels)
    else:
        first = record["first_pixel"]
        pixels = pixels[:, first : first + cols]
    require(pixels.shape[1] == cols, record, "row_beats do not hold mem_cols pixels")
    rows = len(pixels)
    height = record["pad_top"] + rows + record["pad_bottom"]
    width = record["pad_left"] + cols + record["pad_right"]
    window = np.full((height, width, n), record["pad_lower" if lower else "pad_value"], np.int8)
    top, left = record["pad_top"], record["pad_left"]
    window[top : top + rows, left : left + cols] = pixels
    return window


def _beats(state: State, record: Decoded, address: int) -> NDArray[np.int8]:
    """What memory brings of one plane, [rows, pixels, N]."""
    n, size = state.accelerator.n, record["row_beats"] * state.accelerator.beat_bytes
    beats = np.empty((record["mem_rows"], size // n, n), np.int8)
    for row in range(record["mem_rows"]):
        data = read_bytes(state, address + row * record["row_pitch"], size).view(np.int8)
        state.counts.load_beats += record["row_beats"]
        beats[row] = data.reshape(-1, n)
    return beats
