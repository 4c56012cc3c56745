# SPDX-License-Identifier: Apache-2.0
"""Which layers may have activations of 16 bits: the array's, and what only joins planes."""

from flexcc.errors import InputError
from flexcc.ir.graph import Graph
from flexcc.ir.layers import Concat, Conv2d, Convolution, Layer
from flexcc.program.formats import MAX_PHASES

__all__ = ["require_wide_convolutions"]

_REMEDY = "quantise with --precision a8 or auto"


def require_wide_convolutions(graph: Graph) -> None:
    """Refuses what cannot have 16 bits on either side.

    Raises:
        InputError: names every such layer, and every such input of the graph.
    """
    problems = [
        f"{port.tensor}: it is an input of 16 bits, and inputs have 8; {_REMEDY}"
        for port in graph.inputs
        if graph.tensors[port.tensor].wide
    ]
    for layer in graph.layers:
        if any(graph.tensors[name].wide for name in (*layer.inputs, layer.output)):
            reason = _problem(graph, layer)
            if reason is not None:
                problems.append(f"{layer.name}: it has activations of 16 bits, and {reason}")
    if problems:
        raise InputError("\n".join(problems))


def _problem(graph: Graph, layer: Layer) -> str | None:
    if isinstance(layer, Concat):
        return None
    if not isinstance(layer, Convolution):
        return f"only convolutions can; {_REMEDY}"
    if layer.slope is not None:
        return f"its slope below zero needs outputs of 8; {_REMEDY}"
    target = graph.tensors[layer.output]
    strided = isinstance(layer, Conv2d) and layer.strides[1] > MAX_PHASES
    if strided and target.wide and target.width > 1:
        return f"its column stride is {layer.strides[1]}, more than {MAX_PHASES}; {_REMEDY}"
    return None
