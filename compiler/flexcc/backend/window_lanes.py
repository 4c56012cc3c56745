# SPDX-License-Identifier: Apache-2.0
"""The window engine as `interpret` runs it: from records, knowing nothing of layers."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flexcc.accelerator import Accelerator
from flexcc.backend.lanes import Channel, decode_channels, requantized
from flexcc.program.decode import Decoded, Fields, decode_format
from flexcc.program.formats import WINDOW_WEIGHTS

__all__ = ["WindowChannel", "decode_window", "windows_of"]

_SIDE = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowChannel:
    """A channel of a `window` record; `weights` is [3, 3]."""

    channel: Channel
    weights: NDArray[np.int64]


def _word(fields: Fields) -> int:
    word = fields["word"]
    assert isinstance(word, int)
    return word


def decode_window(record: Decoded, accelerator: Accelerator) -> list[WindowChannel]:
    """The channels of a `window` record.

    Raises:
        ValueError: its tail is not as long as it says.
    """
    words = [_word(tail) for tail in record.tail]
    numbers = accelerator.record_bytes // 8
    size = numbers + len(WINDOW_WEIGHTS.words)
    if len(words) != record["channels"] * size:
        raise ValueError(f"word {record.at}: {len(words)} words of {record['channels']} channels")
    channels = []
    for start in range(0, len(words), size):
        (channel,) = decode_channels(words[start : start + numbers], accelerator)
        fields = decode_format(WINDOW_WEIGHTS, words[start + numbers : start + size])
        taps = np.array([*np.atleast_1d(fields["weights"]), fields["last_weight"]], np.int64)
        channels.append(WindowChannel(channel=channel, weights=taps.reshape(_SIDE, _SIDE)))
    return channels


def windows_of(
    tile: Decoded, layer: Decoded, lanes: list[WindowChannel], beats: NDArray[np.int8]
) -> NDArray[np.int8]:
    """What the engine makes of a plane's beats [rows, pixels, N]: rows and pixels to keep.

    A window ends in its newest pixel; pixels that are not there are the padding byte.
    """
    rows, pixels = beats.shape[0], beats.shape[1] - tile["tail_lanes"]
    steps = tile["step_rows"] + 1, tile["step_cols"] + 1
    beat = beats.shape[1] // tile["row_beats"]
    column = (tile["drop_beats"] * beat + tile["first_pixel"]) * steps[1] + tile["odd"]
    newest_y = np.arange(tile["first_row"], rows + tile["extra_rows"], steps[0])
    newest_x = column + np.arange(tile["mem_cols"]) * steps[1]
    height = rows + tile["extra_rows"] + _SIDE - 1
    width = max(int(newest_x.max(initial=0)) + 1, pixels) + _SIDE - 1
    image = np.full((height, width, beats.shape[2]), layer["pad_value"], np.int64)
    image[_SIDE - 1 : _SIDE - 1 + rows, _SIDE - 1 : _SIDE - 1 + pixels] = beats[:, :pixels]
    result = np.empty((len(newest_y), len(newest_x), beats.shape[2]), np.int8)
    for lane, own in enumerate(lanes):
        acc = np.zeros(result.shape[:2], np.int64)
        for ky in range(_SIDE):
            for kx in range(_SIDE):
                acc += image[np.ix_(newest_y + ky, newest_x + kx)][:, :, lane] * own.weights[ky, kx]
        result[:, :, lane] = requantized(
            acc, own.channel, layer["zero_point"], layer["low"], layer["high"]
        )
    return result
