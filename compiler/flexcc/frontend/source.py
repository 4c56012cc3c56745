# SPDX-License-Identifier: Apache-2.0
"""What a walk goes over: the nodes of a model, or of a part of it, and what they start from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import onnx
from numpy.typing import NDArray

from flexcc.errors import InputError
from flexcc.frontend.inputs import real_inputs
from flexcc.frontend.order import label_nodes, needed_nodes
from flexcc.frontend.qoperator import expand
from flexcc.frontend.values import Constant, QuantizedConstant

__all__ = ["Source", "read_source"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Source:
    """Nodes in topological order with a label each; `constants` are known before any node.

    `opset` is the version of ONNX's own operators, `opsets` those of all domains.
    """

    name: str
    nodes: Sequence[onnx.NodeProto]
    labels: Sequence[str]
    inputs: Sequence[onnx.ValueInfoProto]
    outputs: Sequence[onnx.ValueInfoProto]
    constants: Mapping[str, Constant | QuantizedConstant]
    opset: int
    opsets: Sequence[onnx.OperatorSetIdProto]


def read_source(model: onnx.ModelProto, opset: int) -> Source:
    """The nodes behind the outputs of a whole model.

    Raises:
        InputError: the model is incomplete, or gives two things one name.
    """
    graph = model.graph
    constants = _initialisers(graph)
    inputs: dict[str, onnx.ValueInfoProto] = {}
    for value in real_inputs(graph):
        if value.name in inputs:
            raise InputError(f"two inputs are called '{value.name}'; export the model again")
        inputs[value.name] = value
    needed = needed_nodes(graph, constants.keys() | inputs.keys())
    spelled = expand(needed, label_nodes(needed))
    return Source(
        name=graph.name or "model",
        nodes=[node for node, _ in spelled],
        labels=[label for _, label in spelled],
        inputs=list(inputs.values()),
        outputs=list(graph.output),
        constants=constants,
        opset=opset,
        opsets=list(model.opset_import),
    )


def _initialisers(graph: onnx.GraphProto) -> dict[str, Constant | QuantizedConstant]:
    if graph.sparse_initializer:
        raise InputError("sparse initialisers are not supported; export dense weights")
    found: dict[str, Constant | QuantizedConstant] = {}
    for tensor in graph.initializer:
        if tensor.name in found:
            raise InputError(f"two initialisers are called '{tensor.name}'; export again")
        found[tensor.name] = Constant(name=tensor.name, array=_array(tensor))
    return found


def _array(tensor: onnx.TensorProto) -> NDArray[Any]:
    try:
        return onnx.numpy_helper.to_array(tensor)
    except Exception as error:  # the library raises several kinds on damaged tensors
        raise InputError(
            f"initialiser '{tensor.name}' is damaged: its data do not fill the shape "
            f"{list(tensor.dims)}; export the model again"
        ) from error
