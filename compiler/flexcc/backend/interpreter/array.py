# SPDX-License-Identifier: Apache-2.0
"""The array of the model, from its lists to the output buffer."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from flexcc.accelerator import Accelerator
from flexcc.backend.interpreter.state import (
    HazardError,
    IntArray,
    Process,
    State,
    int_of,
    ints_of,
    require,
)
from flexcc.backend.lanes import (
    Channel,
    bent,
    put_out,
    requantized,
    summed,
)
from flexcc.program.decode import Decoded, Fields
from flexcc.program.formats import (
    ARRAY_BEND,
    ARRAY_LISTS,
    ARRAY_SUM,
    ARRAY_TABLE,
    ARRAY_TILE,
    ARRAY_WIDE,
    TABLE_WORDS,
)

__all__ = ["compute"]

_PACKING_OFFSET = -1024
_PACKED_LANES = 8


def compute(state: State, records: Sequence[Decoded]) -> Process:
    """Executes the array's records: lists, numbers, tiles and their passes."""
    at = _Cursors()
    lists: Sequence[Fields] = ()
    tile: Decoded | None = None
    for record in records:
        if record.format is ARRAY_LISTS:
            fits = len(record.tail) <= state.accelerator.list_entries
            require(fits, record, "the lists do not fit the list memory")
            lists = record.tail
        elif record.format is ARRAY_TABLE:
            require(state.accelerator.tables, record, "there are no tables")
            require(len(record.tail) == TABLE_WORDS, record, "a table of another length")
            entries = [entry for word in record.tail for entry in ints_of(word, "entry")]
            state.table = np.array(entries, np.int64)
        elif record.format is ARRAY_SUM:
            require(state.accelerator.sums, record, "the accelerator has no sums")
            at.sum = record
        elif record.format is ARRAY_WIDE:
            require(state.accelerator.wide, record, "there are no 16 bits")
            at.wide = record
        elif record.format is ARRAY_BEND:
            require(state.accelerator.bends, record, "the accelerator does not bend sums")
            at.bend = record
        elif record.format is ARRAY_TILE:
            require(not at.tile_open, record, "the tile before has no last pass")
            tile = record
        else:
            for item in record.tail:
                require(tile is not None, record, "a pass without a tile")
                assert tile is not None
                yield from _pass(state, tile, item, lists, at)
                if item["tile_last"]:
                    tile = None


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
        require(self.wide is not None, tile, "there are no limits of 16 bits")
        assert self.wide is not None
        return self.wide.fields


def _pass(
    state: State, tile: Decoded, item: Fields, lists: Sequence[Fields], at: _Cursors
) -> Process:
    start, count = int_of(item, "list_start"), int_of(item, "list_entries")
    entries = lists[start : start + count]
    require(count > 0 and len(entries) == count, tile, "a pass's list is not there")
    steps = sum(int_of(entry, "run") for entry in entries)
    while not at.tile_open and not state.act.full:
        yield False
    if not at.tile_open:
        at.tile_open = True
        state.act.full -= 1
    if item["take"]:
        require(not at.group_open, tile, "a half is taken twice")
        while not state.out_free or (tile["summed"] and not state.skip.full):
            yield False
        state.out_free -= 1
        state.skip.full -= tile["summed"]
        at.group_open = True
    require(at.group_open, tile, "a pass has no half of the output buffer")
    while state.params_written <= at.param:
        held = at.param - state.params_released
        require(held < state.accelerator.param_passes, tile, "parameters do not fit the ring")
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
    _write_outputs(state, tile, item, _bytes(values, tile, int_of(item, "plane")), at)
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


