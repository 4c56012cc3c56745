# SPDX-License-Identifier: Apache-2.0
"""One walk over the nodes of a model: what becomes of each, and the graph they make."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np
import onnx

from flexcc.errors import InputError
from flexcc.frontend.arrange import ARRANGING_OPERATORS, arrange
from flexcc.frontend.builder import GraphBuilder
from flexcc.frontend.constants import evaluate, is_deterministic
from flexcc.frontend.infer import TypeAndShape, constant_type, output_types
from flexcc.frontend.inputs import InputTypeError, input_shape, input_type
from flexcc.frontend.integers import (
    MOVING_OPERATORS,
    as_integers,
    as_reals,
    import_clip_of_integers,
)
from flexcc.frontend.node import AlreadyToldError, ModelInputError, Node, NodeError
from flexcc.frontend.order import describe
from flexcc.frontend.registry import HANDLERS, no_handler, supported_operators
from flexcc.frontend.source import Source
from flexcc.frontend.transpose import input_axes
from flexcc.frontend.values import (
    Activation,
    Constant,
    Integers,
    QuantizedConstant,
    Unusable,
    Value,
)
from flexcc.ir.graph import Graph, Port
from flexcc.ir.verify import verify

__all__ = ["Fate", "Walk", "WalkedNode"]


class Fate(Enum):
    """What becomes of a node."""

    CONSTANT = "constant"
    """Its outputs are known at compile time."""
    IMPORTED = "imported"
    """It became layers, or a name or view of a tensor."""
    REFUSED = "refused"
    """It cannot be imported, for the reason given."""
    BLOCKED = "blocked"
    """It reads what a refused node makes, and no tensor can stand for that."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WalkedNode:
    """A node that the outputs need, its unique label, and what became of it.

    `is_of_input` tells that the reason is about an input of the model, and complete in itself.
    """

    proto: onnx.NodeProto
    label: str
    fate: Fate
    reason: str | None = None
    is_of_input: bool = False

    @property
    def problem(self) -> str:
        """The reason as a line of an error."""
        if self.is_of_input:
            return self.reason or ""
        return f"{describe(self.proto)}: {self.reason}"


