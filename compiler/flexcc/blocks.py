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
    present = _present(conv, in_block, parts)
    if present.all():
        return ()
    shape = conv.weight.shape
    starts = range(0, shape[0], out_block)
    alive = np.logical_or.reduceat(present, list(starts), axis=0)
    whole = alive.all(axis=(1, 2, 3))
    result = [frozenset[tuple[int, int, int]]()] * len(starts)
    for block in np.flatnonzero(~whole).tolist():
        rows = range(starts[block], min(starts[block] + out_block, shape[0]))
        own = input_blocks(shape, conv.groups, rows, in_block=in_block, parts=parts)
        dead = np.argwhere(~alive[block, own.start : own.stop]).tolist()
        result[block] = frozenset((own.start + b, ky, kx) for b, ky, kx in dead)
    return tuple(result) if any(result) else ()


@lru_cache(maxsize=256)
def _present(conv: Convolution, in_block: int, parts: tuple[int, ...]) -> NDArray[np.bool_]:
    """Of each channel [channels, input blocks, kh, kw] whether a weight is not zero."""
    channels, inputs, *kernel = conv.weight.shape
    groups, nonzero = conv.groups, conv.weight != 0
    slots = np.array(channel_slots(parts or (inputs * groups,), in_block), np.intp)
    of_group = slots.reshape(groups, inputs) // in_block
    if groups == 1:
        # Every block has channels.
        _, begins = np.unique(of_group[0], return_index=True)
        return np.asarray(np.logical_or.reduceat(nonzero, begins, axis=1))
    blocks = plane_count(parts or (inputs * groups,), in_block)
    present = np.zeros((channels, blocks, *kernel), np.bool_)
    rows = np.arange(channels)
    own = np.repeat(of_group, channels // groups, axis=0)
    for number in range(inputs):
        present[rows, own[:, number]] |= nonzero[:, number]
    return present
