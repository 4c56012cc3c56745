# SPDX-License-Identifier: Apache-2.0
"""ONNX model to graph: checks, walks the nodes, and tells every problem in one error."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import version_converter

from flexcc.errors import InputError
from flexcc.frontend.builder import GraphBuilder
from flexcc.frontend.constants import evaluate, is_deterministic
from flexcc.frontend.functions import inline_functions
from flexcc.frontend.inputs import input_shape, real_inputs
from flexcc.frontend.node import AlreadyToldError, ModelInputError, Node, NodeError
from flexcc.frontend.order import describe, label_nodes, needed_nodes
from flexcc.frontend.registry import HANDLERS
from flexcc.frontend.transpose import input_axes
from flexcc.frontend.values import Activation, Constant, QuantizedConstant, Unusable, Value
from flexcc.ir.graph import Graph, Port
from flexcc.ir.verify import verify

__all__ = ["import_model"]

# Models before it are converted to it; operators broadcast since.
_OLDEST_OPSET = 7
_OLDEST_IR = 3


def import_model(model: onnx.ModelProto) -> Graph:
    """The graph of a model: float, or integer where QuantizeLinear/DequantizeLinear pairs stand.

    It may hold source layers, which `flexcc.passes.lower` folds away.

    Raises:
        InputError: names everything in the model that is broken or not supported.
    """
    _check_names(model.graph)
    opset = _check_versions(model)
    if opset < _OLDEST_OPSET:
        model, opset = _converted(model, opset), _OLDEST_OPSET
    model = inline_functions(model)
    walk = _Walk(model, opset)
    return walk.graph()


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


class _Walk:
    """One walk over the nodes of a model."""

    def __init__(self, model: onnx.ModelProto, opset: int) -> None:
        self._model = model
        self._opset = opset
        self._build = GraphBuilder()
        self._values: dict[str, Value] = {}
        self._problems: list[str] = []
        self._refused = 0
        self._inputs: list[Port] = []

    def graph(self) -> Graph:
        """The verified graph of the model."""
        proto = self._model.graph
        self._read_initialisers(proto)
        given = {value.name for value in proto.input} | self._values.keys()
        nodes = needed_nodes(proto, given)
        read = {name for node in nodes for name in node.input}
        read |= {value.name for value in proto.output}
        self._read_inputs(proto, read, nodes)
        for node, label in zip(nodes, label_nodes(nodes), strict=True):
            self._walk(node, label, read)
        outputs = [port for port in map(self._output, proto.output) if port is not None]
        if not self._problems:
            self._problems = self._build.quantization_problems()
        self._raise_problems()
        if not self._inputs or not outputs:
            missing = "inputs that it uses" if outputs else "outputs"
            raise InputError(f"the model has no {missing}; export it again")
        graph = Graph(
            name=proto.name or "model",
            inputs=tuple(self._inputs),
            outputs=tuple(outputs),
            tensors=self._build.tensors,
            layers=tuple(self._build.layers),
        )
        verify(graph)
        return graph

    def _read_initialisers(self, proto: onnx.GraphProto) -> None:
        if proto.sparse_initializer:
            raise InputError("sparse initialisers are not supported; export dense weights")
        for tensor in proto.initializer:
            if tensor.name in self._values:
                raise InputError(f"two initialisers are called '{tensor.name}'; export again")
            self._values[tensor.name] = Constant(name=tensor.name, array=_array(tensor))

    def _read_inputs(
        self, proto: onnx.GraphProto, read: set[str], nodes: Sequence[onnx.NodeProto]
    ) -> None:
        readers: dict[str, list[onnx.NodeProto]] = {}
        for node in nodes:
            for name in node.input:
                readers.setdefault(name, []).append(node)
        for output in proto.output:
            readers.pop(output.name, None)
        for value in real_inputs(proto):
            if value.name in self._values:
                raise InputError(f"two inputs are called '{value.name}'; export the model again")
            if value.name not in read:
                continue
            try:
                shape = input_shape(value)
                axes = input_axes(value.name, readers) if len(shape) == 4 else None
                self._values[value.name] = self._build.add_input(value.name, shape, axes)
            except (InputError, NodeError) as error:
                reason = (
                    str(error)
                    if isinstance(error, InputError)
                    else f"input '{value.name}': {error}"
                )
                self._values[value.name] = Unusable(name=value.name, reason=reason)
            else:
                self._inputs.append(
                    Port(tensor=value.name, onnx_name=value.name, onnx_shape=shape, axes=axes)
                )

    def _walk(self, node: onnx.NodeProto, label: str, read: set[str]) -> None:
        inputs = [self._values[name] if name else None for name in node.input]
        try:
            self._import(node, label, inputs, read)
        except AlreadyToldError:
            self._forget(node)
        except ModelInputError as problem:
            self._problems.append(str(problem))
            self._forget(node)
        except NodeError as problem:
            self._problems.append(f"{describe(node)}: {problem}")
            self._forget(node)

    def _import(
        self, node: onnx.NodeProto, label: str, inputs: Sequence[Value | None], read: set[str]
    ) -> None:
        is_constant = all(
            value is None or isinstance(value, Constant | QuantizedConstant) for value in inputs
        )
        if is_constant and node.op_type != "DequantizeLinear" and is_deterministic(node):
            self._fold(node, inputs)
            return
        handler = HANDLERS.get(node.op_type) if node.domain in ("", "ai.onnx") else None
        if handler is None:
            self._refused += 1
            raise NodeError("this operator is not supported")
        view = Node(
            node,
            label=label,
            opset=self._opset,
            inputs=inputs,
            used_outputs=[name in read for name in node.output],
            model_inputs={port.onnx_name for port in self._inputs},
        )
        self._values[node.output[0]] = handler(view, self._build)

    def _fold(self, node: onnx.NodeProto, inputs: Sequence[Value | None]) -> None:
        arrays = {
            name: value.real() if isinstance(value, QuantizedConstant) else value.array
            for name, value in zip(node.input, inputs, strict=True)
            if isinstance(value, Constant | QuantizedConstant)
        }
        results = evaluate(node, arrays, self._model.opset_import)
        for name, array in zip(node.output, results, strict=True):
            if array is not None:
                self._values[name] = Constant(name=name, array=np.asarray(array))

    def _forget(self, node: onnx.NodeProto) -> None:
        for name in node.output:
            self._values[name] = Unusable(name=name, reason=None)

    def _output(self, output: onnx.ValueInfoProto) -> Port | None:
        value = self._values[output.name]
        if isinstance(value, Unusable) and value.reason is None:
            return None
        if not isinstance(value, Activation):
            what = "integer" if hasattr(value, "quantization") else "a constant"
            remedy = "end with DequantizeLinear" if what == "integer" else "remove it"
            self._problems.append(f"output '{output.name}' is {what}; {remedy}")
            return None
        if self._build.is_input(value.tensor):
            self._problems.append(f"output '{output.name}' is the input '{value.tensor}' itself")
            return None
        self._build.read(f"output '{output.name}'", value)
        return Port(
            tensor=value.tensor, onnx_name=output.name, onnx_shape=value.shape, axes=value.axes
        )

    def _raise_problems(self) -> None:
        problems = list(dict.fromkeys(self._problems))
        if not problems:
            return
        if self._refused:
            problems.append(f"Supported are {', '.join(sorted(HANDLERS))}.")
        raise InputError("\n".join(["the model cannot be compiled:", *problems]))


def _array(tensor: onnx.TensorProto) -> NDArray[Any]:
    try:
        return onnx.numpy_helper.to_array(tensor)
    except Exception as error:  # the library raises several kinds on damaged tensors
        raise InputError(
            f"initialiser '{tensor.name}' is damaged: its data do not fill the shape "
            f"{list(tensor.dims)}; export the model again"
        ) from error
