# SPDX-License-Identifier: Apache-2.0
"""What each layer of a quantised network loses, in decibels, on samples."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flexcc import reference
from flexcc.frontend.calibration import Samples
from flexcc.frontend.observe import observe
from flexcc.ir.affine import dequantize_array, quantize_array
from flexcc.ir.graph import Graph
from flexcc.ir.printer import layer_kind
from flexcc.ir.types import Integers, Quantization
from flexcc.quantization import QuantizedModel
from flexcc.quantization.search import decibels

__all__ = ["LayerError", "errors_table", "layer_errors"]

_SAMPLES = 8

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerError:
    """The signal-to-noise ratios of one layer's output against the float model's.

    `own_db` is that of the layer alone, fed the float model's values in integers, `total_db` that
    of the integer network up to here. Both are 200 where nothing is lost. `bits` are those of
    the output.
    """

    layer: str
    kind: str
    bits: int
    own_db: float
    total_db: float


def layer_errors(model: QuantizedModel, samples: Samples) -> list[LayerError]:
    """The errors of all layers, over an even spread of at most 8 of the samples [K,C,H,W].

    Memory holds the tensors of one sample at a time.

    Raises:
        InputError: ONNX Runtime cannot run the model.
    """
    graph = model.graph
    sums = {layer.output: np.zeros(3) for layer in graph.layers}
    for real in observe(model.source, _spread(samples)):
        known: dict[str, Integers] = {
            port.tensor: _rounded(graph, port.tensor, real) for port in graph.inputs
        }
        for layer in graph.layers:
            sources = [graph.tensors[name] for name in layer.inputs]
            target = graph.tensors[layer.output]
            exact = [_rounded(graph, name, real) for name in layer.inputs]
            alone = reference.run_layer(layer, sources, target, exact)
            inputs = [known[name] for name in layer.inputs]
            known[layer.output] = reference.run_layer(layer, sources, target, inputs)
            wanted = real[layer.output].astype(np.float64)
            found = [
                dequantize_array(values, _quantization(graph, layer.output)) - wanted
                for values in (alone, known[layer.output])
            ]
            sums[layer.output] += [np.square(each).sum() for each in (wanted, *found)]
    return [
        LayerError(
            layer=layer.name,
            kind=layer_kind(layer),
            bits=_quantization(graph, layer.output).bits,
            own_db=decibels(*sums[layer.output][[0, 1]]),
            total_db=decibels(*sums[layer.output][[0, 2]]),
        )
        for layer in graph.layers
    ]


def errors_table(errors: Sequence[LayerError]) -> str:
    """A line per layer, in order, and the layer that loses most."""
    head = ("layer", "operation", "bits", "alone, dB", "so far, dB")
    rows = [(e.layer, e.kind, str(e.bits), f"{e.own_db:.1f}", f"{e.total_db:.1f}") for e in errors]
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = [
        "  ".join(
            cell.ljust(width) if index < 2 else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in (head, *rows)
    ]
    worst = min(errors, key=lambda error: error.own_db)
    text = f"{worst.layer} loses most by itself: {worst.own_db:.1f} dB are left of its output"
    return "\n".join([*lines, "", text])


def _spread(samples: Samples) -> dict[str, Floats]:
    available = min(len(array) for array in samples.values())
    taken = min(available, _SAMPLES)
    chosen = np.arange(taken) * available // taken
    return {name: array[chosen] for name, array in samples.items()}


def _rounded(graph: Graph, tensor: str, real: Mapping[str, Floats]) -> Integers:
    result: Integers = quantize_array(real[tensor], _quantization(graph, tensor))
    return result


def _quantization(graph: Graph, tensor: str) -> Quantization:
    quantization = graph.tensors[tensor].quantization
    assert quantization is not None
    return quantization
