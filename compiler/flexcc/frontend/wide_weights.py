# SPDX-License-Identifier: Apache-2.0
"""Weights with a zero point: differences of 9 bits, which the accelerator's 8 bits do not hold.

A channel whose weights are too large is read twice, or three times, and its weights are shared out:

    x * 200 = x * 127 + x * 73

The sums stay the same to the bit, and only channels that need it cost more.
"""

import numpy as np
from numpy.typing import NDArray

from flexcc.frontend.builder import GraphBuilder
from flexcc.frontend.values import Activation
from flexcc.ir.layers import Select

__all__ = ["narrowed", "with_narrow_weights"]


def with_narrow_weights(
    build: GraphBuilder,
    name: str,
    source: Activation,
    weight: NDArray[np.float32] | NDArray[np.int8] | NDArray[np.int16],
    groups: int,
) -> tuple[Activation, NDArray[np.float32] | NDArray[np.int8]]:
    """What a convolution of these weights [Co, Ci/groups, kh, kw] reads, and weights of no int16.

    Appends the layer that repeats channels of `source`, if that must be.
    """
    if weight.dtype != np.int16:
        return source, weight  # type: ignore[return-value]
    narrow, channels = narrowed(weight.astype(np.int16), groups)
    kind = build.tensors[source.tensor]
    select = Select(
        name=build.fresh(f"{name}.repeat"),
        inputs=(source.tensor,),
        output=build.fresh(f"{source.tensor}.repeated"),
        channels=channels,
        rows=tuple(range(kind.height)),
        columns=tuple(range(kind.width)),
    )
    shape = (1, len(channels), kind.height, kind.width)
    return build.add(select, source, shape, source.quantization), narrow


def narrowed(weight: NDArray[np.int16], groups: int) -> tuple[NDArray[np.int8], tuple[int, ...]]:
    """Weights [Co, Ci/groups, kh, kw] as int8 of more channels, and the channels that they read."""
    rest, per_group = weight, weight.shape[1]
    wanted = np.arange(per_group)
    pieces, read = [], []
    while wanted.size:
        piece = np.clip(rest, -128, 127)
        pieces.append(piece[:, wanted].astype(np.int8))
        read.append(wanted)
        rest = rest - piece
        wanted = np.flatnonzero(rest.any(axis=(0, 2, 3)))
    once = np.concatenate(read)
    channels = np.concatenate([once + group * per_group for group in range(groups)])
    return np.concatenate(pieces, axis=1), tuple(channels.tolist())