def _steps(
    state: State, tile: Decoded, entries: Sequence[Fields], half: int
) -> Iterator[tuple[int, NDArray[np.int8]]]:
    """What the array's columns see in each step, [pixel groups, P, N].

    With it comes what the sums before the step count from it on, 1 or 256 times.
    """
    a = state.accelerator
    row, group = np.divmod(np.arange(tile["rows"] * tile["groups"]), tile["groups"])
    offset = row * tile["row_step"] + group
    for entry in entries:
        bank = np.arange(a.p) + int_of(entry, "rotation")
        require(int_of(entry, "rotation") < a.p, tile, "a rotation is not below P")
        for block in range(int_of(entry, "run")):
            word = int_of(entry, "base") + offset + block * tile["plane_words"]
            require(int(word.max()) < a.act_words, tile, "a step reads beyond the buffer")
            address = (half * a.act_words + word[:, None] + bank // a.p) % (2 * a.act_words)
            shift = int_of(entry, "shift") and not block
            require(a.wide or not shift, tile, "there are no 16 bits")
            yield 256 if shift else 1, state.act.data[address, bank % a.p]


def _product(x: NDArray[np.int8], w: NDArray[np.int8], a: Accelerator) -> IntArray:
    """One step: [groups, P, N] by [M, N]; float64 holds these sums exactly."""
    result: IntArray = (x.astype(np.float64) @ w.astype(np.float64).T).astype(np.int64)
    if a.packed:
        result += _PACKING_OFFSET * (a.n // _PACKED_LANES)
    return result


def _accumulate_resident(
    state: State, tile: Decoded, entries: Sequence[Fields], at: _Cursors
) -> Iterator[IntArray | None]:
    """Yields None while weights are missing, then the accumulators of all pixel groups."""
    a = state.accelerator
    groups = tile["rows"] * tile["groups"]
    acc = np.zeros((groups, a.p, a.m), np.int64)
    for number, (factor, x) in enumerate(_steps(state, tile, entries, at.act_half)):
        word = at.weight + number
        held = word - state.weights_released
        require(held < a.weight_words, tile, "the pass's weights do not fit the ring")
        while state.weights_written <= word:
            yield None
        acc *= factor
        acc += _product(x, state.weights[word % a.weight_words], a)
        state.counts.steps += groups
    yield acc


def _accumulate_streamed(
    state: State, tile: Decoded, entries: Sequence[Fields], at: _Cursors
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
            int_of(limits, "zero_point"),
            int_of(limits, "low"),
            int_of(limits, "high"),
            wide=bool(tile["wide"]),
        )
    return result


def _bytes(values: IntArray, tile: Decoded, plane: int) -> IntArray:
    require(bool(tile["wide"]) or not plane, tile, "8 bits have no planes")
    return put_out(values, plane)


def _write_outputs(
    state: State, tile: Decoded, item: Fields, values: IntArray, at: _Cursors
) -> None:
    a = state.accelerator
    params = state.params[at.param % a.param_passes]
    channels = 1 << tile["word_channels"]
    require(a.q <= channels <= a.n, tile, "word_channels")
    group, lane = np.divmod(np.arange(a.m) + int_of(item, "out_byte"), channels)
    pixel = int_of(item, "out_base") + np.arange(len(values))
    word = pixel[:, None] + group * tile["out_plane_words"]
    require(int(word.max()) < a.out_words, tile, "a pass overruns the output buffer")
    column = np.arange(a.p)[None, :, None]
    if tile["summed"]:
        require(at.sum is not None, tile, "there is no sum")
        assert at.sum is not None
        address = at.skip_half * a.out_words + word[:, None, :]
        second = state.skip.data[address, column, lane].astype(np.int64)
        values = summed(values, second, at.sum.fields)
    if tile["bent"]:
        require(at.bend is not None and bool(tile["summed"]), tile, "there is no bend of a sum")
        assert at.bend is not None
        for channel, own in enumerate(params):
            assert own.slope is not None
            values[:, :, channel] = bent(values[:, :, channel], own.slope, at.bend.fields)
    if tile["lookup"]:
        require(state.table is not None, tile, "there is no table")
        assert state.table is not None
        values = state.table[values + 128]
    address = at.out_half * a.out_words + word[:, None, :]
    for repeat in range(0, a.n, channels):
        state.out[address, column, repeat + lane[None, None, :]] = values
