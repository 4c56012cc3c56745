# SPDX-License-Identifier: Apache-2.0
"""A slow, exact model of the accelerator: runs an encoded program on a memory image.

It knows the record formats and the accelerator's parameters, not the plan, so that compiler and
program format are proven against `docs/rtl/microarchitecture.md` without any RTL. Five engines run
as coroutines that share rings, buffer halves and the progress counter; cores share memory and each
other's progress. Which of those that can go on does go on is the `Schedule`'s choice: every
schedule must give the same memory, or a record waits for too little. Buffers start with random
bytes, so that reading what was never written shows.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from flexcc.accelerator import Accelerator
from flexcc.backend.lanes import (
    Channel,
    bent,
    decode_channels,
    put_out,
    requantized,
    summed,
)
from flexcc.backend.window_lanes import WindowChannel, decode_window, windows_of
from flexcc.program.decode import Decoded, Fields, decode, decode_format, from_bytes
from flexcc.program.formats import (
    ARRAY_BEND,
    ARRAY_LISTS,
    ARRAY_SUM,
    ARRAY_TABLE,
    ARRAY_TILE,
    ARRAY_WIDE,
    CONTROL_END,
    LOAD_WAIT,
    SKIP_WAIT,
    TABLE_WORDS,
    WEIGHT_IMAGE,
    WINDOW,
    Engine,
)

__all__ = ["Counts", "HazardError", "Schedule", "interpret"]

_PACKING_OFFSET = -1024
_PACKED_LANES = 8

_WINDOW_GEOMETRY = ("extra_rows", "extra_beats", "first_row", "step_rows", "step_cols")
"""Fields of a tile that are 0 where windows are single pixels."""

IntArray = NDArray[np.int64]


class HazardError(Exception):
    """The program breaks a rule of the hardware: a buffer overrun, a deadlock, a lost half."""


class Schedule(Enum):
    """Which engine goes first when several can: the left one, on the first or the last core."""

    EAGER_LOADS = (Engine.LOAD, Engine.SKIP, Engine.WEIGHTS, Engine.ARRAY, Engine.STORE)
    EAGER_STORES = (Engine.STORE, Engine.ARRAY, Engine.WEIGHTS, Engine.SKIP, Engine.LOAD)


@dataclass(slots=True, kw_only=True)
class Counts:
    """What a run did: array steps, memory beats by reader, tiles stored, pixels stored."""

    steps: int = 0
    load_beats: int = 0
    weight_beats: int = 0
    tiles: int = 0
    stored_pixels: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        names = (f.name for f in fields(Counts))
        return Counts(**{name: getattr(self, name) + getattr(other, name) for name in names})


@dataclass(slots=True, kw_only=True)
class _Halves:
    """A buffer that a load engine fills: two halves of `words` words in each of P banks."""

    data: NDArray[np.int8]
    words: int
    full: int = 0
    free: int = 2


@dataclass(slots=True, kw_only=True)
class _State:
    """Everything a core's engines share. Rings are numbered without end; halves are counted.

    `done` holds the stored tiles of all cores, this one being `core`.
    """

    accelerator: Accelerator
    core: int
    done: list[int]
    memory: NDArray[np.uint8]
    act: "_Halves"
    skip: "_Halves"
    out: NDArray[np.int8]
    weights: NDArray[np.int8]
    params: list[Sequence[Channel]]
    counts: Counts = field(default_factory=Counts)
    weights_written: int = 0
    weights_released: int = 0
    table: IntArray | None = None
    params_written: int = 0
    params_released: int = 0
    out_full: int = 0
    out_free: int = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layer:
    """The window engine's layer."""

    record: Decoded
    channels: list[WindowChannel]


_Process = Iterator[bool]
"""An engine: yields True after some work, False while it waits; ends with its records."""


def _require(holds: bool, record: Decoded, what: str) -> None:
    if not holds:
        raise HazardError(f"word {record.at}, {record.format.name}: {what}")


def _ints(fields: Fields, name: str) -> tuple[int, ...]:
    value = fields[name]
    return value if isinstance(value, tuple) else (value,)


