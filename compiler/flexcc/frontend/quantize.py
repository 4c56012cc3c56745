# SPDX-License-Identifier: Apache-2.0
"""Post-training quantisation: a lowered float graph and samples become an integer graph.

ONNX Runtime runs the float model on the samples. The scales are those of its static quantiser with
min-max calibration: int8 activations with zero points, symmetric int8 weights per output channel.
"""

from dataclasses import dataclass, replace

import numpy as np
import onnx
from numpy.typing import NDArray

from flexcc.frontend.calibration import Samples
from flexcc.frontend.export import export_model
from flexcc.frontend.ranges import Range, observed_ranges, quantization_of
from flexcc.frontend.weights import quantize_convolution
from flexcc.ir.graph import Graph
from flexcc.ir.layers import Convolution, Layer, MaxPool2d
from flexcc.ir.types import Quantization
from flexcc.ir.verify import verify

__all__ = ["QuantizedModel", "quantize"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class QuantizedModel:
    """An integer graph with the ports of its float graph, and the same as a QDQ model."""

    onnx_model: onnx.ModelProto
    graph: Graph


def quantize(graph: Graph, calibration: Samples) -> QuantizedModel:
    """Quantises a lowered float graph on `calibration`: [K,C,H,W] by tensor name.

    The same graph and samples give the same model. Memory holds one sample's tensors at a time.

    Raises:
        InputError: ONNX Runtime cannot run the model, a value is not finite, or a layer does not
            fit the accelerator.
    """
    scales = _activation_scales(graph, observed_ranges(graph, calibration))
    layers = list[Layer]()
    for layer in graph.layers:
        if isinstance(layer, Convolution):
            source, target = scales[layer.inputs[0]], scales[layer.output]
            layers.append(quantize_convolution(layer, source, target, _weight_scales(layer)))
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
    return QuantizedModel(onnx_model=export_model(integer).model, graph=integer)


def _activation_scales(graph: Graph, ranges: dict[str, Range]) -> dict[str, Quantization]:
    """Scale and zero point of every tensor; those that only move or compare numbers keep theirs."""
    scales = {port.tensor: quantization_of(ranges[port.tensor]) for port in graph.inputs}
    for layer in graph.layers:
        if isinstance(layer, MaxPool2d):
            scales[layer.output] = scales[layer.inputs[0]]
        else:
            scales[layer.output] = quantization_of(ranges[layer.output])
    return scales


def _weight_scales(conv: Convolution) -> NDArray[np.float32]:
    """The largest weight of each output channel becomes 127; without weights the scale is any."""
    scale = np.abs(conv.weight).max(axis=(1, 2, 3)).astype(np.float64) / 127
    return np.where(scale < np.finfo(np.float32).tiny, 1, scale).astype(np.float32)
