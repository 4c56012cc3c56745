# SPDX-License-Identifier: Apache-2.0
"""The record of a layer in front of the array: weights and requantisation of its channels."""

import numpy as np

from flexcc.accelerator import Accelerator
from flexcc.backend.weights import ChannelNumbers
from flexcc.ir.kernel import weight_sums
from flexcc.ir.layers import Conv2d
from flexcc.ir.requantize import Requantization, requantization, with_accumulator_offset
from flexcc.joins import channel_slots, plane_count
from flexcc.program.encode import encode, record
from flexcc.program.formats import WINDOW, WINDOW_WEIGHTS
from flexcc.tiles import Stage, Tiling
from flexcc.windows import MOST_TAPS

__all__ = ["channel_words", "window_record"]


def channel_words(accelerator: Accelerator) -> int:
    """Words of a channel in the record."""
    return accelerator.record_bytes // 8 + len(WINDOW_WEIGHTS.words)


def _window_requantization(stage: Stage, layer: Conv2d) -> Requantization:
    """That of the engine's accumulators: pixels outside the image hold the zero point, too."""
    source = stage.source.quantization
    assert source is not None
    centred = requantization(layer, stage.source, stage.input)
    return with_accumulator_offset(layer.name, centred, source.zero_point * weight_sums(layer))


def _taps(layer: Conv2d, channel: int) -> list[int]:
    """The nine weights of a channel, row by row; the kernel stands in the last rows and columns."""
    taps = np.zeros((MOST_TAPS, MOST_TAPS), np.int64)
    height, width = layer.weight.shape[2:]
    taps[MOST_TAPS - height :, MOST_TAPS - width :] = layer.weight[channel, 0]
    return [int(tap) for tap in taps.reshape(-1)]


def window_record(tiling: Tiling) -> tuple[int, ...]:
    """The words of the record, header first; none without such a layer.

    Its channels are the lanes of all planes read; those without a channel of the layer are zeros.

    Raises:
        InputError: the layer's numbers do not fit the hardware.
    """
    stage, accelerator = tiling.stage, tiling.accelerator
    layer = stage.window
    if layer is None:
        return ()
    rq = _window_requantization(stage, layer)
    numbers = ChannelNumbers.of(rq, accelerator, layer.name)
    slots = channel_slots(stage.parts, accelerator.n)
    empty = [0] * channel_words(accelerator)
    lanes = [empty] * (plane_count(stage.parts, accelerator.n) * accelerator.n)
    for channel, slot in enumerate(slots):
        *first, last = _taps(layer, channel)
        weights = encode(WINDOW_WEIGHTS, weights=first, last_weight=last)
        lanes[slot] = numbers.records(channel) + weights
    source = stage.source.quantization
    assert source is not None
    words = record(
        WINDOW,
        (word for lane in lanes for word in lane),
        channels=len(lanes),
        pad_value=source.zero_point,
        zero_point=rq.zero_point,
        low=rq.low,
        high=rq.high,
    )
    return tuple(words)
