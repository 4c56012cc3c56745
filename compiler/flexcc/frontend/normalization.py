# SPDX-License-Identifier: Apache-2.0
"""Handler of LRN."""

from flexcc.frontend.builder import GraphBuilder
from flexcc.frontend.node import Node, NodeError
from flexcc.frontend.values import Activation
from flexcc.ir.layers import LocalNorm

__all__ = ["import_lrn"]

# No image has more channels.
_LARGEST = 1 << 20


def import_lrn(node: Node, build: GraphBuilder) -> Activation:
    """LRN over [1,C,H,W] or [1,C,L], of an odd number of channels: x (bias + alpha/size s)^-beta.

    s is the sum of their squares; alpha, beta and bias must be positive.
    """
    node.expect_inputs(1, 1)
    source = node.signal()
    size = node.take_int("size", 0)
    alpha, beta = node.take_float("alpha", 1e-4), node.take_float("beta", 0.75)
    bias = node.take_float("bias", 1.0)
    if not 1 <= size <= _LARGEST or size % 2 == 0:
        raise NodeError(
            f"its attribute size is {size}, but must be odd, from 1 to {_LARGEST - 1}: ONNX "
            "Runtime, too, takes no other"
        )
    for name, value in (("alpha", alpha), ("beta", beta), ("bias", bias)):
        if value <= 0:
            raise NodeError(f"its {name} is {value:g}, but must be positive, in ONNX Runtime, too")
    layer = LocalNorm(
        name=node.label,
        inputs=(source.tensor,),
        output=node.output,
        size=size,
        alpha=alpha,
        beta=beta,
        bias=bias,
    )
    node.finish()
    return build.add(layer, source, source.shape, None)
