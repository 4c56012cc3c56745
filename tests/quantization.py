# SPDX-License-Identifier: Apache-2.0
"""How far an integer layer may be from the real one it was quantised from."""

import numpy as np
from numpy.typing import NDArray

from flexcc import reference
from flexcc.ir.affine import dequantize_array, quantize_array
from flexcc.ir.graph import Graph
from flexcc.ir.layers import Convolution
from flexcc.ir.types import Quantization
from flexcc.quantization import quantize
from tests.models import chain, tensor

__all__ = ["check_accuracy", "quantization_of", "run_on_reals"]

Floats = NDArray[np.float32]


def quantization_of(graph: Graph, name: str) -> Quantization:
    """The quantisation of a tensor that has one."""
    quantization = graph.tensors[name].quantization
    assert quantization is not None
    return quantization


def run_on_reals(graph: Graph, inputs: dict[str, Floats]) -> dict[str, Floats]:
    """Real outputs of an integer graph for real inputs, by tensor."""
    integers = {
        name: quantize_array(array, quantization_of(graph, name)) for name, array in inputs.items()
    }
    outputs = reference.run(graph, integers)
    return {
        name: dequantize_array(array, quantization_of(graph, name))
        for name, array in outputs.items()
    }


def _error_bound(
    conv: Convolution, quantized: Convolution, source: Quantization, target: Quantization, x: Floats
) -> Floats:
    """How far the integer layer may be from the real one, per channel, without saturation."""
    assert quantized.weight_scale is not None
    elements = conv.weight[0].size
    # One step for the input, for the zero point is rounded too; half a step for every weight.
    inputs = source.scale * np.abs(conv.weight).sum(axis=(1, 2, 3))
    weights = quantized.weight_scale / 2 * elements * (np.abs(x).max() + source.scale)
    result: Floats = inputs + weights + source.scale * quantized.weight_scale + target.scale
    return result


def check_accuracy(conv: Convolution, x: Floats) -> Convolution:
    """The layer, quantised on `x`, stays within its error bound on the same data."""
    source = tensor(*x.shape[1:])
    graph = chain(source, [conv])
    quantized = quantize(graph, {"x": x}).graph
    (layer,) = quantized.layers
    assert isinstance(layer, Convolution)
    real = reference.run_float(graph, {"x": x})[conv.output]
    bound = _error_bound(
        conv, layer, quantization_of(quantized, "x"), quantization_of(quantized, conv.output), x
    )
    error = np.abs(run_on_reals(quantized, {"x": x})[conv.output] - real).max(axis=(0, 2, 3))
    assert (error <= bound).all(), (error, bound)
    return layer
