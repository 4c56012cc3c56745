# SPDX-License-Identifier: Apache-2.0
"""The invariants of a graph, checked after import and after every pass."""

from collections.abc import Iterator
from math import prod

import numpy as np

from flexcc.ir.graph import Graph, Port
from flexcc.ir.layer_rules import layer_problems
from flexcc.ir.layers import Add, Concat, Conv2d, Elementwise, Layer, Mul, SourceLayer
from flexcc.ir.packing import Packing
from flexcc.ir.types import Quantization, TensorType

__all__ = ["VerifyError", "verify"]


class VerifyError(Exception):
    """A graph breaks its own rules: a fault of the compiler, never of its user."""


def verify(graph: Graph) -> None:
    """Checks every invariant of `graph`.

    Names are unique, tensors have one producer that stands before their users, shapes follow from
    the layers, numbers are finite, and quantisation is all or nothing: once one tensor is
    quantised, each one is, except where only source and elementwise layers read it.

    Raises:
        VerifyError: names all violations, a line each.
    """
    problems = [
        *_names(graph),
        *_order(graph),
        *(f"{port.onnx_name}: {problem}" for port, problem in _ports(graph)),
        *(f"%{name}: {problem}" for name, problem in _tensors(graph)),
    ]
    # The rest reads types and weights through the names that were just checked.
    if not problems:
        problems = [f"{layer.name}: {problem}" for layer, problem in _layers(graph)]
        problems += _quantization_of(graph)
    if problems:
        raise VerifyError("\n".join([f"graph {graph.name} is not valid:", *problems]))


def _names(graph: Graph) -> Iterator[str]:
    names = [layer.name for layer in graph.layers]
    yield from (f"{name}: {names.count(name)} layers have this name" for name in _repeated(names))
    if not all(names):
        yield "a layer has no name"
    for kind, ports in (("input", graph.inputs), ("output", graph.outputs)):
        if not ports:
            yield f"there is no {kind}"
    yield from _forms(graph)
    repeated = _repeated([port.onnx_name for port in graph.outputs])
    yield from (f"{name}: two outputs have this name" for name in repeated)
    yield from (
        f"%{name}: it is the tensor of two inputs"
        for name in _repeated([port.tensor for port in graph.inputs])
    )


def _forms(graph: Graph) -> Iterator[str]:
    """An input of the model may stand there in several packings of one tensor."""
    forms: dict[str, list[TensorType]] = {}
    for port in graph.inputs:
        if port.tensor in graph.tensors:
            forms.setdefault(port.onnx_name, []).append(graph.tensors[port.tensor])
    for name, types in forms.items():
        if len({type_.packing for type_ in types}) < len(types):
            yield f"{name}: two inputs have this name"
        elif len({type_.unpacked for type_ in types}) > 1:
            yield f"{name}: the tensors of this input are packings of different ones"


def _repeated(names: list[str]) -> list[str]:
    return sorted({name for name in names if names.count(name) > 1})


def _order(graph: Graph) -> Iterator[str]:
    written = {port.tensor for port in graph.inputs}
    for layer in graph.layers:
        wanted = 2 if isinstance(layer, Add | Mul) else 1
        if isinstance(layer, Concat):
            wanted = max(1, len(layer.inputs))
        if len(layer.inputs) != wanted:
            yield f"{layer.name}: it has {len(layer.inputs)} inputs, not {wanted}"
        for name in layer.inputs:
            if name not in written:
                yield f"{layer.name}: it reads %{name} before anything writes it"
        if layer.output in written:
            yield f"{layer.name}: it writes %{layer.output}, which is written already"
        written.add(layer.output)
    for port in graph.outputs:
        if port.tensor not in written:
            yield f"{port.onnx_name}: nothing writes its tensor %{port.tensor}"
    yield from (f"%{name}: it has no type" for name in sorted(written - graph.tensors.keys()))
    yield from (f"%{name}: nothing writes it" for name in sorted(graph.tensors.keys() - written))


def _ports(graph: Graph) -> Iterator[tuple[Port, str]]:
    for port in (*graph.inputs, *graph.outputs):
        tensor = graph.tensors.get(port.tensor)
        values = None if tensor is None else tensor.unpacked
        shape = values and (values.channels, values.height, values.width)
        if port.axes is not None:
            if port.axes[:1] != (0,) or sorted(port.axes) != [0, 1, 2, 3]:
                yield port, f"its axes {port.axes} are no order of [1,C,H,W]"
            elif shape and port.onnx_shape != tuple((1, *shape)[axis] for axis in port.axes):
                yield port, f"its shape {port.onnx_shape} is not %{port.tensor} in its order"
        elif shape and prod(port.onnx_shape) != prod(shape):
            yield port, f"its shape {port.onnx_shape} does not hold the values of %{port.tensor}"


def _tensors(graph: Graph) -> Iterator[tuple[str, str]]:
    for name, tensor in graph.tensors.items():
        if min(tensor.channels, tensor.height, tensor.width) < 1:
            yield name, "a dimension is not positive"
        if tensor.quantization is not None:
            yield from ((name, problem) for problem in _quantization(tensor.quantization))
        if tensor.packing is not None:
            yield from ((name, problem) for problem in _packed(graph, name, tensor))


def _packed(graph: Graph, name: str, tensor: TensorType) -> Iterator[str]:
    packing = tensor.packing
    assert packing is not None
    if tensor.channels % packing.lanes:
        yield f"its {tensor.channels} channels do not divide into {packing.lanes} lanes"
    if (tensor.height, tensor.width) != (packing.y.extent, packing.x.extent):
        yield f"its pixels are not the {packing.y.extent}x{packing.x.extent} of its packing"
    if tensor.quantization is None:
        yield "it is packed and not quantised"
    producer = graph.producer(name)
    if producer is not None and not packing.is_block and not _lies_alike(graph, producer, packing):
        yield "a layer writes it, but its packing repeats or drops pixels"


def _lies_alike(graph: Graph, layer: Layer, packing: Packing) -> bool:
    """Whether a layer of single pixels reads a tensor whose pixels lie as `packing` says."""
    if not isinstance(layer, Conv2d) or not layer.of_single_values:
        return False
    source = graph.tensors[layer.inputs[0]].packing
    return source is not None and (source.y, source.x) == (packing.y, packing.x)


def _quantization(value: Quantization) -> Iterator[str]:
    if value.bits not in (8, 16):
        yield f"its integers have {value.bits} bits, neither 8 nor 16"
        return
    if not value.low <= value.zero_point <= value.high:
        yield f"its zero point {value.zero_point} is no int{value.bits}"
    with np.errstate(over="ignore"):
        rounded = float(np.float32(value.scale))
    if not (np.isfinite(value.scale) and value.scale > 0 and rounded == value.scale):
        yield f"its scale {value.scale} is no positive float32"


def _layers(graph: Graph) -> Iterator[tuple[Layer, str]]:
    for layer in graph.layers:
        sources = [graph.tensors[name] for name in layer.inputs]
        target = graph.tensors[layer.output]
        yield from ((layer, problem) for problem in layer_problems(layer, sources, target))


def _quantization_of(graph: Graph) -> Iterator[str]:
    if all(tensor.quantization is None for tensor in graph.tensors.values()):
        return
    for name, tensor in graph.tensors.items():
        read_by_what_may_fold = (
            not graph.is_output(name)
            and graph.users(name)
            and all(isinstance(user, SourceLayer | Elementwise) for user in graph.users(name))
        )
        if tensor.quantization is None and not read_by_what_may_fold:
            yield f"%{name}: it is not quantised, but other tensors are"
