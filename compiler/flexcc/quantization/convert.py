# SPDX-License-Identifier: Apache-2.0
"""From float graphs to integer ones once all scales are known, and from integer weights back."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from flexcc.ir.graph import Graph
from flexcc.ir.layers import Convolution, Layer
from flexcc.ir.types import Quantization
from flexcc.ir.verify import verify
from flexcc.quantization.moments import Moments
from flexcc.quantization.options import QuantizationOptions, WeightRounding
from flexcc.quantization.rounding import Rounding, compensated, nearest
from flexcc.quantization.scales import weight_scale
from flexcc.quantization.weights import quantize_convolution

__all__ = ["WeightQuantizer", "integer_graph", "real_weights", "weight_rounding"]

WeightQuantizer = Callable[[Convolution, Quantization, Quantization], Convolution]
"""The integer form of a convolution between tensors of these quantisations."""


def weight_rounding(
    moments: Mapping[str, Moments], options: QuantizationOptions
) -> WeightQuantizer:
    """How the options want weights to be quantised; `moments` are by name of the convolution.

    What was rounded is remembered by scale, for compensated rounding takes its time.
    """
    roundings = dict[str, Rounding]()

    def quantizer(conv: Convolution, source: Quantization, target: Quantization) -> Convolution:
        known = moments.get(conv.name)
        if conv.name not in roundings:
            wanted = options.rounding is WeightRounding.COMPENSATED and known is not None
            roundings[conv.name] = _remembered(compensated(known)) if wanted and known else nearest
        return quantize_convolution(
            conv,
            source,
            target,
            weight_scale(conv),
            rounding=roundings[conv.name],
            moments=known if options.correct_bias else None,
        )

    return quantizer


def _remembered(rounding: Rounding) -> Rounding:
    known = dict[bytes, NDArray[np.int8]]()

    def remembered(conv: Convolution, scale: NDArray[np.float32]) -> NDArray[np.int8]:
        key = scale.tobytes()
        if key not in known:
            known[key] = rounding(conv, scale)
        return known[key]

    return remembered


def integer_graph(
    graph: Graph, scales: Mapping[str, Quantization], quantizer: WeightQuantizer
) -> Graph:
    """The integer form of a lowered float graph with these quantisations by tensor.

    Raises:
        InputError: a layer does not fit the accelerator.
    """
    layers = list[Layer]()
    for layer in graph.layers:
        if isinstance(layer, Convolution):
            layers.append(quantizer(layer, scales[layer.inputs[0]], scales[layer.output]))
        else:
            layers.append(layer)
    integer = replace(
        graph,
        tensors={
            name: replace(kind, quantization=scales[name]) for name, kind in graph.tensors.items()
        },
        layers=tuple(layers),
    )
    verify(integer)
    return integer


def real_weights(integer: Graph, source: Graph) -> Graph:
    """The float graph `source` with the weights and biases that its integer form has."""
    by_name = {layer.name: layer for layer in integer.layers}
    layers = list[Layer]()
    for layer in source.layers:
        if isinstance(layer, Convolution):
            rounded = by_name[layer.name]
            quantization = integer.tensors[layer.inputs[0]].quantization
            assert isinstance(rounded, Convolution)
            assert rounded.weight_scale is not None
            assert quantization is not None
            scale = rounded.weight_scale.astype(np.float64)
            weight = rounded.weight * scale[:, None, None, None]
            bias = rounded.bias * (scale * quantization.scale)
            layers.append(
                replace(layer, weight=weight.astype(np.float32), bias=bias.astype(np.float32))
            )
        else:
            layers.append(layer)
    return replace(source, layers=tuple(layers))
