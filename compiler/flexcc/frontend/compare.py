# SPDX-License-Identifier: Apache-2.0
"""Compares the integer reference with ONNX Runtime, layer by layer on ONNX Runtime's own integers.

ONNX Runtime optimises the model at level ORT_ENABLE_EXTENDED, where quantised convolutions become
QLinearConv; the optimised model then runs as it is with every layer's integers as outputs, for an
output in the middle would keep ONNX Runtime from fusing. On processors without VNNI its default
kernels saturate sums of uint8 times int8 products; the session settings here choose those that do
not.
"""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime  # type: ignore[import-untyped]
from numpy.typing import NDArray
from onnx import helper

from flexcc import reference
from flexcc.frontend.export import ExportedModel, export_model
from flexcc.frontend.ties import rounding_ties
from flexcc.ir.affine import quantize_array
from flexcc.ir.graph import Graph
from flexcc.ir.layers import Layer, Select
from flexcc.ir.types import Integers

__all__ = ["Comparison", "TensorComparison", "compare", "optimized", "source_integers"]

SHARE_EQUAL = 0.9999
"""Of the elements that are no rounding ties, at least this share must be equal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorComparison:
    """Elements of one tensor: all, rounding ties, and how many of each are equal."""

    name: str
    elements: int
    equal: int
    ties: int
    equal_ties: int
    largest_difference: int

    @property
    def share_equal(self) -> float:
        """The share of equal elements among those that are no ties; 1 if there are none."""
        rest = self.elements - self.ties
        return (self.equal - self.equal_ties) / rest if rest else 1.0

    def __add__(self, other: "TensorComparison") -> "TensorComparison":
        return TensorComparison(
            name=self.name,
            elements=self.elements + other.elements,
            equal=self.equal + other.equal,
            ties=self.ties + other.ties,
            equal_ties=self.equal_ties + other.equal_ties,
            largest_difference=max(self.largest_difference, other.largest_difference),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Inputs and layers, each computed from ONNX Runtime's integers, and the outputs end to end."""

    layers: tuple[TensorComparison, ...]
    outputs: tuple[TensorComparison, ...]

    def total(self) -> TensorComparison:
        """The sum over all layers."""
        first, *rest = self.layers
        return sum(rest, start=first)

    def problems(self) -> list[str]:
        """Layers further apart than one step, or with too few equal elements; a line each."""
        return [
            f"{layer.name}: differs by up to {layer.largest_difference}, "
            f"{layer.share_equal:.4%} equal but for {layer.ties} ties"
            for layer in self.layers
            if layer.largest_difference > 1 or layer.share_equal < SHARE_EQUAL
        ]

    def __str__(self) -> str:
        lines = [
            f"{layer.name}: {layer.share_equal:.4%} of {layer.elements - layer.ties} equal, "
            f"{layer.equal_ties} of {layer.ties} ties, largest difference "
            f"{layer.largest_difference}"
            for layer in self.layers
        ]
        lines += [
            f"{output.name}, end to end: {output.equal / output.elements:.4%} of "
            f"{output.elements} equal, largest difference {output.largest_difference}"
            for output in self.outputs
        ]
        return "\n".join(lines)


def compare(
    graph: Graph,
    inputs: Mapping[str, NDArray[np.float32]],
    exported: ExportedModel | None = None,
) -> Comparison:
    """Runs both on real inputs [K,C,H,W] by tensor name.

    `exported` is the model to run; by default the canonical one of the lowered integer `graph`.
    """
    if exported is None:
        graph = _in_order(graph)
        exported = export_model(graph)
    theirs = _run(graph, exported, inputs)
    ours = {
        port.tensor: quantize_array(inputs[port.tensor], _quantization(graph, port.tensor))
        for port in graph.inputs
    }
    layers = [
        _compare(name, quantized, theirs[name], np.zeros(quantized.shape, np.bool_))
        for name, quantized in ours.items()
    ]
    for layer in graph.layers:
        if layer.output in theirs:
            layers.append(_layer(graph, layer, theirs))
        else:
            theirs[layer.output] = _result(graph, layer, theirs)
    end = reference.run(graph, ours)
    outputs = [
        _compare(
            port.onnx_name,
            end[port.tensor],
            theirs[port.tensor],
            np.zeros(end[port.tensor].shape, np.bool_),
        )
        for port in graph.outputs
    ]
    return Comparison(layers=tuple(layers), outputs=tuple(outputs))


def _in_order(graph: Graph) -> Graph:
    """The graph without transposes at its ports, across which ONNX Runtime moves roundings."""
    inputs, outputs = (
        tuple(
            port
            if port.axes is None
            else replace(port, axes=None, onnx_shape=(1, *_shape(graph, port.tensor)))
            for port in ports
        )
        for ports in (graph.inputs, graph.outputs)
    )
    return replace(graph, inputs=inputs, outputs=outputs)


def source_integers(model: onnx.ModelProto, graph: Graph) -> ExportedModel:
    """A QDQ model from elsewhere and where the tensors of its lowered graph are in it.

    Channels that are read again, which the model does not have, have no place and follow from what
    they repeat.

    Raises:
        KeyError: another tensor has no QuantizeLinear.
    """
    quantized = {
        node.input[0]: node.output[0]
        for node in model.graph.node
        if node.op_type == "QuantizeLinear"
    }
    # A tensor that is rounded again is called as its integers.
    again = {name: name for name in quantized.values()}
    integers = {**again, **quantized}
    repeated = {layer.output for layer in graph.layers if isinstance(layer, Select)}
    places = {n: integers[n] for n in graph.tensors if n in integers or n not in repeated}
    return ExportedModel(model=model, integers=places)


