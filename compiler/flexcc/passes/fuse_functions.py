# SPDX-License-Identifier: Apache-2.0
"""Turns arithmetic on one tensor into a table: x * Sigmoid(x), x * Clip(x + 3) / 6, ..."""

from dataclasses import dataclass
from typing import ClassVar

from flexcc.ir.functions import Apply, Expression, X, apply, compose
from flexcc.ir.graph import Graph
from flexcc.ir.layers import (
    Add,
    ChannelAffine,
    Clamp,
    Clip,
    Layer,
    Mul,
    PRelu,
    Table,
)
from flexcc.passes.base import Pass
from flexcc.passes.rewrite import only_user, with_layers, without_dead_layers

__all__ = ["FuseFunctions", "function_of"]

# A function of a function of ... repeats its argument wherever it stands; no real one is this long.
_LONGEST = 64


@dataclass(frozen=True, slots=True)
class FuseFunctions(Pass):
    """add(f(x), g(x)) and mul(f(x), g(x)) become table(x), and f(table(x)) becomes one table.

    f and g are tables, clips, slopes and arithmetic with one number for all channels, or x itself.
    Nothing may be rounded in between: a tensor that is quantised ends the search. f(table(x))
    needs f to be the only user of the table.
    """

    name: ClassVar[str] = "fuse-functions"

    def run(self, graph: Graph) -> Graph:
        """Repeats the first rewrite that applies; each leaves fewer layers that are no tables."""
        while (rewritten := _first_rewrite(graph)) is not None:
            graph = without_dead_layers(rewritten)
        return graph


def function_of(layer: Layer) -> Expression | None:
    """What a layer of one input does to each element, if it treats all channels alike."""
    match layer:
        case Table(function=function):
            return function
        case Clip(clamp=clamp):
            return _clipped(X, clamp)
        case PRelu(slope=slope) if (slope == slope[0]).all():
            return apply("LeakyRelu", X, alpha=float(slope[0]))
        case ChannelAffine(scale=scale, offset=offset) if (scale == scale[0]).all() and (
            offset == offset[0]
        ).all():
            scaled = X if scale[0] == 1 else apply("Mul", X, float(scale[0]))
            return scaled if offset[0] == 0 else apply("Add", scaled, float(offset[0]))
    return None


def _first_rewrite(graph: Graph) -> Graph | None:
    for layer in graph.layers:
        rewritten = _of_one_tensor(graph, layer) or _behind_table(graph, layer)
        if rewritten is not None:
            return rewritten
    return None


def _of_one_tensor(graph: Graph, layer: Layer) -> Graph | None:
    """The table that an Add or Mul is, if both operands are functions of one tensor."""
    if not isinstance(layer, Add | Mul):
        return None
    first, second = (_functions(graph, name) for name in layer.inputs)
    shared = [name for name in first if name in second]
    if not shared:
        return None
    root = shared[0]
    operator = "Mul" if isinstance(layer, Mul) else "Sub" if layer.subtract else "Add"
    joint = apply(operator, first[root], second[root])
    if _length(joint) > _LONGEST:
        return None
    table = Table(
        name=layer.name,
        inputs=(root,),
        output=layer.output,
        function=_clipped(joint, layer.clamp),
    )
    return with_layers(graph, {layer.name: table})


def _behind_table(graph: Graph, layer: Layer) -> Graph | None:
    """The table that a function of a table's output is."""
    function = function_of(layer)
    if function is None:
        return None
    producer = graph.producer(layer.inputs[0])
    if not isinstance(producer, Table) or only_user(graph, producer.output) is not layer:
        return None
    joint = compose(function, producer.function)
    if graph.tensors[producer.output].quantization is not None or _length(joint) > _LONGEST:
        return None
    table = Table(name=layer.name, inputs=producer.inputs, output=layer.output, function=joint)
    return with_layers(graph, {producer.name: None, layer.name: table})


def _functions(graph: Graph, tensor: str) -> dict[str, Expression]:
    """The tensors that this one is a function of, the nearest first: itself and those before."""
    result: dict[str, Expression] = {tensor: X}
    while graph.tensors[tensor].quantization is None:
        producer = graph.producer(tensor)
        function = None if producer is None else function_of(producer)
        if producer is None or function is None:
            break
        earlier = compose(result[tensor], function)
        if _length(earlier) > _LONGEST:
            break
        tensor = producer.inputs[0]
        result[tensor] = earlier
    return result


def _clipped(expression: Expression, clamp: Clamp) -> Expression:
    if clamp.low == 0:
        expression = apply("Relu", expression)
    elif clamp.low is not None:
        expression = apply("Max", expression, clamp.low)
    return expression if clamp.high is None else apply("Min", expression, clamp.high)


def _length(expression: Expression) -> int:
    """Number of operators and operands."""
    if isinstance(expression, Apply):
        return 1 + sum(_length(operand) for operand in expression.operands)
    return 1
