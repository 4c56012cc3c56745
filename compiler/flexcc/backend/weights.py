# SPDX-License-Identifier: Apache-2.0
"""Pass images: requantisation parameters and weights as the weight load engine reads them.

A pass image is a header beat, the parameter records of M channels in order, then one word of M*N
bytes per reduction step, each part in whole beats. Byte row*N + lane of a word is the weight of
input lane `lane` for the channel that leaves the array in that row: channel i*Q + q is in row
q*L + L-1-i.
A pass that makes several output phases has the channels of each one after the other.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flexcc.accelerator import Accelerator
from flexcc.blocks import dense_block
from flexcc.ir.bend import Bend, bend_of
from flexcc.ir.clamping import require_lossless_clamp
from flexcc.ir.kernel import weight_sums
from flexcc.ir.requantize import (
    Requantization,
    requantization,
    with_accumulator_offset,
)
from flexcc.ir.widths import NARROW
from flexcc.layout import align
from flexcc.program.encode import encode, to_bytes
from flexcc.program.formats import PARAMETER, SLOPE, WEIGHT_IMAGE
from flexcc.taps import PassTaps
from flexcc.tiles import Stage, Tiling

__all__ = [
    "ChannelNumbers",
    "PassImage",
    "bend_requantization",
    "channel_rows",
    "pass_images",
    "stage_requantization",
]

PACKING_OFFSET = -1024
"""What a packed multiplier chain of 8 lanes adds to every step's sum."""
PACKED_LANES = 8
_UPPER_STEP, _LOWER_OFFSET = 256, 128


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