def _result(graph: Graph, layer: Layer, known: Mapping[str, Integers]) -> Integers:
    sources, target = [graph.tensors[name] for name in layer.inputs], graph.tensors[layer.output]
    return reference.run_layer(layer, sources, target, [known[name] for name in layer.inputs])


def _layer(graph: Graph, layer: Layer, theirs: Mapping[str, Integers]) -> TensorComparison:
    sources, target = [graph.tensors[name] for name in layer.inputs], graph.tensors[layer.output]
    inputs = [theirs[name] for name in layer.inputs]
    result = _result(graph, layer, theirs)
    ties = rounding_ties(layer, sources, target, inputs)
    return _compare(layer.name, result, theirs[layer.output], ties)


def _compare(
    name: str, ours: Integers, theirs: Integers, ties: NDArray[np.bool_]
) -> TensorComparison:
    difference = np.abs(ours.astype(np.int32) - theirs)
    equal = difference == 0
    return TensorComparison(
        name=name,
        elements=equal.size,
        equal=int(equal.sum()),
        ties=int(ties.sum()),
        equal_ties=int((equal & ties).sum()),
        largest_difference=int(difference.max(initial=0)),
    )


def _run(
    graph: Graph, exported: ExportedModel, inputs: Mapping[str, NDArray[np.float32]]
) -> dict[str, Integers]:
    """ONNX Runtime's integers [K,C,H,W] of every tensor, one image at a time."""
    model = optimized(exported.model)
    kinds = _integer_types(model)
    for name in dict.fromkeys(exported.integers.values()):
        model.graph.output.append(helper.make_tensor_value_info(name, kinds[name], None))
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), _options("ORT_DISABLE_ALL"), providers=["CPUExecutionProvider"]
    )
    names = list(exported.integers.values())
    shapes = {name: _shape(graph, name) for name in graph.tensors}
    images = []
    for index in range(min(len(array) for array in inputs.values())):
        feed = {
            port.onnx_name: port.to_onnx(inputs[port.tensor][index : index + 1])
            .astype(np.float32)
            .reshape(port.onnx_shape)
            for port in graph.inputs
        }
        images.append(session.run(names, feed))
    return {
        tensor: _as_signed(np.stack([image[i].reshape(shapes[tensor]) for image in images]))
        for i, tensor in enumerate(exported.integers)
    }


def optimized(model: onnx.ModelProto) -> onnx.ModelProto:
    """What ONNX Runtime makes of a QDQ model before it runs it."""
    options = _options("ORT_ENABLE_EXTENDED")
    unsigned = onnx.TensorProto.UINT8 in _integer_types(model).values()
    # Either keeps int8 tensors as they are, or makes the weights uint8 as well.
    setting = "session.x64quantprecision" if unsigned else "session.qdqisint8allowed"
    options.add_session_config_entry(setting, "1")
    with tempfile.TemporaryDirectory(prefix="flexcc-compare-") as folder:
        path = Path(folder) / "optimized.onnx"
        options.optimized_model_filepath = str(path)
        onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        return onnx.load(path)


def _options(level: str) -> Any:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, level)
    options.intra_op_num_threads = 1
    # Saving an optimised model warns that it suits this machine.
    options.log_severity_level = 3
    return options


# Operators that make integers, and which input holds the zero point they are made with.
_ZERO_POINTS = {
    "QGemm": 8,
    "QLinearAdd": 7,
    "QLinearAveragePool": 4,
    "QLinearConcat": 1,
    "QLinearConv": 7,
    "QLinearGlobalAveragePool": 4,
    "QLinearLeakyRelu": 4,
    "QLinearMatMul": 7,
    "QLinearMul": 7,
    "QLinearSigmoid": 4,
    "QuantizeLinear": 2,
}
# Operators that pass on the integers they get.
_MOVES = (
    *("Concat", "DepthToSpace", "Gather", "MaxPool", "Pad", "ReduceMax", "Reshape", "Resize"),
    *("Slice", "SpaceToDepth"),
)


def _integer_types(model: onnx.ModelProto) -> dict[str, int]:
    """Element type of every value that a quantised operator of the model makes."""
    constants = {tensor.name: tensor.data_type for tensor in model.graph.initializer}
    kinds: dict[str, int] = {}
    for node in model.graph.node:
        if node.op_type in _ZERO_POINTS:
            kinds[node.output[0]] = constants[node.input[_ZERO_POINTS[node.op_type]]]
        elif node.op_type in _MOVES and node.input[0] in kinds:
            kinds[node.output[0]] = kinds[node.input[0]]
    return kinds


def _as_signed(values: NDArray[Any]) -> Integers:
    if values.dtype == np.uint8:
        return (values.astype(np.int16) - 128).astype(np.int8)
    if values.dtype == np.uint16:
        return (values.astype(np.int32) - 32768).astype(np.int16)
    return values.astype(np.int16 if values.dtype == np.int16 else np.int8, casting="no")


def _shape(graph: Graph, tensor: str) -> tuple[int, int, int]:
    kind = graph.tensors[tensor]
    return kind.channels, kind.height, kind.width


def _quantization(graph: Graph, tensor: str) -> Any:
    return graph.tensors[tensor].quantization
