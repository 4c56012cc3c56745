# SPDX-License-Identifier: Apache-2.0
"""Evaluates nodes whose inputs are all known, with ONNX's own reference evaluator.

The reference evaluator and not ONNX Runtime or a model simplifier: it knows every operator of every
opset and every IR version, and it evaluates one node without rewriting anything around it.
"""

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import onnx
from numpy.typing import NDArray
from onnx.reference import ReferenceEvaluator

from flexcc.frontend.infer import constant_type, output_types
from flexcc.frontend.node import NodeError

__all__ = ["evaluate", "is_deterministic"]

# Twice the largest weights of any known CNN, the 411 MB of VGG's first fully connected layer.
_LARGEST_BYTES = 1 << 30

_RANDOM = frozenset(
    {
        "Bernoulli",
        "Multinomial",
        "RandomNormal",
        "RandomNormalLike",
        "RandomUniform",
        "RandomUniformLike",
    }
)


def is_deterministic(node: onnx.NodeProto) -> bool:
    """Whether the node is an ONNX operator whose outputs follow from its inputs alone."""
    has_subgraph = any(
        attribute.type in (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS)
        for attribute in node.attribute
    )
    return node.domain in ("", "ai.onnx") and node.op_type not in _RANDOM and not has_subgraph


def evaluate(
    node: onnx.NodeProto,
    inputs: Mapping[str, NDArray[Any]],
    opsets: Sequence[onnx.OperatorSetIdProto],
) -> list[NDArray[Any] | None]:
    """The outputs of one node for constant inputs; None for an output without a name.

    Raises:
        NodeError: the node cannot be evaluated, or would make more values than any CNN has.
    """
    _refuse_huge(node, inputs, opsets)
    outputs = [name for name in node.output if name]
    graph = onnx.helper.make_graph(
        [node],
        "constant",
        [
            onnx.helper.make_tensor_value_info(
                name, onnx.helper.np_dtype_to_tensor_dtype(array.dtype), array.shape
            )
            for name, array in inputs.items()
        ],
        [onnx.helper.make_empty_tensor_value_info(name) for name in outputs],
    )
    try:
        evaluator = ReferenceEvaluator(onnx.helper.make_model(graph, opset_imports=opsets))
        results = evaluator.run(None, dict(inputs))
    except Exception as error:  # whatever the operator's implementation raises on wrong constants
        reason = str(error).strip().splitlines()
        raise NodeError(
            f"its constant inputs cannot be evaluated: {reason[0] if reason else error!r}"
        ) from error
    found = dict(zip(outputs, results, strict=True))
    return [found.get(name) for name in node.output]


def _refuse_huge(
    node: onnx.NodeProto,
    inputs: Mapping[str, NDArray[Any]],
    opsets: Sequence[onnx.OperatorSetIdProto],
) -> None:
    types = {name: constant_type(array) for name, array in inputs.items()}
    for kind, shape in output_types(node, types, inputs, opsets).values():
        size = onnx.helper.tensor_dtype_to_np_dtype(kind).itemsize * prod(shape)
        if size > _LARGEST_BYTES:
            raise NodeError(
                f"its constant inputs make a tensor of shape {list(shape)}, more than "
                f"{_LARGEST_BYTES >> 20} MiB; a shape in the model is wrong"
            )
