# SPDX-License-Identifier: Apache-2.0
"""Handlers of functions of one variable, which become tables: Sigmoid, Tanh, HardSwish, Gelu ..."""

import numpy as np

from flexcc.frontend.builder import GraphBuilder
from flexcc.frontend.node import Node, NodeError
from flexcc.frontend.values import Activation, QuantizedConstant
from flexcc.ir.functions import OPERATORS, Expression, X, apply
from flexcc.ir.layers import Table

__all__ = [
    "FUNCTIONS",
    "add_table",
    "import_function",
    "import_gelu",
    "import_mish",
    "import_pow",
    "import_swish",
]

# Of the operators of one operand those with a layer kind of their own are left out.
FUNCTIONS = tuple(
    name
    for name, operator in OPERATORS.items()
    if operator.operands == 1 and name not in ("LeakyRelu", "Neg", "Relu")
)
"""The ONNX operators that are functions of one variable, in alphabetical order."""


def import_function(node: Node, build: GraphBuilder) -> Activation:
    """A function of one variable, whatever its attributes: a table of 256 entries."""
    node.expect_inputs(1, 1)
    defaults = OPERATORS[node.op].attributes
    attributes = {name: node.take_float(name, default) for name, default in defaults.items()}
    if node.op == "Celu" and attributes["alpha"] == 0:
        raise NodeError("it divides by alpha, which is 0")
    return add_table(node, build, node.view(), apply(node.op, X, **attributes))


def import_gelu(node: Node, build: GraphBuilder) -> Activation:
    """Gelu: x/2 (1 + erf(x / sqrt(2))), or its approximation by tanh."""
    node.expect_inputs(1, 1)
    match node.take_string("approximate", "none"):
        case "none":
            inner = apply("Erf", apply("Mul", X, 2**-0.5))
        case "tanh":
            cubic = apply("Mul", apply("Mul", apply("Mul", X, X), X), 0.044715)
            inner = apply("Tanh", apply("Mul", apply("Add", X, cubic), 0.7978845608028654))
        case other:
            raise NodeError(f"approximate={other} is not defined by ONNX")
    function = apply("Mul", apply("Mul", X, 0.5), apply("Add", inner, 1.0))
    return add_table(node, build, node.view(), function)


def import_mish(node: Node, build: GraphBuilder) -> Activation:
    """Mish: x tanh(softplus(x))."""
    node.expect_inputs(1, 1)
    function = apply("Mul", X, apply("Tanh", apply("Softplus", X)))
    return add_table(node, build, node.view(), function)


def import_swish(node: Node, build: GraphBuilder) -> Activation:
    """Swish: x sigmoid(alpha x)."""
    node.expect_inputs(1, 1)
    alpha = node.take_float("alpha", 1.0)
    scaled = X if alpha == 1 else apply("Mul", X, alpha)
    return add_table(node, build, node.view(), apply("Mul", X, apply("Sigmoid", scaled)))


def import_pow(node: Node, build: GraphBuilder) -> Activation:
    """Pow with one constant number as exponent."""
    node.expect_inputs(2, 2)
    value = node.parameter(1)
    exponent = value.real() if isinstance(value, QuantizedConstant) else value.array
    if exponent.dtype.kind not in "fi" or not np.isfinite(exponent).all():
        raise NodeError(f"its exponent '{value.name}' is no finite number")
    if exponent.size != 1:
        raise NodeError(f"its exponent has shape {list(exponent.shape)}; one number is supported")
    function = apply("Pow", X, float(exponent.reshape(())))
    return add_table(node, build, node.view(), function)


def add_table(
    node: Node, build: GraphBuilder, source: Activation, function: Expression
) -> Activation:
    """The layer that applies `function` to every element."""
    layer = Table(name=node.label, inputs=(source.tensor,), output=node.output, function=function)
    node.finish()
    return build.add_elementwise(layer, source, None)
