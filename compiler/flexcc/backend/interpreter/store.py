# SPDX-License-Identifier: Apache-2.0
"""The store engine of the model."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from flexcc.backend.interpreter.state import (
    Process,
    State,
    require,
)
from flexcc.program.decode import Decoded

__all__ = ["store"]


def store(state: State, records: Sequence[Decoded]) -> Process:
    """Executes store records on one half of the output buffer after the other."""
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
            require(inside, record, "more pixels are stored than there are")
            begin = record["address"] + plane * record["plane_pitch"]
            require(begin % a.beat_bytes == 0, record, "a plane starts within a beat")
            for row in range(rows):
                at = begin + row * record["row_pitch"]
                require(0 <= at <= len(state.memory) - cols * a.n, record, "outside memory")
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


def _buffer_plane(state: State, record: Decoded, half: int, plane: int) -> NDArray[np.int8]:
    """The valid pixels of an output plane, [valid_rows, valid_cols, N], phases interleaved."""
    a = state.accelerator
    steps = record["phases_y"], record["phases_x"]
    require(min(steps) > 0, record, "phases")
    require(not record["pool"] or steps == (1, 1), record, "phases are pooled")
    rows, cols = record["valid_rows"], record["valid_cols"]
    (row, phase_y), (column, phase_x) = (
        np.divmod(axis, step) for axis, step in zip(np.ogrid[:rows, :cols], steps, strict=True)
    )
    word = plane * record["plane_words"] + row * record["row_words"] + column // a.p
    word = word + (phase_y * steps[1] + phase_x) * record["phase_words"]
    require(int(word.max(initial=0)) < a.out_words, record, "a plane overruns the buffer")
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
