# SPDX-License-Identifier: Apache-2.0
"""Folds Reshape and Flatten into fully connected layers and into the ports of the graph."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from flexcc.ir.graph import Graph
from flexcc.ir.layers import Conv2d, Layer, Pads, Reshape, Select
from flexcc.ir.types import TensorType
from flexcc.ir.wide_weights import narrowed
from flexcc.passes.base import Pass
from flexcc.passes.eliminate_identity import without_identity
from flexcc.passes.rewrite import only_user, with_layers

__all__ = ["FoldReshape"]


@dataclass(frozen=True, slots=True)
class FoldReshape(Pass):
    """Removes reshapes: the values stay where they are, only their reader counts differently.

    reshape(reshape(x)) is one, and none if the shape is that of x; conv2d(flatten(x)) with a 1x1
    kernel becomes a convolution whose kernel is as large as x, if every user of the flatten is one,
    or if the only one stands behind a choice of values, whose weights take their places; a reshape
    of a graph input or into a graph output moves into the port. Other reshapes stay.
    """

    name: ClassVar[str] = "fold-reshape"

    def run(self, graph: Graph) -> Graph:
        """Folds until no reshape can go; each fold removes one."""
        while (rewritten := _first_fold(graph)) is not None:
            graph = rewritten
        return graph


def _first_fold(graph: Graph) -> Graph | None:
    for layer in graph.layers:
        if not isinstance(layer, Reshape):
            continue
        for fold in (_identity, _of_reshape, _into_choice, _into_users, _into_output, _into_input):
            folded = fold(graph, layer)
            if folded is not None:
                return folded
    return None


def _identity(graph: Graph, layer: Reshape) -> Graph | None:
    rest = without_identity(graph, layer)
    return None if rest is graph else rest


def _of_reshape(graph: Graph, layer: Reshape) -> Graph | None:
    producer = graph.producer(layer.inputs[0])
    if not isinstance(producer, Reshape) or only_user(graph, producer.output) is not layer:
        return None
    return with_layers(
        graph, {producer.name: None, layer.name: replace(layer, inputs=producer.inputs)}
    )


def _into_users(graph: Graph, layer: Reshape) -> Graph | None:
    source, flat = graph.tensors[layer.inputs[0]], graph.tensors[layer.output]
    users = graph.users(layer.output)
    if graph.is_output(layer.output) or not users or (flat.height, flat.width) != (1, 1):
        return None
    types = _quantized_as(graph, layer)
    if types is None:
        return None
    changes: dict[str, Layer | None] = {layer.name: None}
    for user in users:
        match user:
            case Conv2d(weight=weight, groups=1, pads=pads) if pads == Pads():
                kernel = (weight.shape[0], source.channels, source.height, source.width)
                changes[user.name] = replace(
                    user,
                    inputs=layer.inputs,
                    weight=weight.reshape(kernel),
                    strides=(1, 1),
                    dilations=(1, 1),
                )
            case _:
                return None
    return with_layers(graph, changes, types)


def _into_choice(graph: Graph, layer: Reshape) -> Graph | None:
    """reshape, then a choice of channels that one 1x1 convolution reads."""
    source, flat = graph.tensors[layer.inputs[0]], graph.tensors[layer.output]
    choice, types = only_user(graph, layer.output), _quantized_as(graph, layer)
    if not isinstance(choice, Select) or (flat.height, flat.width) != (1, 1) or types is None:
        return None
    conv = only_user(graph, choice.output)
    if not isinstance(conv, Conv2d) or conv.groups != 1 or conv.pads != Pads():
        return None
    if (choice.rows, choice.columns) != ((0,), (0,)) or -1 in choice.channels:
        return None
    image = (conv.weight.shape[0], source.channels, source.height, source.width)
    integer = conv.weight_scale is not None
    total = np.zeros((flat.channels, image[0]), np.int64 if integer else np.float64)
    np.add.at(total, list(choice.channels), conv.weight[:, :, 0, 0].T)
    whole = total.T.reshape(image)
    straight = replace(conv, inputs=layer.inputs, strides=(1, 1), dilations=(1, 1))
    changes: dict[str, Layer | None] = {layer.name: None, choice.name: None}
    if not integer:
        changes[conv.name] = replace(straight, weight=whole.astype(np.float32))
        return with_layers(graph, changes, types)
    weight, channels = narrowed(whole.astype(np.int16), 1)
    changes[conv.name] = replace(straight, weight=weight)
    if channels != tuple(range(source.channels)):
        rounded = types.get(layer.inputs[0], source)
        types |= {choice.output: replace(rounded, channels=len(channels))}
        changes[choice.name] = replace(
            choice,
            inputs=layer.inputs,
            channels=channels,
            rows=tuple(range(source.height)),
            columns=tuple(range(source.width)),
        )
        changes[conv.name] = replace(straight, weight=weight, inputs=conv.inputs)
    return with_layers(graph, changes, types)


def _into_output(graph: Graph, layer: Reshape) -> Graph | None:
    types = _quantized_as(graph, layer)
    if not graph.is_output(layer.output) or graph.users(layer.output) or types is None:
        return None
    if any(port.tensor == layer.inputs[0] for port in graph.inputs):
        return None
    if any(port.tensor == layer.output and port.axes is not None for port in graph.outputs):
        return None
    outputs = tuple(
        replace(port, tensor=layer.inputs[0]) if port.tensor == layer.output else port
        for port in graph.outputs
    )
    return with_layers(replace(graph, outputs=outputs), {layer.name: None}, types)


def _into_input(graph: Graph, layer: Reshape) -> Graph | None:
    source = layer.inputs[0]
    if graph.producer(source) is not None or only_user(graph, source) is not layer:
        return None
    if graph.is_output(layer.output) or _quantized_as(graph, layer) is None:
        return None
    if any(port.tensor == source and port.axes is not None for port in graph.inputs):
        return None
    inputs = tuple(
        replace(port, tensor=layer.output) if port.tensor == source else port
        for port in graph.inputs
    )
    return with_layers(replace(graph, inputs=inputs), {layer.name: None})


def _quantized_as(graph: Graph, layer: Reshape) -> dict[str, TensorType] | None:
    """The input's type with the output's quantisation; None if the two round differently."""
    name = layer.inputs[0]
    source, target = graph.tensors[name], graph.tensors[layer.output]
    if source.quantization == target.quantization:
        return {}
    # An unquantised value may be rounded before the reshape, unless others want it as it is.
    if source.quantization is None and only_user(graph, name) is layer:
        return {name: replace(source, quantization=target.quantization)}
    return None
