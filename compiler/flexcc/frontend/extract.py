# SPDX-License-Identifier: Apache-2.0
"""Takes the nodes of a cut apart: head and tail become models, the body is walked on its own.

Values that are known become initialisers of head and tail, so that both are static. Integers that
cross a cut travel as real numbers: their maker ends with DequantizeLinear, their reader begins with
QuantizeLinear of the same scale, which gives the same integers again.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from flexcc.errors import InputError
from flexcc.frontend.partition import Cut
from flexcc.frontend.source import Source
from flexcc.frontend.values import Constant, Integers, QuantizedConstant
from flexcc.frontend.walk import Fate, Walk

__all__ = ["Parts", "extract", "integer_outputs"]

# ONNX Runtime reads any older operator set in it.
_IR_VERSION = 8


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Parts:
    """Head and tail as models, None when empty; the body as nodes to walk over."""

    head: onnx.ModelProto | None
    body: Source
    tail: onnx.ModelProto | None


def extract(walk: Walk, where: Cut) -> Parts:
    """What stands on the three sides of a cut.

    Raises:
        InputError: the type of a value that crosses the cut is not known.
    """
    extractor = _Extractor(walk)
    indices = set(range(len(walk.nodes))) - where.head - where.tail
    body = extractor.part(indices)
    extractor.quantize_inputs(body)
    integers = integer_outputs(walk, where)
    has_tail = bool(where.tail or integers)
    return Parts(
        head=_model(extractor.part(where.head, on_host=True), "head", walk) if where.head else None,
        body=_source(body, walk),
        tail=_model(extractor.part(where.tail, integers, on_host=True), "tail", walk)
        if has_tail
        else None,
    )


def integer_outputs(walk: Walk, where: Cut) -> list[str]:
    """The outputs of the model that are integers of the body, which the host has to make again."""
    host = {name for i in (*where.head, *where.tail) for name in walk.nodes[i].proto.output}
    return [
        value.name
        for value in walk.source.outputs
        if isinstance(walk.values.get(value.name), Integers) and value.name not in host
    ]


@dataclass(slots=True)
class _Part:
    """A growing part of the model."""

    nodes: list[onnx.NodeProto] = field(default_factory=list)
    inputs: list[onnx.ValueInfoProto] = field(default_factory=list)
    outputs: list[onnx.ValueInfoProto] = field(default_factory=list)
    constants: dict[str, Constant | QuantizedConstant] = field(default_factory=dict)

    def constant(self, name: str, array: NDArray[np.generic]) -> str:
        """Adds a constant that the model does not hold."""
        self.constants[name] = Constant(name=name, array=array)
        return name


class _Extractor:
    def __init__(self, walk: Walk) -> None:
        self._walk = walk
        self._results = {value.name for value in walk.source.outputs}
        self._names = {*self._results, *(value.name for value in walk.source.inputs)}
        self._maker: dict[str, onnx.NodeProto] = {}
        for node in walk.nodes:
            self._names |= {*node.proto.input, *node.proto.output}
            self._maker |= dict.fromkeys(node.proto.output, node.proto)
        self._is_integer = any(
            node.proto.op_type == "QuantizeLinear" and node.fate is Fate.IMPORTED
            for node in walk.nodes
        )

    def part(
        self, chosen: Collection[int], integers: Sequence[str] = (), *, on_host: bool = False
    ) -> _Part:
        """The chosen nodes; constant ones are left out, for what they make is known.

        The tail passes on `integers`, outputs of the model that the body makes.
        """
        indices = sorted(i for i in chosen if self._walk.nodes[i].fate is not Fate.CONSTANT)
        nodes = [self._walk.nodes[i].proto for i in indices]
        made = {name for node in nodes for name in node.output if name}
        part = _Part()
        read = [name for node in nodes for name in node.input if name]
        for name in dict.fromkeys([*read, *integers]):
            known = self._walk.values.get(name)
            if isinstance(known, Constant | QuantizedConstant):
                part.constants[name] = known
            elif name not in made:
                self._enter(part, name)
        part.nodes += nodes
        for name in self._leaving(indices):
            self._leave(part, name, on_host=on_host)
        part.outputs += [self._info(name) for name in integers]
        return part

    def _leaving(self, indices: Sequence[int]) -> list[str]:
        """What others read of what the nodes make, in the order in which it is made."""
        mine = set(indices)
        wanted = set(self._results)
        for index, node in enumerate(self._walk.nodes):
            if index not in mine and node.fate is not Fate.CONSTANT:
                wanted |= set(node.proto.input)
        ordered = (name for i in indices for name in self._walk.nodes[i].proto.output)
        return [name for name in ordered if name and name in wanted]

    def _enter(self, part: _Part, name: str) -> None:
        """A value that another part, or the user, provides."""
        for given in self._walk.source.inputs:
            if given.name == name:
                part.inputs.append(given)
                return
        value = self._walk.values.get(name)
        if isinstance(value, Integers):
            real = self._real(name)
            part.inputs.append(self._info(name, real, onnx.TensorProto.FLOAT))
            scale = _scale(part, value, name)
            part.nodes.append(helper.make_node("QuantizeLinear", [real, *scale], [name]))
        else:
            part.inputs.append(self._info(name))

    def quantize_inputs(self, body: _Part) -> None:
        """Gives inputs of an integer body their scale again, which the host has dequantised."""
        if not self._is_integer:
            return
        for name in [value.name for value in body.inputs]:
            maker = self._maker.get(name)
            if maker is None or maker.op_type != "DequantizeLinear":
                continue
            integers, real = self._fresh(f"{name}.q"), self._fresh(f"{name}.dq")
            scale = [known for known in maker.input[1:] if known]
            for known in scale:
                constant = self._walk.values[known]
                assert isinstance(constant, Constant | QuantizedConstant)
                body.constants[known] = constant
            body.nodes = [
                helper.make_node("QuantizeLinear", [name, *scale], [integers]),
                helper.make_node("DequantizeLinear", [integers, *scale], [real]),
                *(_reading(node, name, real) for node in body.nodes),
            ]

    def _leave(self, part: _Part, name: str, *, on_host: bool) -> None:
        """A value that another part, or the user, reads."""
        value = self._walk.values.get(name)
        if isinstance(value, Integers):
            if on_host and name in self._results:
                part.outputs.append(self._info(name))
            real = self._real(name)
            scale = _scale(part, value, name)
            part.nodes.append(helper.make_node("DequantizeLinear", [name, *scale], [real]))
            part.outputs.append(self._info(name, real, onnx.TensorProto.FLOAT))
        elif name in self._results and self._walk.type_of(name) is None:
            part.outputs.append(helper.make_empty_tensor_value_info(name))
        else:
            part.outputs.append(self._info(name))

    def _real(self, name: str) -> str:
        """The name under which the real numbers of an integer value cross the cut."""
        return self._fresh(f"{name}.real")

    def _fresh(self, name: str) -> str:
        while name in self._names:
            name += "_"
        return name

    def _info(
        self, name: str, alias: str | None = None, kind: int | None = None
    ) -> onnx.ValueInfoProto:
        known = self._walk.type_of(name)
        if known is None:
            raise InputError(
                f"the shape of '{name}', which the host makes for the accelerator, is not known; "
                "simplify the model in front of its first layer with weights"
            )
        return helper.make_tensor_value_info(
            alias or name, known[0] if kind is None else kind, known[1]
        )


def _reading(node: onnx.NodeProto, old: str, new: str) -> onnx.NodeProto:
    """The node, reading `new` for `old`."""
    if old not in node.input:
        return node
    result = onnx.NodeProto()
    result.CopyFrom(node)
    result.input[:] = [new if name == old else name for name in node.input]
    return result


def _scale(part: _Part, integers: Integers, name: str) -> list[str]:
    """Constants with the scale and zero point of integers, as they are in the model."""
    quantization = integers.quantization
    sign, shift = ("u", -quantization.low) if integers.unsigned else ("", 0)
    kind = np.dtype(f"{sign}int{quantization.bits}")
    return [
        part.constant(f"{name}.scale.cut", np.array(quantization.scale, np.float32)),
        part.constant(f"{name}.zero_point.cut", np.array(quantization.zero_point + shift, kind)),
    ]


def _model(part: _Part, name: str, walk: Walk) -> onnx.ModelProto:
    constants = [
        numpy_helper.from_array(
            value.array if isinstance(value, Constant) else value.real(), name=label
        )
        for label, value in part.constants.items()
    ]
    graph = helper.make_graph(part.nodes, name, part.inputs, part.outputs, constants)
    return helper.make_model(graph, opset_imports=walk.source.opsets, ir_version=_IR_VERSION)


def _source(part: _Part, walk: Walk) -> Source:
    labels = {node.proto.output[0]: node.label for node in walk.nodes}
    return Source(
        name=walk.source.name,
        nodes=part.nodes,
        labels=[labels.get(node.output[0], node.output[0]) for node in part.nodes],
        inputs=part.inputs,
        outputs=part.outputs,
        constants=part.constants,
        opset=walk.source.opset,
        opsets=walk.source.opsets,
    )
