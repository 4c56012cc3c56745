# SPDX-License-Identifier: Apache-2.0
"""Random networks with activations of 16 bits in some places where they may be."""

import random
from dataclasses import replace

import numpy as np

from flexcc.ir.graph import Graph
from flexcc.ir.layers import Concat, Conv2d, Convolution, Layer
from flexcc.ir.types import Quantization
from flexcc.program.formats import MAX_PHASES

__all__ = ["widened"]

_STEP = 256


def widened(rng: random.Random, graph: Graph) -> Graph:
    """The network with 16 bits in most tensors that may have them.

    Only what nothing but convolutions makes and reads may, or joins; none of them bends.
    """
    tensors = dict(graph.tensors)
    for layer in graph.layers:
        around = (layer, *graph.users(layer.output))
        if not all(_may_be_wide(each) for each in around) or rng.random() < 0.3:
            continue
        type_ = tensors[layer.output]
        assert type_.quantization is not None
        wide = Quantization(
            scale=float(np.float32(type_.quantization.scale / _STEP)),
            zero_point=rng.choice([-32768, 32767, 0, rng.randint(-32768, 32767)]),
            bits=16,
        )
        if isinstance(layer, Concat):
            own = [kind for name in layer.inputs if (kind := tensors[name]).wide]
            wide = rng.choice([wide, *(kind.quantization for kind in own if kind.quantization)])
        tensors[layer.output] = replace(type_, quantization=wide)
    layers = tuple(
        _scaled(layer)
        if isinstance(layer, Convolution) and tensors[layer.inputs[0]].wide
        else layer
        for layer in graph.layers
    )
    return replace(graph, tensors=tensors, layers=layers)


def _may_be_wide(layer: Layer) -> bool:
    match layer:
        case Concat():
            return True
        case Conv2d(strides=(_, columns)) if columns > MAX_PHASES:
            return False
        case Convolution():
            return layer.slope is None
    return False


def _scaled(conv: Convolution) -> Convolution:
    """The layer for an input of finer steps: its outputs stay as they are."""
    assert conv.weight_scale is not None
    return replace(conv, weight_scale=(conv.weight_scale * _STEP).astype(np.float32))
