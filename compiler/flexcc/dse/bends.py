# SPDX-License-Identifier: Apache-2.0
"""Which layer of single values runs behind a sum, on its way into the output buffer."""

from functools import lru_cache

import numpy as np

from flexcc.ir.graph import Graph
from flexcc.ir.layers import Add, Conv2d, Convolution, MaxPool2d, Table
from flexcc.ir.requantize import requantization
from flexcc.ir.types import TensorType

__all__ = ["bend_behind"]


def bend_behind(graph: Graph, carrier: Convolution, add: Add) -> Conv2d | None:
    """The layer that requantises the sum of `add`, which `carrier` carries, if the engine can.

    It alone reads the sum and takes each value as it is (PRelu behind an addition). Above zero all
    channels are alike. The numbers below zero stand where the carrier has its own, so that one has
    none. A pooling runs behind a layer that is no part of a transposed one's stage.
    """
    if carrier.slope is not None or graph.is_output(add.output):
        return None
    match graph.users(add.output):
        case (Conv2d(slope=slope) as bend,) if slope is not None and bend.of_single_values:
            pass
        case _:
            return None
    ends = [bend, *(user for user in graph.users(bend.output) if isinstance(user, Table))]
    pooled = any(isinstance(user, MaxPool2d) for end in ends for user in graph.users(end.output))
    if (bend.weight != 1).any() or (pooled and not isinstance(carrier, Conv2d)):
        return None
    return bend if _alike(bend, graph.tensors[add.output], graph.tensors[bend.output]) else None


@lru_cache(maxsize=1024)
def _alike(bend: Conv2d, source: TensorType, target: TensorType) -> bool:
    """Whether all channels of `bend` have one requantisation above zero."""
    rq = requantization(bend, source, target)
    return all(np.ptp(values) == 0 for values in (rq.multiplier, rq.shift, rq.bias))
