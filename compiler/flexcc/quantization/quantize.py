# SPDX-License-Identifier: Apache-2.0
"""Post-training quantisation: a lowered float graph and samples become an integer graph.

Activations are int8 or int16 with zero points, weights symmetric int8 per output channel.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from flexcc.frontend.calibration import Samples
from flexcc.frontend.export import ExportedModel, export_model
from flexcc.frontend.observe import observe
from flexcc.ir.graph import Graph
from flexcc.ir.layers import Convolution, Layer
from flexcc.ir.types import Quantization
from flexcc.ir.verify import verify
from flexcc.quantization.equalize import equalize
from flexcc.quantization.moments import MomentCollector, Moments
from flexcc.quantization.options import (
    CalibrationMethod,
    QuantizationOptions,
    WeightRounding,
)
from flexcc.quantization.precision import tensor_bits
from flexcc.quantization.ranges import tensor_range
from flexcc.quantization.rounding import Rounding, compensated, nearest
from flexcc.quantization.scales import tensor_scales, weight_scale
from flexcc.quantization.statistics import TensorStatistics, collect
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
    if options.equalize:
        graph = equalize(graph, collect(observe(graph, calibration), histograms=False))
    survey = _survey(graph, calibration, options)
    bits = tensor_bits(graph, options.precision)
    ranges = {
        name: tensor_range(each, options, bits[name]) for name, each in survey.statistics.items()
    }
    scales = tensor_scales(graph, ranges, bits)
    integer = integer_graph(graph, scales, survey.moments, options)
    return QuantizedModel(exported=export_model(integer), graph=integer)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Survey:
    """What the samples tell of tensors and, by name, of convolutions."""

    statistics: Mapping[str, TensorStatistics]
    moments: Mapping[str, Moments]


def _survey(graph: Graph, calibration: Samples, options: QuantizationOptions) -> _Survey:
    histograms = options.method is not CalibrationMethod.MIN_MAX
    covariances = options.rounding is WeightRounding.COMPENSATED
    images = observe(graph, calibration)
    if not options.correct_bias and not covariances:
        return _Survey(statistics=collect(images, histograms=histograms), moments={})
    count = min(len(array) for array in calibration.values())
    collector = MomentCollector(graph, count, covariances=covariances)

    def watched() -> Iterator[Mapping[str, NDArray[np.float32]]]:
        for image in images:
            collector.add(image)
            yield image

    statistics = collect(watched(), histograms=histograms)
    return _Survey(statistics=statistics, moments=collector.finish())


def integer_graph(
    graph: Graph,
    scales: Mapping[str, Quantization],
    moments: Mapping[str, Moments],
    options: QuantizationOptions,
) -> Graph:
    """The integer form of a lowered float graph with these quantisations by tensor.

    `moments` by name of convolution serve those of the options that ask for them.

    Raises:
        InputError: a layer does not fit the accelerator.
    """
    layers = list[Layer]()
    for layer in graph.layers:
        if isinstance(layer, Convolution):
            source, target = scales[layer.inputs[0]], scales[layer.output]
            known = moments.get(layer.name)
            rounding: Rounding = nearest
            if known is not None and options.rounding is WeightRounding.COMPENSATED:
                rounding = compensated(known)
            shown = known if options.correct_bias else None
            scale = weight_scale(layer)
            layers.append(
                quantize_convolution(layer, source, target, scale, rounding=rounding, moments=shown)
            )
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
