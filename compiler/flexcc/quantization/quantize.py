# SPDX-License-Identifier: Apache-2.0
"""Post-training quantisation: a lowered float graph and samples become an integer graph.

Activations are int8 or int16 with zero points, weights symmetric int8 per output channel.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from flexcc.frontend.calibration import Samples
from flexcc.frontend.export import ExportedModel, export_model
from flexcc.frontend.observe import observe
from flexcc.ir.graph import Graph
from flexcc.ir.layers import Convolution, Layer
from flexcc.ir.types import Quantization
from flexcc.ir.verify import verify
from flexcc.quantization.options import CalibrationMethod, QuantizationOptions
from flexcc.quantization.precision import tensor_bits
from flexcc.quantization.ranges import tensor_range
from flexcc.quantization.scales import tensor_scales, weight_scale
from flexcc.quantization.statistics import collect
from flexcc.quantization.weights import quantize_convolution

__all__ = ["QuantizedModel", "integer_graph", "quantize"]

_DEFAULTS = QuantizationOptions()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class QuantizedModel:
    """An integer graph with the ports of its float graph, and the same as a QDQ model."""

    exported: ExportedModel
    graph: Graph


def quantize(
    graph: Graph, calibration: Samples, options: QuantizationOptions = _DEFAULTS
) -> QuantizedModel:
    """Quantises a lowered float graph on `calibration`: [K,C,H,W] by tensor name.

    The same graph, samples and options give the same model. Memory holds one sample's tensors at a
    time.

    Raises:
        InputError: ONNX Runtime cannot run the model, a value is not finite, or a layer does not
            fit the accelerator.
    """
    statistics = collect(
        observe(graph, calibration), histograms=options.method is not CalibrationMethod.MIN_MAX
    )
    bits = tensor_bits(graph, options.precision)
    ranges = {name: tensor_range(each, options, bits[name]) for name, each in statistics.items()}
    integer = integer_graph(graph, tensor_scales(graph, ranges, bits))
    return QuantizedModel(exported=export_model(integer), graph=integer)


def integer_graph(graph: Graph, scales: Mapping[str, Quantization]) -> Graph:
    """The integer form of a lowered float graph with these quantisations by tensor.

    Raises:
        InputError: a layer does not fit the accelerator.
    """
    layers = list[Layer]()
    for layer in graph.layers:
        if isinstance(layer, Convolution):
            source, target = scales[layer.inputs[0]], scales[layer.output]
            layers.append(quantize_convolution(layer, source, target, weight_scale(layer)))
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
