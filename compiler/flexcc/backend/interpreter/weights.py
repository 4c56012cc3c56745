# SPDX-License-Identifier: Apache-2.0
"""The weight load engine of the model."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from flexcc.backend.interpreter.state import Process, State, int_of, read_bytes, require
from flexcc.backend.lanes import (
    Channel,
    decode_channels,
)
from flexcc.program.decode import Decoded, decode_format, from_bytes
from flexcc.program.formats import (
    WEIGHT_IMAGE,
)

__all__ = ["load_weights"]


def load_weights(state: State, records: Sequence[Decoded]) -> Process:
    """Executes fetches: pass images into the weight ring and the parameter ring."""
    a = state.accelerator
    for record in records:
        require(record["repeats"] > 0, record, "no repeats")
        for _ in range(record["repeats"]):
            beat = 0
            while beat < record["beats"]:
                beats, params, words = _image(
                    state, record, record["address"] + beat * a.beat_bytes
                )
                beat += beats
                state.counts.weight_beats += beats
                require(beat <= record["beats"], record, "an image is longer than the fetch")
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


def _image(
    state: State, record: Decoded, address: int
) -> tuple[int, Sequence[Channel], NDArray[np.int8]]:
    """Beats, parameters and weight words of the pass image at `address`."""
    a = state.accelerator
    header = decode_format(WEIGHT_IMAGE, from_bytes(read_bytes(state, address, 8).tobytes()))
    count = int_of(header, "weight_words")
    beats: int = 1
    params: list[Channel] = []
    if header["has_params"]:
        words = from_bytes(
            read_bytes(state, address + a.beat_bytes, a.record_bytes * a.m).tobytes()
        )
        params = decode_channels(words, a)
        beats += -(-a.record_bytes * a.m // a.beat_bytes)
    size = count * a.m * a.n
    data = read_bytes(state, address + beats * a.beat_bytes, size).view(np.int8)
    beats += -(-size // a.beat_bytes)
    require(beats <= record["beats"], record, "an image is longer than the fetch")
    return beats, params, data.reshape(count, a.m, a.n)
