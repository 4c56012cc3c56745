# SPDX-License-Identifier: Apache-2.0
"""Convolutions of weights with a zero point, which have 9 bits: some channels are read again."""

import numpy as np
from numpy.typing import NDArray

from flexcc.frontend.builder import GraphBuilder
from flexcc.frontend.values import Activation
from flexcc.ir.layers import Select
from flexcc.ir.wide_weights import narrowed

__all__ = ["with_narrow_weights"]


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
