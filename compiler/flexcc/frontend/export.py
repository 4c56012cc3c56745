# SPDX-License-Identifier: Apache-2.0
"""Writes a lowered graph as canonical ONNX: its layers, clamps as Relu or Clip, and Q/DQ.

Node names are layer names; inputs and outputs are called and shaped as in the model the graph came
from. A tensor keeps its name unless a port of another shape or rounding has it.

Behind an integer layer stands Q/DQ before a clip and again after it, with one scale: the same
numbers as a single rounding behind the clip, in a form that ONNX Runtime runs in integers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import helper

from flexcc.frontend.export_layer import write_layer
from flexcc.frontend.nodes import NodeWriter
from flexcc.ir.graph import Graph, Port
from flexcc.ir.layers import Clamp, Layer, clamp_of
from flexcc.ir.requantize import quantized_clamp
from flexcc.ir.types import Quantization, TensorType

__all__ = ["IR_VERSION", "OPSET", "ExportedModel", "clamp_name", "export_model"]

# Per-channel quantisation needs opset 13; ONNX Runtime reads these versions since 1.16.
OPSET = 17
IR_VERSION = 8
# int16 activations need opset 21, which ONNX Runtime reads since 1.18.
_WIDE_OPSET = 21
_WIDE_IR_VERSION = 10


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ExportedModel:
    """An ONNX model, and by tensor of the graph the name of its integers in it."""

    model: onnx.ModelProto
    integers: Mapping[str, str]


def export_model(graph: Graph) -> ExportedModel:
    """The ONNX model of a lowered graph: float, or with QuantizeLinear/DequantizeLinear.

    Raises:
        TypeError: a source layer, which the passes should have lowered.
    """
    wide = any(kind.quantization and kind.quantization.bits > 8 for kind in graph.tensors.values())
    opset = _WIDE_OPSET if wide else OPSET
    exporter = _Exporter(graph, opset)
    model = helper.make_model(
        exporter.body(),
        producer_name="flexcc",
        opset_imports=[helper.make_opsetid("", opset)],
        ir_version=_WIDE_IR_VERSION if wide else IR_VERSION,
    )
    onnx.checker.check_model(model, full_check=True)
    return ExportedModel(model=model, integers=exporter.integers)


def clamp_name(layer: str) -> str:
    """The name of the Relu or Clip node behind a layer."""
    return f"{layer}.clamp"


class _Exporter:
    """Nodes and initialisers of one graph."""

    def __init__(self, graph: Graph, opset: int) -> None:
        self.integers: dict[str, str] = {}
        self._graph = graph
        # The values of each tensor before its rounding and as its readers see them.
        self._plain: dict[str, str] = {}
        self._read: dict[str, str] = {}
        self._scales: dict[str, list[str]] = {}
        ports = {port.onnx_name for port in (*graph.inputs, *graph.outputs)}
        self._writer = NodeWriter(ports | graph.tensors.keys(), opset)
        direct = {port.tensor for port in graph.inputs if self._is_direct(port)}
        direct |= {
            port.tensor
            for port in graph.outputs
            if self._is_direct(port) and graph.tensors[port.tensor].quantization is None
        }
        for tensor in graph.tensors:
            keeps = tensor not in ports or tensor in direct
            self._plain[tensor] = tensor if keeps else self._writer.fresh(f"{tensor}.image")

    def body(self) -> onnx.GraphProto:
        """The whole graph."""
        graph = self._graph
        for port in graph.inputs:
            plain, tensor = self._plain[port.tensor], graph.tensors[port.tensor]
            if port.axes is None:
                self._adapt(port.onnx_name, plain, port.onnx_shape, _shape(tensor))
            else:
                order = [port.axes.index(axis) for axis in range(len(port.axes))]
                self._transpose(port.onnx_name, plain, order)
            self._finish(port.tensor)
        for layer in graph.layers:
            self._layer(layer)
        for port in graph.outputs:
            read, tensor = self._read[port.tensor], graph.tensors[port.tensor]
            if port.axes is None:
                self._adapt(read, port.onnx_name, _shape(tensor), port.onnx_shape)
            else:
                self._transpose(read, port.onnx_name, port.axes)
        return helper.make_graph(
            self._writer.nodes,
            graph.name,
            [_value_info(port) for port in graph.inputs],
            [_value_info(port) for port in graph.outputs],
            self._writer.initializers,
        )

    def _is_direct(self, port: Port) -> bool:
        """Whether the port has name and shape of its tensor."""
        shape = _shape(self._graph.tensors[port.tensor])
        return port.onnx_name == port.tensor and port.onnx_shape == shape and port.axes is None

    def _transpose(self, source: str, target: str, order: Sequence[int]) -> None:
        """Leads a port whose values stand in another order to its tensor or back."""
        self._writer.node("Transpose", [source], target, f"{target}.transpose", perm=list(order))

    def _adapt(self, source: str, target: str, shape: Sequence[int], wanted: Sequence[int]) -> None:
        """Leads a port to its tensor or back."""
        if tuple(shape) != tuple(wanted):
            dims = self._writer.constant(f"{target}.shape", np.array(wanted, np.int64))
            self._writer.node("Reshape", [source, dims], target, f"{target}.reshape")
        elif source != target:
            self._writer.node("Identity", [source], target, f"{target}.identity")

    def _finish(self, tensor: str) -> None:
        """Rounds a tensor whose plain values are there, if it is integer."""
        plain = self._plain[tensor]
        quantization = self._graph.tensors[tensor].quantization
        if quantization is None:
            self._read[tensor] = plain
        else:
            self.integers[tensor], self._read[tensor] = self._round(plain, tensor, quantization)

    def _round(self, plain: str, tensor: str, quantization: Quantization) -> tuple[str, str]:
        """Q/DQ behind a value, with the scale of a tensor; names of the integers and reals."""
        if tensor not in self._scales:
            scale = np.array(quantization.scale, np.float32)
            zero_point = np.array(quantization.zero_point, quantization.dtype)
            self._scales[tensor] = [
                self._writer.constant(f"{tensor}.scale", scale),
                self._writer.constant(f"{tensor}.zero_point", zero_point),
            ]
        scales = self._scales[tensor]
        integers, reals = self._writer.fresh(f"{plain}.q"), self._writer.fresh(f"{plain}.dq")
        self._writer.node("QuantizeLinear", [plain, *scales], integers, f"{plain}.quantize")
        self._writer.node("DequantizeLinear", [integers, *scales], reals, f"{plain}.dequantize")
        return integers, reals

    def _layer(self, layer: Layer) -> None:
        target = self._plain[layer.output]
        quantization = self._graph.tensors[layer.output].quantization
        clamp = clamp_of(layer)
        clamped = clamp != Clamp()
        if quantization is not None:
            whole = quantization.low, quantization.high
            clamped = quantized_clamp(clamp, quantization) != whole
        plain = self._writer.fresh(f"{target}.unclamped") if clamped else target
        sources = [self._read[name] for name in layer.inputs]
        kinds = [self._graph.tensors[name] for name in layer.inputs]
        write_layer(self._writer, layer, kinds, sources, plain)
        if clamped:
            if quantization is not None:
                _, plain = self._round(plain, layer.output, quantization)
            self._clamp(layer.name, clamp, plain, target)
        self._finish(layer.output)

    def _clamp(self, layer: str, clamp: Clamp, source: str, target: str) -> None:
        if clamp == Clamp(low=0.0):
            self._writer.node("Relu", [source], target, clamp_name(layer))
            return
        bounds = [
            "" if bound is None else self._writer.constant(f"{layer}.{side}", np.array(bound, "f4"))
            for side, bound in (("low", clamp.low), ("high", clamp.high))
        ]
        self._writer.node("Clip", [source, *bounds], target, clamp_name(layer))


def _shape(tensor: TensorType) -> tuple[int, ...]:
    return 1, tensor.channels, tensor.height, tensor.width


def _value_info(port: Port) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(
        port.onnx_name, onnx.TensorProto.FLOAT, list(port.onnx_shape)
    )
