# SPDX-License-Identifier: Apache-2.0
"""How many multiplications and parameters a convolution is worth."""

from flexcc.ir.graph import Graph
from flexcc.ir.layers import Convolution, ConvTranspose2d

__all__ = ["is_depthwise", "parameter_count", "useful_macs"]


def useful_macs(graph: Graph, conv: Convolution) -> int:
    """Full kernel times outputs of one convolution, times inputs of a transposed one.

    Over three dimensions the products with real planes: neither the zeros that stand between the
    planes' weights here nor the padding of the depth, which has no weights, are counted.
    """
    if conv.cost is not None:
        return conv.cost.macs
    pixels = graph.tensors[conv.inputs[0] if isinstance(conv, ConvTranspose2d) else conv.output]
    return int(conv.weight.size) * pixels.height * pixels.width


def parameter_count(conv: Convolution) -> int:
    """Weights and biases of the model's layer; an absent bias is all zeros."""
    if conv.cost is not None:
        return conv.cost.parameters
    return int(conv.weight.size) + (int(conv.bias.size) if conv.bias.any() else 0)


def is_depthwise(conv: Convolution) -> bool:
    """Whether every group has a single input channel, of several; a volume's has its planes."""
    return conv.groups > 1 and conv.weight.shape[1] == 1