def _packing_offsets(tiling: Tiling) -> NDArray[np.int64]:
    """What packing adds to the accumulator of each phase and channel, [phases, Co]."""
    accelerator, lists = tiling.accelerator, tiling.lists
    channels, block = tiling.stage.raw.channels, lists.taps.out_block
    result = np.zeros((lists.taps.phases, channels), np.int64)
    if accelerator.packed:
        per_step = PACKING_OFFSET * (accelerator.n // PACKED_LANES)
        for item, steps in zip(lists.passes, lists.pass_steps, strict=True):
            first = item.block * block
            # Steps of upper bytes count 256 times.
            upper = steps // 2 if lists.taps.taps(item) and tiling.stage.input.wide else 0
            counted = steps + (_UPPER_STEP - 1) * upper
            result[list(item.phases), first : first + block] = per_step * counted
    return result


def stage_requantization(tiling: Tiling) -> tuple[Requantization, ...]:
    """The requantisation of the accumulators as the array delivers them, for each output phase.

    A phase sums over kernel elements of its own, and each of them carries the input's zero point.

    Raises:
        InputError: names the layer when its numbers do not fit the hardware.
    """
    stage = tiling.stage
    if stage.input.quantization is None:
        raise ValueError(f"{stage.name}: its input is not quantised")
    centred = requantization(stage.conv, stage.input, stage.raw)
    result = []
    every = zip(_packing_offsets(tiling), tiling.lists.taps.elements, strict=True)
    for offsets, by_offset in every:
        elements = tuple(by_offset.values())
        sums = weight_sums(stage.conv, elements)
        # Lower bytes are 128 less than what they stand for.
        own = offsets - _LOWER_OFFSET * sums if stage.input.wide else offsets
        carried = stage.input.quantization.zero_point * sums
        rq = with_accumulator_offset(stage.name, centred, own + carried)
        require_lossless_clamp(stage.conv, rq, own, elements=elements)
        result.append(rq)
    return tuple(result)


def bend_requantization(stage: Stage) -> Requantization | None:
    """The requantisation of a stage's sums, as bytes, by the layer behind them; None without one.

    Raises:
        InputError: names the layer when its numbers do not fit the hardware.
    """
    layer = stage.bend
    if layer is None:
        return None
    assert stage.bent is not None
    assert stage.summed is not None
    assert stage.summed.quantization is not None
    centred = requantization(layer, stage.summed, stage.bent)
    carried = stage.summed.quantization.zero_point * weight_sums(layer)
    return with_accumulator_offset(layer.name, centred, carried)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelNumbers:
    """The requantisation of channels; `bend` where they have a record for it that counts.

    That of 16 bits on either side does not count.
    """

    requantization: Requantization
    slopes: bool
    bend: Bend | None

    @classmethod
    def of(
        cls,
        rq: Requantization,
        accelerator: Accelerator,
        name: str,
        behind: Requantization | None = None,
    ) -> "ChannelNumbers":
        """The numbers of layer `name`; ValueError for a bend that the accelerator cannot have.

        The second record is that of `behind`, which requantises sums, if there is such a layer.
        """
        if rq.negative is not None and not accelerator.slopes:
            raise ValueError(f"{name}: the accelerator has no second slope")
        if behind is not None and (rq.negative is not None or not accelerator.bends):
            raise ValueError(f"{name}: there is no room for the slopes of its sums")
        source = rq if behind is None else behind
        counts = accelerator.slopes and source.widths is NARROW
        bend = bend_of(source) if counts else None
        return cls(requantization=rq, slopes=accelerator.slopes, bend=bend)

    def records(self, channel: int) -> list[int]:
        """The words of a channel."""
        rq = self.requantization
        words = encode(
            PARAMETER,
            mult=int(rq.multiplier[channel]),
            shift=int(rq.shift[channel]),
            bias=int(rq.bias[channel]),
        )
        if self.bend is not None:
            words += encode(
                SLOPE,
                mult=int(self.bend.multiplier[channel]),
                shift=int(self.bend.shift[channel]),
                last=int(self.bend.last[channel]),
                bias=int(self.bend.bias[channel]),
            )
        elif self.slopes:
            words += [0] * len(SLOPE.words)
        return words


def _parameters(phases: Sequence[ChannelNumbers], item: PassTaps, tiling: Tiling) -> bytes:
    """M channels; those and the phases that do not exist get multipliers, shifts and biases 0."""
    accelerator, block = tiling.accelerator, tiling.lists.taps.out_block
    channels = tiling.stage.raw.channels
    words: list[int] = []
    for row in range(accelerator.m):
        slot, lane = divmod(row, block)
        channel = item.block * block + lane
        if slot < len(item.phases) and channel < channels:
            words += phases[item.phases[slot]].records(channel)
        else:
            words += [0] * (accelerator.record_bytes // 8)
    return _beats(to_bytes(words), accelerator)


def _header(accelerator: Accelerator, *, weight_words: int, has_params: bool) -> bytes:
    words = encode(WEIGHT_IMAGE, weight_words=weight_words, has_params=int(has_params))
    return _beats(to_bytes(words), accelerator)


def _weight_words(tiling: Tiling, item: PassTaps) -> NDArray[np.int8]:
    """The words [K, M*N] of a pass; a step is zero for the phases that have no such tap."""
    accelerator, lists = tiling.accelerator, tiling.lists
    m, n, block = accelerator.m, accelerator.n, lists.taps.out_block
    taps = lists.taps.taps(item)
    if not taps:
        return np.zeros((1, m * n), np.int8)
    blocks = dense_block(
        tiling.stage.conv, item.block, in_block=n, out_block=block, parts=tiling.stage.weight_parts
    )
    upper_planes = blocks.shape[1]
    by_channel = np.zeros((len(taps), m, n), np.int8)
    for slot, phase in enumerate(item.phases):
        elements = lists.taps.elements[phase]
        live = [
            (step, tap.block % upper_planes, *elements[tap.dy, tap.dx])
            for step, tap in enumerate(taps)
            if (tap.dy, tap.dx) in elements
        ]
        step, plane, ky, kx = np.array(live, np.intp).reshape(-1, 4).T
        chosen = blocks[:, plane, :, ky, kx]  # [live, block, N]
        by_channel[step, slot * block : (slot + 1) * block] = chosen
    by_row = np.empty_like(by_channel)
    by_row[:, channel_rows(accelerator)] = by_channel
    return by_row.reshape(len(taps), m * n)


def pass_images(
    tiling: Tiling,
    requantizations: tuple[Requantization, ...],
    *,
    split: bool,
    bend: Requantization | None = None,
) -> tuple[PassImage, ...]:
    """One image per pass, in order; `split` parts parameters and weights, to stream the latter.

    `requantizations` are what `stage_requantization` gives; an accelerator without slopes takes
    none that bends (ValueError). `bend` is that of the sums.
    """
    accelerator = tiling.accelerator
    phases = [ChannelNumbers.of(rq, accelerator, tiling.stage.name, bend) for rq in requantizations]
    images = []
    for item in tiling.lists.passes:
        words = _weight_words(tiling, item)
        parameters = _parameters(phases, item, tiling)
        weights = _beats(words.tobytes(), accelerator)
        count = len(words)
        if split:
            head = _header(accelerator, weight_words=0, has_params=True)
            weights = _header(accelerator, weight_words=count, has_params=False) + weights
        else:
            head = _header(accelerator, weight_words=count, has_params=True)
        images.append(PassImage(parameters=head + parameters, weights=weights, split=split))
    return tuple(images)
