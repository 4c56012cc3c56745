# SPDX-License-Identifier: Apache-2.0
"""Real functions of one variable as trees of ONNX operators: what a table of 256 entries holds."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "OPERATORS",
    "Apply",
    "Expression",
    "Number",
    "Operator",
    "Variable",
    "X",
    "apply",
    "compose",
    "evaluate",
]

Real = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Variable:
    """The function's argument."""

    def __str__(self) -> str:
        return "x"


@dataclass(frozen=True, slots=True)
class Number:
    """A constant, exactly a float32 value."""

    value: float

    def __str__(self) -> str:
        return f"{self.value:.9g}"


@dataclass(frozen=True, slots=True)
class Apply:
    """An operator of `OPERATORS` on its operands; attributes by name, in alphabetical order."""

    operator: str
    operands: "tuple[Expression, ...]"
    attributes: tuple[tuple[str, float], ...] = ()

    def __str__(self) -> str:
        parts = [str(operand) for operand in self.operands]
        parts += [f"{name}={value:.9g}" for name, value in self.attributes]
        return f"{self.operator}({', '.join(parts)})"


Expression = Variable | Number | Apply

X = Variable()


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """An ONNX operator that maps numbers to numbers: element by element, without state.

    `function` takes its operands and then its attributes by name. `attributes` holds their
    defaults.
    """

    function: Callable[..., Any]
    operands: int = 1
    attributes: Mapping[str, float] = field(default_factory=dict)


def _erf(x: Real) -> Real:
    """The error function to double precision.

    The series 2 / sqrt(pi) exp(-x^2) sum 2^n x^(2n+1) / (2n+1)!! has positive terms only, so
    nothing cancels.
    """
    size = np.minimum(np.abs(x), 6.0)  # erf(6) is 1 in double precision
    term = size.copy()
    total = size.copy()
    for n in range(1, 150):
        term = term * (2 * size * size) / (2 * n + 1)
        total = total + term
    result: Real = np.sign(x) * np.minimum(2 / np.sqrt(np.pi) * np.exp(-size * size) * total, 1.0)
    return result


def _sigmoid(x: Real) -> Real:
    # exp(-|x|) never overflows.
    small = np.exp(-np.abs(x))
    result: Real = np.where(x >= 0, 1, small) / (1 + small)
    return result


def _elu(x: Real, alpha: float) -> Real:
    result: Real = np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))
    return result


OPERATORS: Mapping[str, Operator] = {
    "Abs": Operator(function=np.abs),
    "Acos": Operator(function=np.arccos),
    "Acosh": Operator(function=np.arccosh),
    "Add": Operator(function=np.add, operands=2),
    "Asin": Operator(function=np.arcsin),
    "Asinh": Operator(function=np.arcsinh),
    "Atan": Operator(function=np.arctan),
    "Atanh": Operator(function=np.arctanh),
    "Ceil": Operator(function=np.ceil),
    "Celu": Operator(
        function=lambda x, alpha: np.maximum(x, 0) + alpha * np.expm1(np.minimum(x, 0) / alpha),
        attributes={"alpha": 1.0},
    ),
    "Cos": Operator(function=np.cos),
    "Cosh": Operator(function=np.cosh),
    "Div": Operator(function=np.divide, operands=2),
    "Elu": Operator(function=_elu, attributes={"alpha": 1.0}),
    "Erf": Operator(function=_erf),
    "Exp": Operator(function=np.exp),
    "Floor": Operator(function=np.floor),
    "HardSigmoid": Operator(
        function=lambda x, alpha, beta: np.clip(alpha * x + beta, 0, 1),
        attributes={"alpha": 0.2, "beta": 0.5},
    ),
    "HardSwish": Operator(function=lambda x: x * np.clip(x / 6 + 0.5, 0, 1)),
    "LeakyRelu": Operator(
        function=lambda x, alpha: np.where(x < 0, alpha * x, x), attributes={"alpha": 0.01}
    ),
    "Log": Operator(function=np.log),
    "Max": Operator(function=np.maximum, operands=2),
    "Min": Operator(function=np.minimum, operands=2),
    "Mul": Operator(function=np.multiply, operands=2),
    "Neg": Operator(function=np.negative),
    "Pow": Operator(function=np.power, operands=2),
    "Reciprocal": Operator(function=lambda x: 1 / x),
    "Relu": Operator(function=lambda x: np.maximum(x, 0)),
    "Round": Operator(function=np.rint),
    "Selu": Operator(
        function=lambda x, alpha, gamma: gamma * _elu(x, alpha),
        attributes={"alpha": 1.67326319217681884765625, "gamma": 1.05070102214813232421875},
    ),
    "Sigmoid": Operator(function=_sigmoid),
    "Sign": Operator(function=np.sign),
    "Sin": Operator(function=np.sin),
    "Sinh": Operator(function=np.sinh),
    "Softplus": Operator(function=lambda x: np.logaddexp(0, x)),
    "Softsign": Operator(function=lambda x: x / (1 + np.abs(x))),
    "Sqrt": Operator(function=np.sqrt),
    "Sub": Operator(function=np.subtract, operands=2),
    "Tan": Operator(function=np.tan),
    "Tanh": Operator(function=np.tanh),
    "ThresholdedRelu": Operator(
        function=lambda x, alpha: np.where(x > alpha, x, 0), attributes={"alpha": 1.0}
    ),
}
"""The operators of expressions, all of them in ONNX's operator set 17 or older."""


def apply(operator: str, *operands: Expression | float, **attributes: float) -> Apply:
    """The operator on its operands; attributes that are not given take their defaults."""
    definition = OPERATORS[operator]
    if (
        len(operands) != definition.operands
        or not attributes.keys() <= definition.attributes.keys()
    ):
        raise ValueError(f"{operator} does not take {len(operands)} operands and {attributes}")
    values = {**definition.attributes, **attributes}
    return Apply(
        operator,
        tuple(Number(float(np.float32(x))) if isinstance(x, int | float) else x for x in operands),
        tuple((name, float(np.float32(values[name]))) for name in sorted(values)),
    )


def compose(outer: Expression, inner: Expression) -> Expression:
    """outer(inner(x))."""
    match outer:
        case Variable():
            return inner
        case Number():
            return outer
        case Apply():
            operands = tuple(compose(operand, inner) for operand in outer.operands)
            return Apply(outer.operator, operands, outer.attributes)


def evaluate(expression: Expression, x: Real) -> Real:
    """The function's values in float64; NaN where it is not defined."""
    match expression:
        case Variable():
            return x
        case Number(value=value):
            return np.full_like(x, value)
        case Apply(operator=operator, operands=operands, attributes=attributes):
            arrays = [evaluate(operand, x) for operand in operands]
            with np.errstate(all="ignore"):
                result = OPERATORS[operator].function(*arrays, **dict(attributes))
            return np.asarray(result, np.float64)
