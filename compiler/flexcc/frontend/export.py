# SPDX-License-Identifier: Apache-2.0
"""Writes a lowered float graph as canonical ONNX: Conv with bias, Relu or Clip, MaxPool.

Node names are layer names and tensor names are the graph's, so that what a quantiser says of a
tensor can be found again.
"""

from collections.abc import Iterator

import numpy as np
import onnx
from onnx import helper, numpy_helper

from flexcc.ir.graph import Graph
from flexcc.ir.layers import Clamp, Conv2d, Layer, MaxPool2d, Pads

__all__ = ["IR_VERSION", "OPSET", "export_float"]

# Per-channel quantisation needs opset 13; ONNX Runtime reads these versions since 1.16.
OPSET = 17
IR_VERSION = 8


def export_float(graph: Graph) -> onnx.ModelProto:
    """The ONNX model of a float graph that holds only convolutions and max pools.

    Raises:
        TypeError: another layer kind, which the passes should have lowered.
    """
    initializers: list[onnx.TensorProto] = []
    nodes = [node for layer in graph.layers for node in _nodes(layer, initializers)]
    body = helper.make_graph(
        nodes,
        graph.name or "graph",
        [_value(graph, port.tensor) for port in graph.inputs],
        [_value(graph, port.tensor) for port in graph.outputs],
        initializers,
    )
    model = helper.make_model(
        body, producer_name="flexcc", opset_imports=[helper.make_opsetid("", OPSET)]
    )
    model.ir_version = IR_VERSION
    onnx.checker.check_model(model, full_check=True)
    return model


def _value(graph: Graph, tensor: str) -> onnx.ValueInfoProto:
    type_ = graph.tensors[tensor]
    shape = [1, type_.channels, type_.height, type_.width]
    return helper.make_tensor_value_info(tensor, onnx.TensorProto.FLOAT, shape)


def _nodes(layer: Layer, initializers: list[onnx.TensorProto]) -> Iterator[onnx.NodeProto]:
    match layer:
        case Conv2d():
            yield from _conv(layer, initializers)
        case MaxPool2d():
            yield helper.make_node(
                "MaxPool",
                list(layer.inputs),
                [layer.output],
                name=layer.name,
                kernel_shape=list(layer.kernel),
                strides=list(layer.strides),
                dilations=list(layer.dilations),
                pads=_pads(layer.pads),
            )
        case _:
            raise TypeError(f"{layer.name}: {type(layer).__name__} has no canonical ONNX form")


def _conv(conv: Conv2d, initializers: list[onnx.TensorProto]) -> Iterator[onnx.NodeProto]:
    weight, bias = f"{conv.name}.weight", f"{conv.name}.bias"
    initializers += [
        numpy_helper.from_array(np.asarray(conv.weight, np.float32), weight),
        numpy_helper.from_array(np.asarray(conv.bias, np.float32), bias),
    ]
    clamped = conv.clamp != Clamp()
    output = f"{conv.name}.unclamped" if clamped else conv.output
    yield helper.make_node(
        "Conv",
        [conv.inputs[0], weight, bias],
        [output],
        name=conv.name,
        kernel_shape=list(conv.weight.shape[2:]),
        strides=list(conv.strides),
        dilations=list(conv.dilations),
        group=conv.groups,
        pads=_pads(conv.pads),
    )
    if not clamped:
        return
    name = f"{conv.name}.clamp"
    if conv.clamp == Clamp(low=0.0):
        yield helper.make_node("Relu", [output], [conv.output], name=name)
        return
    bounds = []
    for side, value in (("low", conv.clamp.low), ("high", conv.clamp.high)):
        bounds.append("" if value is None else f"{conv.name}.{side}")
        if value is not None:
            initializers.append(numpy_helper.from_array(np.float32(value), bounds[-1]))
    yield helper.make_node("Clip", [output, *bounds], [conv.output], name=name)


def _pads(pads: Pads) -> list[int]:
    return [pads.top, pads.left, pads.bottom, pads.right]
