# SPDX-License-Identifier: Apache-2.0
"""Expressions: their text, values, composition and limits."""

import math

import numpy as np
import pytest

from flexcc.ir.functions import OPERATORS, Number, X, apply, compose, evaluate

POINTS = np.concatenate([np.linspace(-9, 9, 1801), [-1e4, -88.0, 1e-300, 88.0, 1e4]])


def test_text_names_operators_and_attributes() -> None:
    silu = apply("Mul", X, apply("Sigmoid", X))
    assert str(silu) == "Mul(x, Sigmoid(x))"
    assert str(apply("HardSigmoid", X, beta=0.25)) == "HardSigmoid(x, alpha=0.200000003, beta=0.25)"
    assert str(apply("Add", 0.5, Number(-3.0))) == "Add(0.5, -3)"


def test_composition_replaces_the_variable_everywhere() -> None:
    silu = apply("Mul", X, apply("Sigmoid", X))
    shifted = compose(silu, apply("Add", X, 1.0))
    assert str(shifted) == "Mul(Add(x, 1), Sigmoid(Add(x, 1)))"
    assert compose(X, silu) == silu
    assert compose(Number(2.0), silu) == Number(2.0)
    expected = (POINTS + 1) / (1 + np.exp(-np.maximum(POINTS + 1, -700)))
    np.testing.assert_allclose(evaluate(shifted, POINTS), expected, rtol=1e-12, atol=1e-280)


def test_error_function_to_the_last_digits() -> None:
    expected = [math.erf(x) for x in POINTS]
    np.testing.assert_allclose(evaluate(apply("Erf", X), POINTS), expected, rtol=4e-15)


def test_large_arguments_overflow_nowhere() -> None:
    with np.errstate(all="raise", under="ignore"):
        sigmoid, softplus = (evaluate(apply(name, X), POINTS) for name in ("Sigmoid", "Softplus"))
    assert sigmoid[-1] == 1
    assert sigmoid[-5] == 0
    assert softplus[-1] == 1e4
    assert evaluate(apply("Elu", X), POINTS)[-5] == -1


def test_undefined_values_are_nan() -> None:
    assert np.isnan(evaluate(apply("Log", X), np.array([-1.0]))).all()
    assert evaluate(apply("Log", X), np.array([0.0])) == -np.inf


def test_every_operator_keeps_the_shape() -> None:
    x = np.full((2, 3), 0.5)
    for name, operator in OPERATORS.items():
        assert evaluate(apply(name, *[X] * operator.operands), x).shape == (2, 3), name


def test_wrong_operands_are_refused() -> None:
    with pytest.raises(ValueError, match="Tanh does not take 2 operands"):
        apply("Tanh", X, X)
    with pytest.raises(ValueError, match="beta"):
        apply("Elu", X, beta=1.0)
