# SPDX-License-Identifier: Apache-2.0
"""Selections that the load of a sum's second tensor makes: channels of zeros, repeated rows.

E-Net adds a pooled tensor to one of four times its channels, and an enlarged one. Neither has to
be written. Columns cannot be repeated so: a copy repeats those of the smaller image.
"""

from dataclasses import replace

from flexcc.dse.names import Names
from flexcc.ir.graph import Graph
from flexcc.ir.layers import Add, Concat, Conv2d, Convolution, ConvTranspose2d, Layer, Select
from flexcc.ir.repetition import times_repeated

__all__ = ["is_loaded", "lower_second", "may_be_loaded"]


def may_be_loaded(graph: Graph, layer: Layer) -> bool:
    """Whether a load may make what `layer` does: on an array whose halves agree with it.

    It repeats rows, or adds channels of zeros behind those there are, of one stored tensor, for
    nothing but a sum that a convolution can carry.
    """
    if not isinstance(layer, Select) or _carrier(graph, layer) is None:
        return False
    source = graph.tensors[layer.inputs[0]]
    return layer.columns == tuple(range(source.width)) and _is_simple(graph, layer)


def is_loaded(graph: Graph, layer: Select, carrier: Convolution, *, m: int, n: int) -> bool:
    """The same on M rows and N lanes with the layer that carries the sum.

    A half of the skip buffer has whole planes, or zeros alone, and the carrier's output phases, if
    it has any, repeat the same rows.
    """
    source = graph.tensors[layer.inputs[0]]
    if len(layer.channels) > source.channels and source.channels % max(m, n):
        return False
    repeats = len(layer.rows) // source.height
    return not isinstance(carrier, ConvTranspose2d) or carrier.strides[0] % repeats == 0


def lower_second(graph: Graph) -> Graph:
    """An equal graph in which selections of repeated rows and columns are one of columns first."""
    new_name = Names(graph).new
    layers: list[Layer] = []
    tensors = dict(graph.tensors)
    for layer in graph.layers:
        if not isinstance(layer, Select) or not _repeats_both(graph, layer):
            layers.append(layer)
            continue
        name, output = new_name(f"{layer.name}_columns"), new_name(f"{layer.output}_columns")
        source = graph.tensors[layer.inputs[0]]
        tensors[output] = replace(source, width=len(layer.columns))
        rows, columns = tuple(range(source.height)), tuple(range(len(layer.columns)))
        layers.append(replace(layer, name=name, output=output, rows=rows))
        layers.append(replace(layer, inputs=(output,), columns=columns))
    return replace(graph, layers=tuple(layers), tensors=tensors)


def _repeats_both(graph: Graph, layer: Select) -> bool:
    """Whether a layer repeats rows and columns and is otherwise what a load makes."""
    if _carrier(graph, layer) is None:
        return False
    source = graph.tensors[layer.inputs[0]]
    same = layer.channels == tuple(range(source.channels))
    repeats = times_repeated(layer.columns, source.width), times_repeated(layer.rows, source.height)
    return same and min(repeats) > 1 and _is_simple(graph, layer)


def _is_simple(graph: Graph, layer: Select) -> bool:
    """Whether channels, rows and the tensor are such that a load can make what the layer does."""
    (tensor,) = layer.inputs
    source = graph.tensors[tensor]
    beyond = len(layer.channels) - source.channels
    return (
        layer.channels == (*range(source.channels), *(-1,) * beyond)
        and (not beyond or layer.fill == 0)
        and times_repeated(layer.rows, source.height) > 0
        and not source.wide
        and not isinstance(graph.producer(tensor), Concat)
    )


def _carrier(graph: Graph, layer: Layer) -> Convolution | None:
    """The convolution that carries the sum that alone reads a layer's output."""
    match graph.users(layer.output):
        case (Add(inputs=inputs) as add,) if not graph.is_output(layer.output):
            pass
        case _:
            return None
    others = [name for name in inputs if name != layer.output]
    if len(others) != 1:
        return None
    carrier = graph.producer(others[0])
    if not isinstance(carrier, Conv2d | ConvTranspose2d) or graph.is_output(others[0]):
        return None
    return carrier if graph.users(others[0]) == (add,) else None