def _int(fields: Fields, name: str) -> int:
    (value,) = _ints(fields, name)
    return value


def _read(state: _State, address: int, size: int) -> NDArray[np.uint8]:
    if address % state.accelerator.beat_bytes or not 0 <= address <= len(state.memory) - size:
        raise HazardError(f"read of {size} bytes at {address}: misaligned or outside memory")
    return state.memory[address : address + size]


def _beats(state: _State, record: Decoded, address: int) -> NDArray[np.int8]:
    """What memory brings of one plane, [rows, pixels, N]."""
    n, size = state.accelerator.n, record["row_beats"] * state.accelerator.beat_bytes
    beats = np.empty((record["mem_rows"], size // n, n), np.int8)
    for row in range(record["mem_rows"]):
        data = _read(state, address + row * record["row_pitch"], size).view(np.int8)
        state.counts.load_beats += record["row_beats"]
        beats[row] = data.reshape(-1, n)
    return beats


def _plane(
    state: _State, record: Decoded, number: int, address: int, layer: _Layer | None
) -> NDArray[np.int8]:
    """The window of one plane, [rows, columns, N], padding included."""
    cols, n = record["mem_cols"], state.accelerator.n
    _require(state.accelerator.wide or not record["wide"], record, "there are no 16 bits")
    lower = record["wide"] and 2 * number >= record["planes"]
    pixels = _beats(state, record, address)
    if record["window"]:
        _require(layer is not None, record, "there is no window layer")
        assert layer is not None
        plain = not any(record[name] for name in _WINDOW_GEOMETRY)
        _require(plain or state.accelerator.window_taps > 1, record, "there are no lines")
        lanes = layer.channels[number * n : number * n + n]
        _require(len(lanes) == n, record, "the window layer has fewer planes")
        fits = record["row_beats"] <= state.accelerator.window_beats
        _require(fits or state.accelerator.window_taps == 1, record, "a row overruns the lines")
        pixels = windows_of(record, layer.record, lanes, pixels)
    else:
        first = record["first_pixel"]
        pixels = pixels[:, first : first + cols]
    _require(pixels.shape[1] == cols, record, "row_beats do not hold mem_cols pixels")
    rows = len(pixels)
    height = record["pad_top"] + rows + record["pad_bottom"]
    width = record["pad_left"] + cols + record["pad_right"]
    window = np.full((height, width, n), record["pad_lower" if lower else "pad_value"], np.int8)
    top, left = record["pad_top"], record["pad_left"]
    window[top : top + rows, left : left + cols] = pixels
    return window


def _reached(done: Sequence[int], counts: Sequence[int]) -> bool:
    """Whether no core has stored less; counts are known modulo 2^16, as in the hardware."""
    pairs = zip(done, counts, strict=False)
    return all((stored - count) % 2**16 < 2**15 for stored, count in pairs)


def _load(state: _State, records: Sequence[Decoded]) -> _Process:
    return _fill(state, state.act, records)


def _load_skip(state: _State, records: Sequence[Decoded]) -> _Process:
    return _fill(state, state.skip, records)


def _fill(state: _State, buffer: _Halves, records: Sequence[Decoded]) -> _Process:
    p = state.accelerator.p
    half = 0
    layer: _Layer | None = None
    for record in records:
        if record.format in (LOAD_WAIT, SKIP_WAIT):
            counts = _ints(record.fields, "core_tiles")
            _require(not any(counts[len(state.done) :]), record, "a core that is not there")
            while not _reached(state.done, counts):
                yield False
            continue
        if record.format is WINDOW:
            channels = decode_window(record, state.accelerator)
            fits = len(channels) <= state.accelerator.window_channels
            _require(state.accelerator.window_taps > 0, record, "there is no window engine")
            _require(fits, record, "the channels overrun the window engine")
            plain = all(not own.weights.flat[:-1].any() for own in channels)
            _require(plain or state.accelerator.window_taps > 1, record, "there is one tap only")
            layer = _Layer(record=record, channels=channels)
            continue
        _require(len(record.tail) == record["planes"], record, "planes and plane words differ")
        pitch = record["row_beats"] * state.accelerator.beat_bytes
        contiguous = record["contiguous"] == (record["row_pitch"] == pitch)
        _require(contiguous, record, "contiguous does not say what the pitch says")
        while not buffer.free or state.counts.tiles < record["wait_tiles"]:
            yield False
        buffer.free -= 1
        stride = record["phases"]
        _require(1 <= stride <= len(_ints(record.fields, "phase_base")), record, "phases")
        base = np.array(_ints(record.fields, "phase_base"))
        rotation = np.array(_ints(record.fields, "phase_rot"))
        _require(bool((rotation < p).all()), record, "a rotation is not below P")
        for number, tail in enumerate(record.tail):
            window = _plane(state, record, number, _int(tail, "address"), layer)
            column = np.arange(window.shape[1])
            place = column // stride + rotation[column % stride]
            word = base[column % stride] + place // p
            row = np.arange(window.shape[0])[:, None] * record["row_words"]
            word = number * record["plane_words"] + row + word
            inside = int(word.max(initial=0)) < buffer.words
            _require(inside, record, "the window overruns the buffer")
            buffer.data[half * buffer.words + word, place % p] = window
        buffer.full += 1
        half = 1 - half
        yield True


def _image(
    state: _State, record: Decoded, address: int
) -> tuple[int, Sequence[Channel], NDArray[np.int8]]:
    """Beats, parameters and weight words of the pass image at `address`."""
    a = state.accelerator
    header = decode_format(WEIGHT_IMAGE, from_bytes(_read(state, address, 8).tobytes()))
    count = _int(header, "weight_words")
    beats: int = 1
    params: list[Channel] = []
    if header["has_params"]:
        words = from_bytes(_read(state, address + a.beat_bytes, a.record_bytes * a.m).tobytes())
        params = decode_channels(words, a)
        beats += -(-a.record_bytes * a.m // a.beat_bytes)
    size = count * a.m * a.n
    data = _read(state, address + beats * a.beat_bytes, size).view(np.int8)
    beats += -(-size // a.beat_bytes)
    _require(beats <= record["beats"], record, "an image is longer than the fetch")
    return beats, params, data.reshape(count, a.m, a.n)


def _weights(state: _State, records: Sequence[Decoded]) -> _Process:
    a = state.accelerator
    for record in records:
        _require(record["repeats"] > 0, record, "no repeats")
        for _ in range(record["repeats"]):
            beat = 0
            while beat < record["beats"]:
                beats, params, words = _image(
                    state, record, record["address"] + beat * a.beat_bytes
                )
                beat += beats
                state.counts.weight_beats += beats
                _require(beat <= record["beats"], record, "an image is longer than the fetch")
                if params:
                    while state.params_written - state.params_released == a.param_passes:
                        yield False
                    state.params[state.params_written % a.param_passes] = params
                    state.params_written += 1
                for word in words:
                    while state.weights_written - state.weights_released == a.weight_words:
                        yield False
                    state.weights[state.weights_written % a.weight_words] = word
                    state.weights_written += 1
                yield True


def _outputs(
    acc: IntArray, params: Sequence[Channel], tile: Decoded, limits: Fields, a: Accelerator
) -> IntArray:
    """Accumulators [pixels, P, rows] to outputs [pixels, P, channels], 16 bits not split yet."""
    most = 1 << (a.acc_bits - 1)
    if not -most <= acc.min(initial=0) <= acc.max(initial=0) < most:
        raise HazardError(f"word {tile.at}: an accumulator leaves {a.acc_bits} bits")
    result = np.empty_like(acc)
    for row in range(a.m):
        chain, position = divmod(row, a.drain_cycles)
        channel = (a.drain_cycles - 1 - position) * a.q + chain
        own = params[channel]
        if tile["bent"]:
            own = replace(own, slope=None)
        result[:, :, channel] = requantized(
            acc[:, :, row],
            own,
            _int(limits, "zero_point"),
            _int(limits, "low"),
            _int(limits, "high"),
            wide=bool(tile["wide"]),
        )
    return result


def _bytes(values: IntArray, tile: Decoded, plane: int) -> IntArray:
    _require(bool(tile["wide"]) or not plane, tile, "8 bits have no planes")
    return put_out(values, plane)


@dataclass(slots=True, kw_only=True)
class _Cursors:
    """The array's place in the rings and the buffers."""

    weight: int = 0
    param: int = 0
    act_half: int = 0
    skip_half: int = 0
    out_half: int = 0
    tile_open: bool = False
    group_open: bool = False
    sum: Decoded | None = None
    bend: Decoded | None = None
    wide: Decoded | None = None

    def limits(self, tile: Decoded) -> Fields:
        """The record that holds zero point and limits of a tile."""
        if not tile["wide"]:
            return tile.fields
        _require(self.wide is not None, tile, "there are no limits of 16 bits")
        assert self.wide is not None
        return self.wide.fields


def _steps(
    state: _State, tile: Decoded, entries: Sequence[Fields], half: int
) -> Iterator[tuple[int, NDArray[np.int8]]]:
    """What the array's columns see in each step, [pixel groups, P, N].

    With it comes what the sums before the step count from it on, 1 or 256 times.
    """
    a = state.accelerator
    row, group = np.divmod(np.arange(tile["rows"] * tile["groups"]), tile["groups"])
    offset = row * tile["row_step"] + group
    for entry in entries:
        bank = np.arange(a.p) + _int(entry, "rotation")
        _require(_int(entry, "rotation") < a.p, tile, "a rotation is not below P")
        for block in range(_int(entry, "run")):
            word = _int(entry, "base") + offset + block * tile["plane_words"]
            _require(int(word.max()) < a.act_words, tile, "a step reads beyond the buffer")
            address = (half * a.act_words + word[:, None] + bank // a.p) % (2 * a.act_words)
            shift = _int(entry, "shift") and not block
            _require(a.wide or not shift, tile, "there are no 16 bits")
            yield 256 if shift else 1, state.act.data[address, bank % a.p]


def _product(x: NDArray[np.int8], w: NDArray[np.int8], a: Accelerator) -> IntArray:
    """One step: [groups, P, N] by [M, N]; float64 holds these sums exactly."""
    result: IntArray = (x.astype(np.float64) @ w.astype(np.float64).T).astype(np.int64)
    if a.packed:
        result += _PACKING_OFFSET * (a.n // _PACKED_LANES)
    return result


def _accumulate_resident(
    state: _State, tile: Decoded, entries: Sequence[Fields], at: _Cursors
) -> Iterator[IntArray | None]:
    """Yields None while weights are missing, then the accumulators of all pixel groups."""
    a = state.accelerator
    groups = tile["rows"] * tile["groups"]
    acc = np.zeros((groups, a.p, a.m), np.int64)
    for number, (factor, x) in enumerate(_steps(state, tile, entries, at.act_half)):
        word = at.weight + number
        held = word - state.weights_released
        _require(held < a.weight_words, tile, "the pass's weights do not fit the ring")
        while state.weights_written <= word:
            yield None
        acc *= factor
        acc += _product(x, state.weights[word % a.weight_words], a)
        state.counts.steps += groups
    yield acc


def _accumulate_streamed(
    state: _State, tile: Decoded, entries: Sequence[Fields], at: _Cursors
) -> Iterator[IntArray | None]:
    """As above, but each pixel group uses up weight words of its own."""
    a = state.accelerator
    steps = list(_steps(state, tile, entries, at.act_half))
    acc = np.zeros((tile["rows"] * tile["groups"], a.p, a.m), np.int64)
    for group in range(len(acc)):
        for factor, x in steps:
            while state.weights_written <= at.weight:
                yield None
            word = state.weights[at.weight % a.weight_words]
            acc[group] *= factor
            acc[group] += _product(x[group : group + 1], word, a)[0]
            at.weight += 1
            state.weights_released = at.weight
            state.counts.steps += 1
    yield acc


def _write_outputs(
    state: _State, tile: Decoded, item: Fields, values: IntArray, at: _Cursors
) -> None:
    a = state.accelerator
    params = state.params[at.param % a.param_passes]
    channels = 1 << tile["word_channels"]
    _require(a.q <= channels <= a.n, tile, "word_channels")
    group, lane = np.divmod(np.arange(a.m) + _int(item, "out_byte"), channels)
    pixel = _int(item, "out_base") + np.arange(len(values))
    word = pixel[:, None] + group * tile["out_plane_words"]
    _require(int(word.max()) < a.out_words, tile, "a pass overruns the output buffer")
    column = np.arange(a.p)[None, :, None]
    if tile["summed"]:
        _require(at.sum is not None, tile, "there is no sum")
        assert at.sum is not None
        address = at.skip_half * a.out_words + word[:, None, :]
        second = state.skip.data[address, column, lane].astype(np.int64)
        values = summed(values, second, at.sum.fields)
    if tile["bent"]:
        _require(at.bend is not None and bool(tile["summed"]), tile, "there is no bend of a sum")
        assert at.bend is not None
        for channel, own in enumerate(params):
            assert own.slope is not None
            values[:, :, channel] = bent(values[:, :, channel], own.slope, at.bend.fields)
    if tile["lookup"]:
        _require(state.table is not None, tile, "there is no table")
        assert state.table is not None
        values = state.table[values + 128]
    address = at.out_half * a.out_words + word[:, None, :]
    for repeat in range(0, a.n, channels):
        state.out[address, column, repeat + lane[None, None, :]] = values


def _pass(
    state: _State, tile: Decoded, item: Fields, lists: Sequence[Fields], at: _Cursors
) -> _Process:
    start, count = _int(item, "list_start"), _int(item, "list_entries")
    entries = lists[start : start + count]
    _require(count > 0 and len(entries) == count, tile, "a pass's list is not there")
    steps = sum(_int(entry, "run") for entry in entries)
    while not at.tile_open and not state.act.full:
        yield False
    if not at.tile_open:
        at.tile_open = True
        state.act.full -= 1
    if item["take"]:
        _require(not at.group_open, tile, "a half is taken twice")
        while not state.out_free or (tile["summed"] and not state.skip.full):
            yield False
        state.out_free -= 1
        state.skip.full -= tile["summed"]
        at.group_open = True
    _require(at.group_open, tile, "a pass has no half of the output buffer")
    while state.params_written <= at.param:
        held = at.param - state.params_released
        _require(held < state.accelerator.param_passes, tile, "parameters do not fit the ring")
        yield False
    streamed = bool(tile["stream"])
    accumulate = _accumulate_streamed if streamed else _accumulate_resident
    acc: IntArray | None = None
    for acc in accumulate(state, tile, entries, at):
        if acc is None:
            yield False
    assert acc is not None
    params = state.params[at.param % state.accelerator.param_passes]
    values = _outputs(acc, params, tile, at.limits(tile), state.accelerator)
    _write_outputs(state, tile, item, _bytes(values, tile, _int(item, "plane")), at)
    at.param += 1
    if not streamed:
        at.weight += steps
    if not tile["keep"]:
        state.weights_released = at.weight
        state.params_released = at.param
    if item["hand_over"]:
        at.out_half = 1 - at.out_half
        at.group_open = False
        state.out_full += 1
        if tile["summed"]:
            at.skip_half = 1 - at.skip_half
            state.skip.free += 1
    if item["tile_last"]:
        if tile["keep"]:
            at.weight, at.param = state.weights_released, state.params_released
        at.tile_open = False
        at.act_half = 1 - at.act_half
        state.act.free += 1
    yield True


def _array(state: _State, records: Sequence[Decoded]) -> _Process:
    at = _Cursors()
    lists: Sequence[Fields] = ()
    tile: Decoded | None = None
    for record in records:
        if record.format is ARRAY_LISTS:
            fits = len(record.tail) <= state.accelerator.list_entries
            _require(fits, record, "the lists do not fit the list memory")
            lists = record.tail
        elif record.format is ARRAY_TABLE:
            _require(state.accelerator.tables, record, "there are no tables")
            _require(len(record.tail) == TABLE_WORDS, record, "a table of another length")
            entries = [entry for word in record.tail for entry in _ints(word, "entry")]
            state.table = np.array(entries, np.int64)
        elif record.format is ARRAY_SUM:
            _require(state.accelerator.sums, record, "the accelerator has no sums")
            at.sum = record
        elif record.format is ARRAY_WIDE:
            _require(state.accelerator.wide, record, "there are no 16 bits")
            at.wide = record
        elif record.format is ARRAY_BEND:
            _require(state.accelerator.bends, record, "the accelerator does not bend sums")
            at.bend = record
        elif record.format is ARRAY_TILE:
            _require(not at.tile_open, record, "the tile before has no last pass")
            tile = record
        else:
            for item in record.tail:
                _require(tile is not None, record, "a pass without a tile")
                assert tile is not None
                yield from _pass(state, tile, item, lists, at)
                if item["tile_last"]:
                    tile = None


def _buffer_plane(state: _State, record: Decoded, half: int, plane: int) -> NDArray[np.int8]:
    """The valid pixels of an output plane, [valid_rows, valid_cols, N], phases interleaved."""
    a = state.accelerator
    steps = record["phases_y"], record["phases_x"]
    _require(min(steps) > 0, record, "phases")
    _require(not record["pool"] or steps == (1, 1), record, "phases are pooled")
    rows, cols = record["valid_rows"], record["valid_cols"]
    (row, phase_y), (column, phase_x) = (
        np.divmod(axis, step) for axis, step in zip(np.ogrid[:rows, :cols], steps, strict=True)
    )
    word = plane * record["plane_words"] + row * record["row_words"] + column // a.p
    word = word + (phase_y * steps[1] + phase_x) * record["phase_words"]
    _require(int(word.max(initial=0)) < a.out_words, record, "a plane overruns the buffer")
    pixels: NDArray[np.int8] = state.out[half * a.out_words + word, column % a.p]
    return pixels


def _pooled(record: Decoded, pixels: NDArray[np.int8]) -> NDArray[np.int8]:
    """The windows' maxima; taps outside do not count, -128 where none counts."""
    rows, cols = record["rows"], record["cols"]
    result = np.full((rows, cols, pixels.shape[2]), -128, np.int8)
    for ky in range(record["kernel_h"]):
        for kx in range(record["kernel_w"]):
            y = record["origin_y"] + np.arange(rows) * record["stride_h"] + ky
            x = record["origin_x"] + np.arange(cols) * record["stride_w"] + kx
            inside_y = np.flatnonzero((y >= 0) & (y < pixels.shape[0]))
            inside_x = np.flatnonzero((x >= 0) & (x < pixels.shape[1]))
            target = np.ix_(inside_y, inside_x)
            taps = pixels[np.ix_(y[inside_y], x[inside_x])]
            result[target] = np.maximum(result[target], taps)
    return result


def _store(state: _State, records: Sequence[Decoded]) -> _Process:
    a = state.accelerator
    half = 0
    for record in records:
        rows, cols = record["rows"], record["cols"]
        for plane in range(record["planes"]):
            within = plane % a.planes_per_half
            if within == 0:
                while not state.out_full:
                    yield False
            pixels = _buffer_plane(state, record, half, within)
            if record["pool"]:
                pixels = _pooled(record, pixels)
            inside = pixels.shape[0] >= rows and pixels.shape[1] >= cols
            _require(inside, record, "more pixels are stored than there are")
            begin = record["address"] + plane * record["plane_pitch"]
            _require(begin % a.beat_bytes == 0, record, "a plane starts within a beat")
            for row in range(rows):
                at = begin + row * record["row_pitch"]
                _require(0 <= at <= len(state.memory) - cols * a.n, record, "outside memory")
                data = np.ascontiguousarray(pixels[row, :cols]).view(np.uint8).reshape(-1)
                state.memory[at : at + cols * a.n] = data
            state.counts.stored_pixels += rows * cols
            last = plane == record["planes"] - 1
            if (within == a.planes_per_half - 1 or last) and not (last and record["keep"]):
                state.out_full -= 1
                state.out_free += 1
                half = 1 - half
                yield True
        state.counts.tiles += not record["part"]
        state.done[state.core] += not record["part"]
        yield True


_ENGINES: Mapping[Engine, Callable[[_State, Sequence[Decoded]], _Process]] = {
    Engine.LOAD: _load,
    Engine.SKIP: _load_skip,
    Engine.WEIGHTS: _weights,
    Engine.ARRAY: _array,
    Engine.STORE: _store,
}


def _run(states: Sequence[_State], processes: Sequence[_Process]) -> None:
    """Lets the first process that can go on do so, until all have ended."""

    def ring_words() -> int:
        return sum(state.weights_written + state.weights_released for state in states)

    waiting = list(processes)
    while waiting:
        # A process that waits again may have moved ring words before.
        moved = ring_words()
        for process in waiting:
            outcome = next(process, None)
            if outcome is None:
                waiting.remove(process)
            if outcome is not False:
                break
        else:
            if moved == ring_words():
                raise HazardError(f"deadlock: {len(waiting)} engines wait for each other")


def interpret(
    accelerator: Accelerator,
    memory: NDArray[np.uint8],
    *,
    program_address: int,
    program_beats: int,
    schedule: Schedule = Schedule.EAGER_LOADS,
    seed: int = 1,
) -> tuple[NDArray[np.uint8], Counts]:
    """Memory after the cores have run their programs on a copy of `memory`, and what they did.

    `program_beats` is the length of each core's program; they follow each other. `seed` chooses
    what the buffers hold at first.

    Raises:
        HazardError: a program breaks a rule of the hardware.
        ValueError: its words are no program.
    """
    a = accelerator
    random = np.random.default_rng(seed)
    shared, done = memory.copy(), [0] * a.cores
    states, processes = [], []
    ends: list[Decoded] = []
    for core in range(a.cores):
        state = _new_state(a, core, done, shared, random)
        at = program_address + core * program_beats * a.beat_bytes
        program = _read(state, at, program_beats * a.beat_bytes)
        records = decode(from_bytes(program.tobytes()))
        ends += [record for record in records if record.format is CONTROL_END]
        own = {
            engine: [record for record in records if record.format.engine is engine]
            for engine in _ENGINES
        }
        states.append(state)
        processes.append([_ENGINES[engine](state, own[engine]) for engine in schedule.value])
    order = processes if schedule is Schedule.EAGER_LOADS else processes[::-1]
    _run(states, [process for core in order for process in core])
    for state, end in zip(states, ends, strict=True):
        _check_end(state, end)
    return shared, sum((state.counts for state in states), Counts())


def _new_state(
    a: Accelerator,
    core: int,
    done: list[int],
    memory: NDArray[np.uint8],
    random: np.random.Generator,
) -> _State:
    """A core before its run."""

    def garbage(*shape: int) -> NDArray[np.int8]:
        return random.integers(-128, 128, shape, dtype=np.int8)

    return _State(
        accelerator=a,
        core=core,
        done=done,
        memory=memory,
        act=_Halves(data=garbage(2 * a.act_words, a.p, a.n), words=a.act_words),
        skip=_Halves(data=garbage(2 * a.out_words, a.p, a.n), words=a.out_words),
        out=garbage(2 * a.out_words, a.p, a.n),
        weights=garbage(a.weight_words, a.m, a.n),
        params=[()] * a.param_passes,
    )


def _check_end(state: _State, end: Decoded) -> None:
    """Nothing is left over."""
    _require(state.counts.tiles == end["tiles"], end, "another number of tiles was stored")
    released = (state.weights_released, state.params_released)
    _require(released == (state.weights_written, state.params_written), end, "rings not empty")
    halves = (state.act.free, state.skip.free, state.out_free)
    _require(halves == (2, 2, 2), end, "a buffer half was never freed")
