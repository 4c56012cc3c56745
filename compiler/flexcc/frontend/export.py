# SPDX-License-Identifier: Apache-2.0
"""Writes a lowered graph as canonical ONNX: Conv, ConvTranspose, Relu or Clip, MaxPool, and Q/DQ.

Node names are layer names; inputs and outputs are called and shaped as in the model the graph came
from. A tensor keeps its name unless a port of another shape or rounding has it.

Behind an integer convolution stands Q/DQ before a clip and again after it, with one scale: the same
numbers as a single rounding behind the clip, in a form that ONNX Runtime runs in integers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from flexcc.frontend.transposed_weights import to_onnx
from flexcc.ir.graph import Graph, Port
from flexcc.ir.layers import Clamp, Convolution, ConvTranspose2d, MaxPool2d, Pads
from flexcc.ir.requantize import quantized_clamp
from flexcc.ir.types import Quantization, TensorType

__all__ = ["IR_VERSION", "OPSET", "ExportedModel", "clamp_name", "export_model"]

# Per-channel quantisation needs opset 13; ONNX Runtime reads these versions since 1.16.
OPSET = 17
IR_VERSION = 8


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ExportedModel:
    """An ONNX model, and by tensor of the graph the name of its int8 values in it."""

    model: onnx.ModelProto
    integers: Mapping[str, str]


def export_model(graph: Graph) -> ExportedModel:
    """The ONNX model of a lowered graph: float, or with QuantizeLinear/DequantizeLinear.

    Raises:
        TypeError: a source layer, which the passes should have lowered.
    """
    exporter = _Exporter(graph)
    model = helper.make_model(
        exporter.body(),
        producer_name="flexcc",
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
    )
    onnx.checker.check_model(model, full_check=True)
    return ExportedModel(model=model, integers=exporter.integers)


def clamp_name(layer: str) -> str:
    """The name of the Relu or Clip node behind a convolution."""
    return f"{layer}.clamp"


class _Exporter:
    """Nodes and initialisers of one graph."""

    def __init__(self, graph: Graph) -> None:
        self.integers: dict[str, str] = {}
        self._graph = graph
        self._nodes: list[onnx.NodeProto] = []
        self._initializers: list[onnx.TensorProto] = []
        # The values of each tensor before its rounding and as its readers see them.
        self._plain: dict[str, str] = {}
        self._read: dict[str, str] = {}
        self._scales: dict[str, list[str]] = {}
        ports = {port.onnx_name for port in (*graph.inputs, *graph.outputs)}
        self._taken: set[str] = ports | graph.tensors.keys()
        direct = {port.tensor for port in graph.inputs if self._is_direct(port)}
        direct |= {
            port.tensor
            for port in graph.outputs
            if self._is_direct(port) and graph.tensors[port.tensor].quantization is None
        }
        for tensor in graph.tensors:
            keeps = tensor not in ports or tensor in direct
            self._plain[tensor] = tensor if keeps else self._fresh(f"{tensor}.image")

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
            match layer:
                case Convolution():
                    self._conv(layer)
                case MaxPool2d():
                    self._max_pool(layer)
                case _:
                    raise TypeError(f"{layer.name}: {type(layer).__name__} has no canonical form")
        for port in graph.outputs:
            read, tensor = self._read[port.tensor], graph.tensors[port.tensor]
            if port.axes is None:
                self._adapt(read, port.onnx_name, _shape(tensor), port.onnx_shape)
            else:
                self._transpose(read, port.onnx_name, port.axes)
        return helper.make_graph(
            self._nodes,
            graph.name,
            [_value_info(port) for port in graph.inputs],
            [_value_info(port) for port in graph.outputs],
            self._initializers,
        )

    def _is_direct(self, port: Port) -> bool:
        """Whether the port has name and shape of its tensor."""
        shape = _shape(self._graph.tensors[port.tensor])
        return port.onnx_name == port.tensor and port.onnx_shape == shape and port.axes is None

    def _transpose(self, source: str, target: str, order: Sequence[int]) -> None:
        """Leads a port whose values stand in another order to its tensor or back."""
        self._node("Transpose", [source], target, f"{target}.transpose", perm=list(order))

    def _adapt(self, source: str, target: str, shape: Sequence[int], wanted: Sequence[int]) -> None:
        """Leads a port to its tensor or back."""
        if tuple(shape) != tuple(wanted):
            dims = self._constant(f"{target}.shape", np.array(wanted, np.int64))
            self._node("Reshape", [source, dims], target, f"{target}.reshape")
        elif source != target:
            self._node("Identity", [source], target, f"{target}.identity")

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
            zero_point = np.array(quantization.zero_point, np.int8)
            self._scales[tensor] = [
                self._constant(f"{tensor}.scale", scale),
                self._constant(f"{tensor}.zero_point", zero_point),
            ]
        scales = self._scales[tensor]
        integers, reals = self._fresh(f"{plain}.q"), self._fresh(f"{plain}.dq")
        self._node("QuantizeLinear", [plain, *scales], integers, f"{plain}.quantize")
        self._node("DequantizeLinear", [integers, *scales], reals, f"{plain}.dequantize")
        return integers, reals

    def _conv(self, conv: Convolution) -> None:
        target = self._plain[conv.output]
        quantization = self._graph.tensors[conv.output].quantization
        clamped = conv.clamp != Clamp()
        if quantization is not None:
            clamped = quantized_clamp(conv.clamp, quantization) != (-128, 127)
        plain = self._fresh(f"{target}.unclamped") if clamped else target
        extra = (
            {"output_padding": list(conv.output_padding)}
            if isinstance(conv, ConvTranspose2d)
            else {}
        )
        self._node(
            "ConvTranspose" if isinstance(conv, ConvTranspose2d) else "Conv",
            [self._read[conv.inputs[0]], *self._parameters(conv)],
            plain,
            conv.name,
            kernel_shape=list(conv.weight.shape[2:]),
            strides=list(conv.strides),
            dilations=list(conv.dilations),
            group=conv.groups,
            pads=_pads(conv.pads),
            **extra,
        )
        if clamped:
            if quantization is not None:
                _, plain = self._round(plain, conv.output, quantization)
            self._clamp(conv, plain, target)
        self._finish(conv.output)

    def _parameters(self, conv: Convolution) -> list[str]:
        """Names of weights and bias, dequantised if they are integer."""
        transposed = isinstance(conv, ConvTranspose2d)
        values = to_onnx(conv.weight, conv.groups) if transposed else conv.weight
        weight = self._constant(f"{conv.name}.weight", values)
        scale, source = conv.weight_scale, self._graph.tensors[conv.inputs[0]].quantization
        if scale is None or source is None:
            return [weight, self._constant(f"{conv.name}.bias", conv.bias)]
        own = _of_one_group(conv, scale) if transposed else scale
        result = [self._dequantized(weight, own, np.int8, axis=1 if transposed else 0)]
        if conv.bias.dtype == np.int32:
            bias = self._constant(f"{conv.name}.bias", conv.bias)
            step = np.float32(source.scale) * scale
            return [*result, self._dequantized(bias, step, np.int32, axis=0)]
        real = (conv.bias * (np.float64(source.scale) * scale)).astype(np.float32)
        return [*result, self._constant(f"{conv.name}.bias", real)]

    def _dequantized(
        self,
        name: str,
        scale: NDArray[np.float32],
        kind: type[np.int8] | type[np.int32],
        *,
        axis: int,
    ) -> str:
        parameters = [
            self._constant(f"{name}.scale", scale),
            self._constant(f"{name}.zero_point", np.zeros(scale.shape, kind)),
        ]
        target = self._fresh(f"{name}.dq")
        self._node("DequantizeLinear", [name, *parameters], target, f"{name}.dequantize", axis=axis)
        return target

    def _clamp(self, conv: Convolution, source: str, target: str) -> None:
        if conv.clamp == Clamp(low=0.0):
            self._node("Relu", [source], target, clamp_name(conv.name))
            return
        bounds = [
            "" if bound is None else self._constant(f"{conv.name}.{side}", np.array(bound, "f4"))
            for side, bound in (("low", conv.clamp.low), ("high", conv.clamp.high))
        ]
        self._node("Clip", [source, *bounds], target, clamp_name(conv.name))

    def _max_pool(self, pool: MaxPool2d) -> None:
        self._node(
            "MaxPool",
            [self._read[pool.inputs[0]]],
            self._plain[pool.output],
            pool.name,
            kernel_shape=list(pool.kernel),
            strides=list(pool.strides),
            dilations=list(pool.dilations),
            pads=_pads(pool.pads),
        )
        self._finish(pool.output)

    def _node(
        self, op: str, sources: Sequence[str], target: str, name: str, **attributes: Any
    ) -> None:
        self._nodes.append(helper.make_node(op, sources, [target], name=name, **attributes))

    def _constant(self, name: str, array: NDArray[Any]) -> str:
        name = self._fresh(name)
        self._initializers.append(numpy_helper.from_array(array, name))
        return name

    def _fresh(self, name: str) -> str:
        """`name`, or a variant of it that no other value has."""
        while name in self._taken:
            name += "_"
        self._taken.add(name)
        return name


def _of_one_group(conv: Convolution, scale: NDArray[np.float32]) -> NDArray[np.float32]:
    """The weight scales of a transposed convolution, one per output channel of a group."""
    groups = np.reshape(scale, (conv.groups, -1))
    if (groups != groups[:1]).any():
        raise ValueError(f"{conv.name}: its groups do not share their weight scales, as in ONNX")
    first: NDArray[np.float32] = groups[0]
    return first


def _shape(tensor: TensorType) -> tuple[int, ...]:
    return 1, tensor.channels, tensor.height, tensor.width


def _value_info(port: Port) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(
        port.onnx_name, onnx.TensorProto.FLOAT, list(port.onnx_shape)
    )


def _pads(pads: Pads) -> list[int]:
    return [pads.top, pads.left, pads.bottom, pads.right]
