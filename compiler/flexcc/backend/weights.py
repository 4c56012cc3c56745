# SPDX-License-Identifier: Apache-2.0
"""Pass images: requantisation parameters and weights as the weight load engine reads them.

A pass image is a header beat, M parameter records in channel order, then one word of M*N bytes per
reduction step, each part in whole beats. Byte row*N + lane of a word is the weight of input lane
`lane` for the channel that leaves the array in that row: channel i*Q + q is in row q*L + L-1-i.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flexcc.accelerator import Accelerator
from flexcc.backend.layout import align
from flexcc.ir.kernel import weight_sums
from flexcc.ir.requantize import (
    Requantization,
    requantization,
    require_lossless_clamp27,
    with_accumulator_offset,
)
from flexcc.program.encode import encode, to_bytes
from flexcc.program.formats import PARAMETER, WEIGHT_IMAGE
from flexcc.taps import Tap
from flexcc.tiles import Stage, Tiling

__all__ = ["PassImage", "channel_rows", "pass_images", "stage_requantization"]

PACKING_OFFSET = -1024
"""What a packed multiplier chain of 8 lanes adds to every step's sum."""
PACKED_LANES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class PassImage:
    """The bytes of one pass, whole beats: with `split`, parameters and weights are images apart.

    `parameters` and `weights` each begin with a header beat of their own when split; otherwise
    `parameters` holds the only header and `weights` follows it directly.
    """

    parameters: bytes
    weights: bytes
    split: bool

    @property
    def size(self) -> int:
        """Bytes altogether."""
        return len(self.parameters) + len(self.weights)


def channel_rows(accelerator: Accelerator) -> NDArray[np.int64]:
    """The array row of each channel of a pass, [M]."""
    channel = np.arange(accelerator.m)
    length = accelerator.drain_cycles
    return (channel % accelerator.q) * length + length - 1 - channel // accelerator.q


def _beats(data: bytes, accelerator: Accelerator) -> bytes:
    return data.ljust(align(len(data), accelerator.beat_bytes), b"\0")


def _offsets(tiling: Tiling) -> NDArray[np.int64]:
    """What packing adds to the accumulator of each channel, [Co]."""
    accelerator = tiling.accelerator
    channels = tiling.stage.raw.channels
    if not accelerator.packed:
        return np.zeros(channels, np.int64)
    chains = accelerator.n // PACKED_LANES
    steps = np.repeat(tiling.lists.pass_steps, accelerator.m)[:channels]
    return PACKING_OFFSET * chains * steps.astype(np.int64)


def stage_requantization(tiling: Tiling) -> Requantization:
    """The requantisation of the accumulators as the array delivers them.

    Raises:
        InputError: names the layer when its numbers do not fit the hardware.
    """
    stage = tiling.stage
    if stage.input.quantization is None:
        raise ValueError(f"{stage.name}: its input is not quantised")
    offsets = _offsets(tiling)
    carried = offsets + stage.input.quantization.zero_point * weight_sums(stage.conv)
    centred = requantization(stage.conv, stage.input, stage.raw)
    rq = with_accumulator_offset(stage.name, centred, carried)
    require_lossless_clamp27(stage.conv, rq, offsets)
    return rq


def _parameters(rq: Requantization, first: int, accelerator: Accelerator) -> bytes:
    """M records; channels that do not exist get multiplier, shift and bias 0."""
    words: list[int] = []
    for channel in range(first, first + accelerator.m):
        live = channel < len(rq.multiplier)
        words += encode(
            PARAMETER,
            mult=int(rq.multiplier[channel]) if live else 0,
            shift=int(rq.shift[channel]) if live else 0,
            bias=int(rq.bias[channel]) if live else 0,
        )
    return _beats(to_bytes(words), accelerator)


def _header(accelerator: Accelerator, *, weight_words: int, has_params: bool) -> bytes:
    words = encode(WEIGHT_IMAGE, weight_words=weight_words, has_params=int(has_params))
    return _beats(to_bytes(words), accelerator)


def _dense(stage: Stage, first: int, accelerator: Accelerator, planes: int) -> NDArray[np.int8]:
    """Weights [M, planes*N, kh, kw] of the pass of channel `first`, zero where groups differ."""
    weight = stage.conv.weight.astype(np.int8)
    channels, inputs, *kernel = weight.shape
    per_group = channels // stage.conv.groups
    dense = np.zeros((accelerator.m, planes * accelerator.n, *kernel), np.int8)
    for row, channel in enumerate(range(first, min(first + accelerator.m, channels))):
        begin = channel // per_group * inputs
        dense[row, begin : begin + inputs] = weight[channel]
    return dense


def _weight_words(tiling: Tiling, number: int, taps: tuple[Tap, ...] | None) -> NDArray[np.int8]:
    """The words [K, M*N] of a pass; None stands for the dead list."""
    accelerator = tiling.accelerator
    m, n = accelerator.m, accelerator.n
    if taps is None:
        return np.zeros((1, m * n), np.int8)
    dense = _dense(tiling.stage, number * m, accelerator, tiling.in_planes)
    blocks = dense.reshape(m, tiling.in_planes, n, *dense.shape[2:])
    indices = np.array([(tap.block, tap.ky, tap.kx) for tap in taps])
    by_channel = blocks[:, indices[:, 0], :, indices[:, 1], indices[:, 2]]  # [K, M, N]
    by_row = np.empty_like(by_channel)
    by_row[:, channel_rows(accelerator)] = by_channel
    return by_row.reshape(len(taps), m * n)


def pass_images(tiling: Tiling, rq: Requantization, *, split: bool) -> tuple[PassImage, ...]:
    """One image per pass, in order; `split` parts parameters and weights, to stream the latter.

    `rq` is what `stage_requantization` gives.
    """
    accelerator = tiling.accelerator
    images = []
    for number, index in enumerate(tiling.lists.of_pass):
        taps = None if index == tiling.lists.dead else tiling.lists.phase.lists[index]
        words = _weight_words(tiling, number, taps)
        parameters = _parameters(rq, number * accelerator.m, accelerator)
        weights = _beats(words.tobytes(), accelerator)
        count = len(words)
        if split:
            head = _header(accelerator, weight_words=0, has_params=True)
            weights = _header(accelerator, weight_words=count, has_params=False) + weights
        else:
            head = _header(accelerator, weight_words=count, has_params=True)
        images.append(PassImage(parameters=head + parameters, weights=weights, split=split))
    return tuple(images)