class Walk:
    """One walk over the nodes of a model.

    What a refused node makes is taken as one more input, so that the nodes behind it are checked,
    too. `nodes` tells the fate of each, `values` what the names of the model stand for.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        self.nodes: list[WalkedNode] = []
        self.values: dict[str, Value] = dict(source.constants)
        names = {name for node in source.nodes for name in (*node.input, *node.output)}
        self._build = GraphBuilder(names.union(source.labels))
        self._inputs: list[Port] = []
        self._input_names = {value.name for value in source.inputs}
        # Stand for what refused nodes make.
        self._invented: set[str] = set()
        outputs = [value.name for value in source.outputs]
        self._read = {name for node in source.nodes for name in node.input} | set(outputs)
        # Who reads each value; what leaves the model has no readers here.
        self._readers: dict[str, list[onnx.NodeProto]] = {}
        for node in source.nodes:
            for name in node.input:
                self._readers.setdefault(name, []).append(node)
        for name in outputs:
            self._readers.pop(name, None)
        # Reshapes and transposes that lead to another one, by output.
        self._waiting: dict[str, tuple[onnx.NodeProto, str]] = {}
        self._read_inputs()
        for node, label in zip(source.nodes, source.labels, strict=True):
            self._walk(node, label)

    def graph(self) -> Graph:
        """The verified graph of the model.

        Raises:
            InputError: names everything in the model that is broken or not supported.
        """
        problems = [node.problem for node in self.nodes if node.fate is Fate.REFUSED]
        outputs = []
        for output in self.source.outputs:
            match self._output(output):
                case Port() as port:
                    outputs.append(port)
                case str() as problem:
                    problems.append(problem)
        self._raise(problems or self._build.quantization_problems())
        if not self._inputs or not outputs:
            missing = "inputs that it uses" if outputs else "outputs"
            raise InputError(f"the model has no {missing}; export it again")
        graph = Graph(
            name=self.source.name,
            inputs=tuple(self._inputs),
            outputs=tuple(outputs),
            tensors=self._build.tensors,
            layers=tuple(self._build.layers),
        )
        verify(graph)
        return graph

    def sketch(self) -> Graph:
        """The layers of all imported nodes, without ports and unverified."""
        return Graph(
            name=self.source.name,
            inputs=(),
            outputs=(),
            tensors=self._build.tensors,
            layers=tuple(self._build.layers),
        )

    def is_input(self, name: str) -> bool:
        """Whether a value is an input of the model."""
        return name in self._input_names

    def is_constant(self, name: str) -> bool:
        """Whether a value is known at compile time."""
        return isinstance(self.values.get(name), Constant | QuantizedConstant)

    def type_of(self, name: str) -> TypeAndShape | None:
        """Element type and shape of a value of the model, as far as they are known."""
        match self.values.get(name):
            case Constant(array=array):
                return constant_type(array)
            case QuantizedConstant(integers=integers):
                return onnx.TensorProto.FLOAT, integers.shape
            case Activation(shape=shape):
                return onnx.TensorProto.FLOAT, shape
            case Integers(shape=shape, unsigned=unsigned, quantization=quantization):
                sign = "UINT" if unsigned else "INT"
                return onnx.TensorProto.DataType.Value(f"{sign}{quantization.bits}"), shape
            case Unusable(type=known):
                return known
        return None

    def _read_inputs(self) -> None:
        for value in self.source.inputs:
            if value.name in self._read:
                self.values[value.name] = self._read_input(value)

    def _read_input(self, value: onnx.ValueInfoProto) -> Value:
        name = value.name
        try:
            shape = input_shape(value)
            axes = input_axes(name, self._readers) if len(shape) == 4 else None
            result = self._build.add_input(name, shape, axes)
        except InputTypeError as error:
            return Unusable(name=name, reason=str(error), type=input_type(value))
        except InputError as error:
            return Unusable(name=name, reason=str(error))
        except NodeError as error:
            return Unusable(name=name, reason=f"input '{name}': {error}", type=input_type(value))
        self._inputs.append(Port(tensor=name, onnx_name=name, onnx_shape=shape, axes=axes))
        return result

    def _walk(self, node: onnx.NodeProto, label: str) -> None:
        if self._only_leads_on(node):
            self._waiting[node.output[0]] = node, label
            return
        chain = [(node, label)]
        while _arranges(chain[0][0]) and chain[0][0].input[0] in self._waiting:
            chain.insert(0, self._waiting.pop(chain[0][0].input[0]))
        while chain:
            length = next((n for n in range(len(chain), 1, -1) if self._arrange(chain[:n])), 1)
            if length == 1:
                self._walk_alone(*chain[0])
            else:
                self.nodes += [
                    WalkedNode(proto=step, label=name, fate=Fate.IMPORTED)
                    for step, name in chain[:length]
                ]
            del chain[:length]

    def _only_leads_on(self, node: onnx.NodeProto) -> bool:
        """Whether a reshape or transpose has one reader, another of them."""
        readers = self._readers.get(node.output[0], []) if _arranges(node) else []
        return len(readers) == 1 and _arranges(readers[0]) and readers[0].input[0] == node.output[0]

    def _arrange(self, chain: Sequence[tuple[onnx.NodeProto, str]]) -> bool:
        """Imports reshapes and transposes as one movement of channels or pixels, if they are."""
        source = self.values.get(chain[0][0].input[0])
        if not isinstance(source, Activation | Integers):
            return False
        reals = as_reals(source) if isinstance(source, Integers) else source
        constants = [self.values.get(step.input[-1]) for step, _ in chain]
        shapes = [each.array if isinstance(each, Constant) else None for each in constants]
        steps = [(step, shape) for (step, _), shape in zip(chain, shapes, strict=True)]
        made = arrange(steps, chain[-1][1], reals, self._build)
        if made is None:
            return False
        result: Sequence[Value] = [made]
        if isinstance(source, Integers):
            result = as_integers(made, source, self._build)
        [self.values[chain[-1][0].output[0]]] = result
        return True

    def _walk_alone(self, node: onnx.NodeProto, label: str) -> None:
        inputs = [self.values[name] if name else None for name in node.input]
        reason, is_of_input = None, False
        try:
            self._import(node, label, inputs)
        except AlreadyToldError:
            fate, reason = Fate.BLOCKED, self._blockage(node)
            self._forget(node)
        except ModelInputError as problem:
            fate, reason, is_of_input = Fate.REFUSED, str(problem), True
            self._forget(node)
        except NodeError as problem:
            fate, reason = Fate.REFUSED, str(problem)
            self._forget(node)
        else:
            made = (self.values[name] for name in node.output if name in self.values)
            known = all(isinstance(value, Constant | QuantizedConstant) for value in made)
            fate = Fate.CONSTANT if known else Fate.IMPORTED
        self.nodes.append(
            WalkedNode(proto=node, label=label, fate=fate, reason=reason, is_of_input=is_of_input)
        )

    def _import(self, node: onnx.NodeProto, label: str, inputs: Sequence[Value | None]) -> None:
        is_constant = all(
            value is None or isinstance(value, Constant | QuantizedConstant) for value in inputs
        )
        if is_constant and node.op_type != "DequantizeLinear" and is_deterministic(node):
            self._fold(node, inputs)
            return
        handler = HANDLERS.get(node.op_type) if node.domain in ("", "ai.onnx") else None
        if handler is None:
            raise NodeError(no_handler(node.op_type))
        view = Node(
            node,
            label=label,
            opset=self.source.opset,
            inputs=inputs,
            used_outputs=[name in self._read for name in node.output],
            model_inputs={port.onnx_name for port in self._inputs},
        )
        source = inputs[0] if inputs else None
        if isinstance(source, Integers) and node.op_type == "Clip":
            made: Value | list[Activation] | list[Integers] = import_clip_of_integers(
                view, self._build, source
            )
        elif isinstance(source, Integers) and node.op_type in MOVING_OPERATORS:
            moved = handler(view.reading(as_reals(source), *inputs[1:]), self._build)
            made = as_integers(moved, source, self._build)
        else:
            made = handler(view, self._build)
        values: Sequence[Value] = made if isinstance(made, list) else [made]
        for name, value in zip(node.output, values, strict=False):
            self.values[name] = value

    def _fold(self, node: onnx.NodeProto, inputs: Sequence[Value | None]) -> None:
        arrays = {
            name: value.real() if isinstance(value, QuantizedConstant) else value.array
            for name, value in zip(node.input, inputs, strict=True)
            if isinstance(value, Constant | QuantizedConstant)
        }
        results = evaluate(node, arrays, self.source.opsets)
        for name, array in zip(node.output, results, strict=True):
            if array is not None:
                self.values[name] = Constant(name=name, array=np.asarray(array))

    def _blockage(self, node: onnx.NodeProto) -> str:
        for name in node.input:
            value = self.values.get(name)
            if isinstance(value, Unusable) and value.type is not None:
                kind = onnx.TensorProto.DataType.Name(value.type[0])
                return f"it reads '{name}', which is {kind} of shape {list(value.type[1])}"
        name = next(name for name in node.input if isinstance(self.values.get(name), Unusable))
        return f"it reads '{name}', whose shape is not known"

    def _forget(self, node: onnx.NodeProto) -> None:
        """Makes the outputs of a node that is not imported as usable as they can be."""
        types = {name: kind for name in node.input if (kind := self.type_of(name)) is not None}
        constants = {
            name: value.array
            for name in node.input
            if isinstance(value := self.values.get(name), Constant)
        }
        found = output_types(node, types, constants, self.source.opsets)
        for name in node.output:
            if name:
                self.values[name] = self._invent(name, found.get(name))

    def _invent(self, name: str, kind: TypeAndShape | None) -> Value:
        if kind is not None and kind[0] == onnx.TensorProto.FLOAT:
            axes = input_axes(name, self._readers) if len(kind[1]) == 4 else None
            try:
                result = self._build.add_input(name, kind[1], axes)
            except NodeError:
                pass
            else:
                self._invented.add(name)
                return result
        return Unusable(name=name, reason=None, type=kind)

    def _output(self, output: onnx.ValueInfoProto) -> Port | str | None:
        """The port of an output, or what is wrong with it; None if that has been told."""
        name, kind = output.name, output.type.tensor_type.elem_type
        value = self.values[name]
        if isinstance(value, Unusable) and value.reason is None:
            return None
        if not isinstance(value, Activation):
            what = "integer" if hasattr(value, "quantization") else "a constant"
            remedy = "end with DequantizeLinear" if what == "integer" else "remove it"
            return f"output '{name}' is {what}; {remedy}"
        if kind in (onnx.TensorProto.INT32, onnx.TensorProto.INT64):
            return f"output '{name}' is an integer sum; end with Cast to FLOAT"
        if value.tensor in self._invented:
            return None
        if self._build.is_input(value.tensor):
            return f"output '{name}' is the input '{value.tensor}' itself"
        self._build.read(f"output '{name}'", value)
        return Port(tensor=value.tensor, onnx_name=name, onnx_shape=value.shape, axes=value.axes)

    def _raise(self, problems: Sequence[str]) -> None:
        if not problems:
            return
        problems = list(dict.fromkeys(problems))
        if any(node.reason == no_handler(node.proto.op_type) for node in self.nodes):
            problems.append(supported_operators())
        raise InputError("\n".join(["the model cannot be compiled:", *problems]))


def _arranges(node: onnx.NodeProto) -> bool:
    """Whether a node is one of ONNX's own reshapes and transposes."""
    own = node.domain in ("", "ai.onnx") and node.op_type in ARRANGING_OPERATORS
    return own and len(node.input) > 0
