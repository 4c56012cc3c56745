# SPDX-License-Identifier: Apache-2.0
"""Runs whole graphs, layer by layer."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from flexcc.ir.graph import Graph
from flexcc.ir.layers import Layer
from flexcc.ir.shapes import output_shape
from flexcc.ir.types import Integers, TensorType
from flexcc.reference.integer import integer_layer, quantized
from flexcc.reference.real import real_layer

__all__ = ["run", "run_float", "run_layer"]

Scalar = TypeVar("Scalar", bound=np.generic)


def run(graph: Graph, inputs: Mapping[str, Integers]) -> dict[str, Integers]:
    """All tensors [B,C,H,W] of an integer graph, given those of its inputs by tensor name.

    Raises:
        ValueError: an input is missing or unknown, or has another type or shape than the graph.
    """
    dtypes = {
        port.tensor: np.dtype(quantized(graph.tensors[port.tensor]).dtype) for port in graph.inputs
    }
    tensors = _checked(graph, inputs, dtypes)
    for layer in graph.layers:
        sources = [graph.tensors[name] for name in layer.inputs]
        arrays = [tensors[name] for name in layer.inputs]
        tensors[layer.output] = run_layer(layer, sources, graph.tensors[layer.output], arrays)
    return tensors


def run_layer(
    layer: Layer,
    sources: Sequence[TensorType],
    target: TensorType,
    inputs: Sequence[Integers],
) -> Integers:
    """The output [B,C,H,W] of one integer layer for its inputs."""
    shape = output_shape(layer, sources, target)
    return integer_layer(layer, sources, target, shape, inputs)


def run_float(
    graph: Graph, inputs: Mapping[str, NDArray[np.floating]]
) -> dict[str, NDArray[np.float64]]:
    """All tensors of a float graph, lowered or not, in float64.

    Raises:
        ValueError: an input is missing or unknown, or has another shape than the graph.
    """
    wide = {name: np.asarray(array, np.float64) for name, array in inputs.items()}
    tensors = _checked(graph, wide, dict.fromkeys(wide, np.dtype(np.float64)))
    for layer in graph.layers:
        sources = [graph.tensors[name] for name in layer.inputs]
        shape = output_shape(layer, sources, graph.tensors[layer.output])
        tensors[layer.output] = real_layer(layer, shape, [tensors[name] for name in layer.inputs])
    return tensors


def _checked(
    graph: Graph, inputs: Mapping[str, NDArray[Scalar]], dtypes: Mapping[str, np.dtype[Any]]
) -> dict[str, NDArray[Scalar]]:
    wanted = {port.tensor for port in graph.inputs}
    if inputs.keys() != wanted:
        raise ValueError(f"the inputs are {sorted(wanted)}, not {sorted(inputs)}")
    batches = set()
    for name, array in inputs.items():
        tensor = graph.tensors[name]
        shape = (tensor.channels, tensor.height, tensor.width)
        dtype = dtypes[name]
        if array.dtype != dtype or array.ndim != 4 or array.shape[1:] != shape:
            raise ValueError(
                f"%{name} is {array.dtype}{list(array.shape)}, not {dtype}{['B', *shape]}"
            )
        batches.add(array.shape[0])
    if len(batches) != 1:
        raise ValueError(f"the inputs hold different numbers of images: {sorted(batches)}")
    return dict(inputs)
