# SPDX-License-Identifier: Apache-2.0
"""A float graph in which every tensor is rounded as asked for, run by ONNX Runtime.

One session serves all assignments of bits to tensors: scales and limits are inputs of its model.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import onnxruntime  # type: ignore[import-untyped]
from numpy.typing import NDArray
from onnx import helper

from flexcc.frontend.export import export_model
from flexcc.frontend.observe import plain_ports
from flexcc.ir.graph import Graph
from flexcc.ir.types import Quantization

__all__ = ["Simulation"]

Floats = NDArray[np.float32]

_LOG_FATAL = 4


class Simulation:
    """A lowered float graph whose tensors `rounded` go through integers and back."""

    def __init__(self, graph: Graph, rounded: Sequence[str]) -> None:
        """Builds the session; tensors that are not `rounded` take what their layer makes."""
        self._outputs = list(dict.fromkeys(port.tensor for port in graph.outputs))
        self._rounded = tuple(rounded)
        model = export_model(plain_ports(graph)).model
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = _LOG_FATAL
        self._session = onnxruntime.InferenceSession(
            _with_rounding(model, self._rounded).SerializeToString(),
            options,
            providers=["CPUExecutionProvider"],
        )

    def run(
        self, sample: Mapping[str, Floats], scales: Mapping[str, Quantization]
    ) -> dict[str, Floats]:
        """The outputs [1,C,H,W] by tensor for inputs [1,C,H,W] and a quantisation per tensor."""
        feed: dict[str, Any] = dict(sample)
        for tensor in self._rounded:
            quantization = scales[tensor]
            limits = {
                "scale": quantization.scale,
                "low": quantization.low - quantization.zero_point,
                "high": quantization.high - quantization.zero_point,
            }
            feed |= {f"{tensor}.{name}": np.array(value, "f4") for name, value in limits.items()}
        names = [f"{tensor}.out" for tensor in self._outputs]
        return dict(zip(self._outputs, self._session.run(names, feed), strict=True))


def _with_rounding(model: onnx.ModelProto, tensors: Sequence[str]) -> onnx.ModelProto:
    """The model in which all readers see round(x / scale), clipped to low..high, times scale."""
    result = onnx.ModelProto()
    result.CopyFrom(model)
    graph = result.graph
    seen = {tensor: f"{tensor}.rounded" for tensor in tensors}
    nodes = [node for tensor in tensors if _is_input(graph, tensor) for node in _round(tensor)]
    for node in graph.node:
        copy = onnx.NodeProto()
        copy.CopyFrom(node)
        copy.input[:] = [seen.get(name, name) for name in node.input]
        nodes.append(copy)
        nodes += [each for name in node.output if name in seen for each in _round(name)]
    # Under names of their own: a graph output may not be optimised away or renamed.
    outputs = [output.name for output in graph.output]
    nodes += [
        helper.make_node("Identity", [seen.get(name, name)], [f"{name}.out"]) for name in outputs
    ]
    del graph.node[:], graph.output[:]
    graph.node.extend(nodes)
    graph.output.extend(
        helper.make_tensor_value_info(f"{name}.out", onnx.TensorProto.FLOAT, None)
        for name in outputs
    )
    graph.input.extend(
        helper.make_tensor_value_info(f"{tensor}.{what}", onnx.TensorProto.FLOAT, [])
        for tensor in tensors
        for what in ("scale", "low", "high")
    )
    return result


def _is_input(graph: onnx.GraphProto, name: str) -> bool:
    return any(value.name == name for value in graph.input)


def _round(tensor: str) -> list[onnx.NodeProto]:
    steps, whole, kept = (f"{tensor}.{step}" for step in ("steps", "whole", "kept"))
    limits = [f"{tensor}.low", f"{tensor}.high"]
    return [
        helper.make_node("Div", [tensor, f"{tensor}.scale"], [steps]),
        helper.make_node("Round", [steps], [whole]),
        helper.make_node("Clip", [whole, *limits], [kept]),
        helper.make_node("Mul", [kept, f"{tensor}.scale"], [f"{tensor}.rounded"]),
    ]
