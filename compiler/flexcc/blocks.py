# SPDX-License-Identifier: Apache-2.0
"""Weights in blocks: N input lanes by M output rows, and which of the blocks are zero.

`parts` are the channels of the tensors that the input is joined of, each of which begins a block;
() is one tensor.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from flexcc.ir.layers import Convolution
from flexcc.joins import channel_slots, plane_count

__all__ = ["dense_block", "input_blocks", "zero_taps"]


def dense_block(
    conv: Convolution, block: int, *, in_block: int, out_block: int, parts: tuple[int, ...] = ()
) -> NDArray[np.float32] | NDArray[np.int8]:
    """Weights [out_block, input blocks, in_block, kh, kw] of an output block.

    Zero where groups differ and where there is no such channel.
    """
    channels, inputs, *kernel = conv.weight.shape
    parts = parts or (inputs * conv.groups,)
    slots = np.array(channel_slots(parts, in_block), np.intp)
    per_group = channels // conv.groups
    blocks = plane_count(parts, in_block)
    dense = np.zeros((out_block, blocks * in_block, *kernel), conv.weight.dtype)
    first = block * out_block
    for row, channel in enumerate(range(first, min(first + out_block, channels))):
        begin = channel // per_group * inputs
        dense[row, slots[begin : begin + inputs]] = conv.weight[channel]
    return dense.reshape(out_block, blocks, in_block, *kernel)


def input_blocks(
    shape: tuple[int, ...],
    groups: int,
    channels: range,
    *,
    in_block: int,
    parts: tuple[int, ...] = (),
) -> range:
    """Channel blocks that the output `channels` read; `shape` is that of the weights."""
    first, last = channels[0], channels[-1]
    outputs, inputs = shape[0] // groups, shape[1]
    slots = channel_slots(parts or (inputs * groups,), in_block)
    low = slots[first // outputs * inputs]
    high = slots[(last // outputs + 1) * inputs - 1]
    return range(low // in_block, high // in_block + 1)


@lru_cache(maxsize=1 << 16)
def zero_taps(
    conv: Convolution, *, in_block: int, out_block: int, parts: tuple[int, ...] = ()
) -> tuple[frozenset[tuple[int, int, int]], ...]:
    """Of each output block: the (input block, ky, kx) whose weights are all zero; () if none are.

    Those that groups leave out anyway are not named.
    """
    if not _has_zero_taps(conv, in_block, parts):
        return ()
    shape, result = conv.weight.shape, []
    for block, first in enumerate(range(0, shape[0], out_block)):
        rows = range(first, min(first + out_block, shape[0]))
        own = input_blocks(shape, conv.groups, rows, in_block=in_block, parts=parts)
        dense = dense_block(conv, block, in_block=in_block, out_block=out_block, parts=parts)
        dead = ~dense[:, own.start : own.stop].any(axis=(0, 2))
        result.append(
            frozenset((own.start + b, ky, kx) for b, ky, kx in np.argwhere(dead).tolist())
        )
    return tuple(result) if any(result) else ()


@lru_cache(maxsize=1 << 16)
def _has_zero_taps(conv: Convolution, in_block: int, parts: tuple[int, ...]) -> bool:
    """Whether some kernel element is zero over a whole input block of some output channel."""
    inputs = conv.weight.shape[1]
    if conv.groups > 1 or (inputs <= in_block and len(parts) <= 1):
        return not bool(conv.weight.any(axis=1).all())
    slots = channel_slots(parts or (inputs,), in_block)
    begins = [
        channel
        for channel, slot in enumerate(slots)
        if channel == 0 or slot // in_block != slots[channel - 1] // in_block
    ]
    return not bool(np.logical_or.reduceat(conv.weight != 0, begins, axis=1).all())
