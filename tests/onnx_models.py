# SPDX-License-Identifier: Apache-2.0
"""Small ONNX models for tests, and running them in ONNX Runtime."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import onnxruntime  # type: ignore[import-untyped]
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from flexcc import reference
from flexcc.frontend import import_model
from flexcc.frontend.network import Network
from flexcc.ir.affine import dequantize_array, quantize_array
from flexcc.ir.graph import Graph
from flexcc.passes import lower

__all__ = ["assert_imports_like_onnx_runtime", "make_model", "node", "run_network", "run_onnx"]

Shape = Sequence[int | str | None]


def node(
    op: str, inputs: str, outputs: str, name: str | None = None, **attributes: Any
) -> onnx.NodeProto:
    """A node; inputs and outputs are split at spaces, `-` is an omitted one."""
    sources, results = (
        ["" if part == "-" else part for part in text.split()] for text in (inputs, outputs)
    )
    label = f"{op.lower()}_1" if name is None else name
    return helper.make_node(op, sources, results, name=label, **attributes)


def make_model(
    nodes: Sequence[onnx.NodeProto],
    constants: Mapping[str, NDArray[Any]] | None = None,
    *,
    shape: Shape | None = (1, 3, 6, 7),
    opset: int = 13,
    ir_version: int = 8,
    outputs: str = "y",
    kind: int = TensorProto.FLOAT,
) -> onnx.ModelProto:
    """A model with the input `x`; float64 constants become float32."""
    arrays = {
        name: array.astype(np.float32) if array.dtype == np.float64 else array
        for name, array in (constants or {}).items()
    }
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs.split()],
        [numpy_helper.from_array(array, name) for name, array in arrays.items()],
    )
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir_version
    )


def run_onnx(
    model: onnx.ModelProto, inputs: Mapping[str, NDArray[np.float32]]
) -> dict[str, NDArray[Any]]:
    """The outputs of ONNX Runtime, without any optimisation."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, dict(inputs)), strict=True))


def run_network(network: Network, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """The outputs of host and reference together, for one image; float or integer."""
    graph, host = lower(network.graph), network.host
    known = dict(inputs) if host is None else host.before(inputs)
    scales = {
        name: kind.quantization
        for name, kind in graph.tensors.items()
        if kind.quantization is not None
    }
    images: dict[str, NDArray[np.float32]] = {}
    for port in graph.inputs:
        kind = graph.tensors[port.tensor]
        shape = (1, kind.channels, kind.height, kind.width)
        images[port.tensor] = port.from_onnx(known[port.onnx_name]).reshape(shape)
    tensors: dict[str, NDArray[Any]] = {}
    if scales:
        integers = {name: quantize_array(image, scales[name]) for name, image in images.items()}
        for name, values in reference.run(graph, integers).items():
            tensors[name] = dequantize_array(values, scales[name])
    else:
        tensors |= reference.run_float(graph, images)
    made = {}
    for port in graph.outputs:
        real = port.to_onnx(tensors[port.tensor].astype(np.float32))
        made[port.onnx_name] = real.reshape(port.onnx_shape)
    return made if host is None else host.after({**known, **made})


def assert_imports_like_onnx_runtime(
    model: onnx.ModelProto, rng: np.random.Generator, *, lowered: bool = True
) -> Graph:
    """Imports (and lowers) a float model, and compares it with ONNX Runtime on random data."""
    graph = import_model(model)
    graph = lower(graph) if lowered else graph
    data = {
        port.onnx_name: rng.normal(size=port.onnx_shape).astype(np.float32) for port in graph.inputs
    }
    expected = run_onnx(model, data)
    images = {}
    for port in graph.inputs:
        size = graph.tensors[port.tensor]
        images[port.tensor] = port.from_onnx(data[port.onnx_name]).reshape(
            1, size.channels, size.height, size.width
        )
    tensors = reference.run_float(graph, images)
    for port in graph.outputs:
        assert port.onnx_shape == expected[port.onnx_name].shape
        np.testing.assert_allclose(
            port.to_onnx(tensors[port.tensor]).reshape(port.onnx_shape),
            expected[port.onnx_name],
            rtol=1e-4,
            atol=1e-4,
        )
    return graph
