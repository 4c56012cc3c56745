# SPDX-License-Identifier: Apache-2.0
"""Post-training quantisation: a lowered float graph and samples become an integer graph.

Activations are int8 or int16 with zero points, weights symmetric int8 per output channel.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flexcc.frontend.calibration import Samples
from flexcc.frontend.export import ExportedModel, export_model
from flexcc.frontend.observe import observe
from flexcc.ir.graph import Graph
from flexcc.ir.types import Quantization
from flexcc.quantization.convert import integer_graph, real_weights, weight_rounding
from flexcc.quantization.equalize import equalize
from flexcc.quantization.moments import MomentCollector, Moments
from flexcc.quantization.options import (
    CalibrationMethod,
    Precision,
    QuantizationOptions,
    WeightRounding,
)
from flexcc.quantization.precision import widest
from flexcc.quantization.ranges import tensor_range
from flexcc.quantization.scales import tensor_scales
from flexcc.quantization.search import Assignment, search
from flexcc.quantization.settle import settle_biases
from flexcc.quantization.statistics import TensorStatistics, collect

__all__ = ["QuantizedModel", "quantize"]

logger = logging.getLogger(__name__)

_DEFAULTS = QuantizationOptions()
# The search simulates each sample many times; settling biases keeps the integers of all.
_SEARCH_SAMPLES = 2
_SETTLE_SAMPLES = 8


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class QuantizedModel:
    """An integer graph with the ports of its float graph, and the same as a QDQ model.

    `source` is the float graph, equalised if that was asked for. `assignment` is there when the
    bits of tensors were searched for.
    """

    exported: ExportedModel
    graph: Graph
    source: Graph
    assignment: Assignment | None


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
    weights = weight_rounding(survey.moments, options)

    def scales(bits: Mapping[str, int]) -> dict[str, Quantization]:
        ranges = {
            name: tensor_range(each, options, bits[name])
            for name, each in survey.statistics.items()
        }
        return tensor_scales(graph, ranges, bits)

    assignment = None
    match options.precision:
        case Precision.A8:
            bits: Mapping[str, int] = dict.fromkeys(graph.tensors, 8)
        case Precision.A16:
            bits = widest(graph)
        case Precision.AUTO:
            rounded = real_weights(integer_graph(graph, scales(widest(graph)), weights), graph)
            some = _some(calibration, _SEARCH_SAMPLES)
            assignment = search(rounded, some, list(_outputs(graph, some)), scales, options.sqnr_db)
            bits = assignment.bits
            _warn_of_weights(assignment, options)
    integer = integer_graph(graph, scales(bits), weights)
    if options.settle_bias:
        few = _stacked(_some(calibration, _SETTLE_SAMPLES))
        integer = settle_biases(integer, graph, observe(graph, few), _count(few))
    return QuantizedModel(
        exported=export_model(integer), graph=integer, source=graph, assignment=assignment
    )


def _warn_of_weights(assignment: Assignment, options: QuantizationOptions) -> None:
    for output, widest_db in assignment.widest_db.items():
        if widest_db < options.sqnr_db:
            logger.warning(
                "%s: with 16 bits everywhere there are %.1f dB, for weights have 8; %.1f dB are "
                "kept, not %.1f; --weight-rounding compensated may help",
                output,
                widest_db,
                assignment.reached_db[output],
                options.sqnr_db,
            )


def _count(samples: Samples) -> int:
    return min(len(array) for array in samples.values())


def _some(calibration: Samples, wanted: int) -> list[dict[str, NDArray[np.float32]]]:
    """At most `wanted` samples, evenly spread."""
    available = _count(calibration)
    taken = min(available, wanted)
    return [
        {name: array[index : index + 1] for name, array in calibration.items()}
        for index in (position * available // taken for position in range(taken))
    ]


def _stacked(samples: Sequence[Samples]) -> Samples:
    return {name: np.concatenate([each[name] for each in samples]) for name in samples[0]}


def _outputs(
    graph: Graph, samples: Sequence[Mapping[str, NDArray[np.float32]]]
) -> Iterator[dict[str, NDArray[np.float32]]]:
    for sample in samples:
        (image,) = observe(graph, sample)
        yield {port.tensor: image[port.tensor] for port in graph.outputs}


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
    count = _count(calibration)
    collector = MomentCollector(graph, count, covariances=covariances)

    def watched() -> Iterator[Mapping[str, NDArray[np.float32]]]:
        for image in images:
            collector.add(image)
            yield image

    statistics = collect(watched(), histograms=histograms)
    return _Survey(statistics=statistics, moments=collector.finish())
