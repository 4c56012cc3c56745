# SPDX-License-Identifier: Apache-2.0
"""ONNX model to graph, with every problem told in one error."""

import onnx
from onnx import version_converter

from flexcc.errors import InputError
from flexcc.frontend.functions import inline_functions
from flexcc.frontend.source import read_source
from flexcc.frontend.walk import Walk
from flexcc.ir.graph import Graph

__all__ = ["import_model", "walk_model"]

# Models before it are converted to it; operators broadcast since.
_OLDEST_OPSET = 7
_OLDEST_IR = 3


def import_model(model: onnx.ModelProto) -> Graph:
    """The graph of a model: float, or integer where QuantizeLinear/DequantizeLinear pairs stand.

    It may hold source layers, which `flexcc.passes.lower` folds away.

    Raises:
        InputError: names everything in the model that is broken or not supported.
    """
    return walk_model(model).graph()


def walk_model(model: onnx.ModelProto) -> Walk:
    """What becomes of every node of a model.

    Raises:
        InputError: the model is damaged, incomplete, or of a version that is not supported.
    """
    _check_names(model.graph)
    opset = _check_versions(model)
    if opset < _OLDEST_OPSET:
        model, opset = _converted(model, opset), _OLDEST_OPSET
    return Walk(read_source(inline_functions(model), opset))


def _check_names(graph: onnx.GraphProto) -> None:
    """Damaged files hold names that are no text, which protobuf hands out as bytes."""
    names: list[object] = [graph.name, *(tensor.name for tensor in graph.initializer)]
    names += [value.name for value in (*graph.input, *graph.output)]
    for node in graph.node:
        names += [node.name, node.op_type, node.domain, *node.input, *node.output]
        names += [attribute.name for attribute in node.attribute]
    broken = next((name for name in names if not isinstance(name, str)), None)
    if broken is not None:
        raise InputError(f"the model is damaged: the name {broken!r} is no text; export it again")


def _check_versions(model: onnx.ModelProto) -> int:
    """The version of ONNX's own operator set."""
    if model.ir_version < _OLDEST_IR:
        raise InputError(
            f"the model has IR version {model.ir_version}, at least {_OLDEST_IR} is needed; export "
            "it again"
        )
    versions = [
        int(entry.version) for entry in model.opset_import if entry.domain in ("", "ai.onnx")
    ]
    newest = onnx.defs.onnx_opset_version()
    if not versions or not 1 <= versions[0] <= newest:
        found = f"operator set {versions[0]}" if versions else "no ONNX operator set"
        raise InputError(
            f"the model uses {found}; 1 to {newest} are supported, convert it with "
            "onnx.version_converter"
        )
    return versions[0]


def _converted(model: onnx.ModelProto, opset: int) -> onnx.ModelProto:
    """The model in the oldest operator set that the handlers read."""
    try:
        return version_converter.convert_version(model, _OLDEST_OPSET)
    except Exception as error:  # the library raises several kinds
        reason = str(error).strip().splitlines() or [repr(error)]
        raise InputError(
            f"the model uses operator set {opset} and onnx.version_converter cannot bring it to "
            f"{_OLDEST_OPSET}: {reason[0]}; export it again in a newer one"
        ) from error
