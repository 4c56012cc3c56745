# SPDX-License-Identifier: Apache-2.0
"""Handlers of Gemm and MatMul: a vector times constant weights is a 1x1 convolution."""

from dataclasses import replace

import numpy as np

from flexcc.frontend.builder import GraphBuilder
from flexcc.frontend.node import Node, NodeError
from flexcc.frontend.parameters import Bias, Weights, read_bias, read_weights
from flexcc.frontend.values import Activation
from flexcc.frontend.wide_weights import with_narrow_weights
from flexcc.ir.layers import Conv2d, Cost

__all__ = ["import_gemm", "import_matmul"]


def import_gemm(node: Node, build: GraphBuilder) -> Activation:
    """Gemm of [1,K] with constant B and C; alpha and beta are folded into float weights."""
    node.expect_inputs(2, 3)
    source = node.activation()
    if len(source.shape) != 2:
        raise NodeError(f"its input has shape {list(source.shape)}, not [1,K]")
    if node.take_int("transA", 0):
        raise NodeError("transA=1 is not supported")
    transposed = node.take_int("transB", 0)
    weights = read_weights(node, 1, source, channel_axis=0 if transposed else 1)
    bias = read_bias(node, 2, source, weights)
    alpha, beta = node.take_float("alpha", 1.0), node.take_float("beta", 1.0)
    if weights.scale is None:
        with np.errstate(over="ignore"):
            # Weights may be large: they are copied only when they change.
            values = weights.values
            if alpha != 1:
                values = (values * np.float64(alpha)).astype(np.float32)
            bias = (bias * np.float64(beta)).astype(np.float32)
        weights = replace(weights, values=values)
        if not (np.isfinite(values).all() and np.isfinite(bias).all()):
            raise NodeError(f"alpha={alpha} or beta={beta} makes its weights infinite")
    elif (alpha, beta) != (1.0, 1.0):
        raise NodeError("alpha and beta must be 1 when it is quantised")
    return _product(node, build, source, weights, bias)


def import_matmul(node: Node, build: GraphBuilder) -> Activation:
    """MatMul of [1,K] or [K] with a constant [K,N]."""
    node.expect_inputs(2, 2)
    source = node.activation()
    if len(source.shape) > 2:
        raise NodeError(f"its input has shape {list(source.shape)}, not [1,K] or [K]")
    weights = read_weights(node, 1, source, channel_axis=1)
    return _product(node, build, source, weights, read_bias(node, 2, source, weights))


def _product(
    node: Node, build: GraphBuilder, source: Activation, weights: Weights, bias: Bias
) -> Activation:
    values = weights.values
    if values.ndim != 2 or values.shape[1] != source.shape[-1]:
        raise NodeError(
            f"its weights of {values.shape[0]} outputs do not fit an input of {source.shape[-1]}"
        )
    node.finish()
    kernel = values.reshape(*values.shape, 1, 1)
    operand, weight = with_narrow_weights(build, node.label, source, kernel, 1)
    cost = Cost(macs=values.size, parameters=values.size + (bias.size if bias.any() else 0))
    conv = Conv2d(
        name=node.label,
        inputs=(operand.tensor,),
        output=node.output,
        weight=weight,
        weight_scale=weights.scale,
        bias=bias,
        cost=None if operand is source else cost,
    )
    return build.add(conv, operand, (*source.shape[:-1], values.shape[0]), None)
