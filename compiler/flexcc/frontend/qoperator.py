# SPDX-License-Identifier: Apache-2.0
"""Spells quantised operators as what they stand for: DequantizeLinear, operator, QuantizeLinear.

So one set of handlers serves models in ONNX's QOperator form, ONNX Runtime's extensions of it, and
the QDQ form. The integers that the handlers see are the same.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import onnx
from onnx import helper

__all__ = ["QUANTIZED_OPERATORS", "expand"]

_MICROSOFT = "com.microsoft"
_CONTRIBUTED = frozenset({"QuantizeLinear", "DequantizeLinear"})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Form:
    """How a quantised operator spells what `op` does.

    Each of `operands` is the place of a value, followed by those of its scale and zero point;
    `result` is that of the output's scale. `bias` is the place of integers whose scale is the
    product of the first two. `axis` is that of the weights' scales, one per output channel.
    """

    op: str
    operands: tuple[int, ...]
    result: int
    axis: int | None = None
    bias: int | None = None


_FORMS: Mapping[tuple[str, str], _Form] = {
    ("", "QLinearConv"): _Form(op="Conv", operands=(0, 3), result=6, axis=0, bias=8),
    ("", "QLinearMatMul"): _Form(op="MatMul", operands=(0, 3), result=6, axis=1),
    (_MICROSOFT, "QGemm"): _Form(op="Gemm", operands=(0, 3), result=7, axis=1, bias=6),
    (_MICROSOFT, "QLinearAdd"): _Form(op="Add", operands=(0, 3), result=6),
    (_MICROSOFT, "QLinearMul"): _Form(op="Mul", operands=(0, 3), result=6),
    (_MICROSOFT, "QLinearAveragePool"): _Form(op="AveragePool", operands=(0,), result=3),
    (_MICROSOFT, "QLinearGlobalAveragePool"): _Form(
        op="GlobalAveragePool", operands=(0,), result=3
    ),
    (_MICROSOFT, "QLinearLeakyRelu"): _Form(op="LeakyRelu", operands=(0,), result=3),
    (_MICROSOFT, "QLinearSigmoid"): _Form(op="Sigmoid", operands=(0,), result=3),
}

QUANTIZED_OPERATORS: Mapping[str, str] = {
    **{name: form.op for (_, name), form in _FORMS.items()},
    "QLinearConcat": "Concat",
}
"""Each quantised operator and the one that it stands for."""


def expand(
    nodes: Sequence[onnx.NodeProto], labels: Sequence[str]
) -> list[tuple[onnx.NodeProto, str]]:
    """The nodes with their labels, quantised operators spelled out.

    The operator in the middle keeps name and label. A node that does not have the inputs that its
    operator must have stays as it is.
    """
    taken = {name for node in nodes for name in (*node.input, *node.output)}
    result: list[tuple[onnx.NodeProto, str]] = []
    for node, label in zip(nodes, labels, strict=True):
        domain = "" if node.domain == "ai.onnx" else node.domain
        form = _FORMS.get((domain, node.op_type))
        if form is not None:
            spelled = _Speller(node, label, taken).spell(form)
        elif (domain, node.op_type) == (_MICROSOFT, "QLinearConcat"):
            spelled = _Speller(node, label, taken).concat()
        elif domain == _MICROSOFT and node.op_type in _CONTRIBUTED:
            spelled = [(_in_domain(node, ""), label)]
        else:
            spelled = None
        result += spelled or [(node, label)]
    return result


def _in_domain(node: onnx.NodeProto, domain: str) -> onnx.NodeProto:
    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    copy.domain = domain
    return copy


class _Speller:
    """The nodes that one quantised operator becomes."""

    def __init__(self, node: onnx.NodeProto, label: str, taken: set[str]) -> None:
        self._node = node
        self._label = label
        self._taken = taken
        self._before: list[onnx.NodeProto] = []

    def spell(self, form: _Form) -> list[tuple[onnx.NodeProto, str]] | None:
        """None if an input is missing that must be there."""
        places = [place + part for place in form.operands for part in (0, 1)]
        if not all(self._input(place) for place in places):
            return None
        transposed = any(a.name == "transB" and a.i for a in self._node.attribute)
        axes = [None, 0 if transposed else form.axis]
        inputs = [self._real(place, axis) for place, axis in zip(form.operands, axes, strict=False)]
        if form.bias is not None and self._input(form.bias):
            first, second = (self._input(place + 1) for place in form.operands)
            scale = self._add("Mul", [first, second], "bias_scale")
            inputs.append(self._dequantize([self._input(form.bias), scale], 0))
        return self._finish(form.op, inputs, form.result)

    def concat(self) -> list[tuple[onnx.NodeProto, str]] | None:
        """QLinearConcat: scale and zero point of the output, then value, scale, zero point each."""
        count = len(self._node.input) - 2
        if count < 3 or count % 3 or not all(self._node.input):
            return None
        inputs = [self._real(place, None) for place in range(2, len(self._node.input), 3)]
        return self._finish("Concat", inputs, 0)

    def _finish(
        self, op: str, inputs: Sequence[str], result: int
    ) -> list[tuple[onnx.NodeProto, str]]:
        """The operator, and the rounding of its output, which QGemm may leave out."""
        rounds = bool(self._input(result))
        [output, *_] = self._node.output
        real = self._fresh("real") if rounds else output
        middle = helper.make_node(op, list(inputs), [real], name=self._node.name)
        # What is 0 has no effect, and the operator itself does not know it.
        middle.attribute.extend(
            a for a in self._node.attribute if a.name != "channels_last" or a.i != 0
        )
        spelled = [(node, node.name) for node in self._before]
        spelled.append((middle, self._label))
        if rounds:
            scale = [self._input(result), self._input(result + 1)]
            name = f"{self._label}.output"
            after = helper.make_node(
                "QuantizeLinear", [real, *filter(None, scale)], [output], name=name
            )
            spelled.append((after, name))
        return spelled

    def _real(self, place: int, axis: int | None) -> str:
        """The real numbers of the value at a place, before its scale and zero point."""
        inputs = [self._input(place + part) for part in range(3)]
        return self._dequantize([name for name in inputs if name], axis)

    def _dequantize(self, inputs: Sequence[str], axis: int | None) -> str:
        output = self._add("DequantizeLinear", inputs, inputs[0])
        if axis is not None:
            self._before[-1].attribute.append(helper.make_attribute("axis", axis))
        return output

    def _add(self, op: str, inputs: Sequence[str], what: str) -> str:
        output = self._fresh(what)
        self._before.append(helper.make_node(op, list(inputs), [output], name=output))
        return output

    def _fresh(self, what: str) -> str:
        name = f"{self._label}.{what}"
        while name in self._taken:
            name += "_"
        self._taken.add(name)
        return name

    def _input(self, place: int) -> str:
        return self._node.input[place] if place < len(self._node.input) else ""
