# SPDX-License-Identifier: Apache-2.0
"""Products of two tensors and the maximum over channels, as convolutions: exact, bit for bit.

The array multiplies by constants only, and what it puts out saturates. That suffices:

- max(a, b) = a + max(0, b - a), in a tree over the channels. All sums are whole numbers of steps,
  so a level stores the differences alone, and the next one sums what it needs of them.
- a * b for a and b from 0 to 255: bit k of b is a threshold of what the higher bits leave of it; a
  times the bit is max(0, a - 256 * (1 - bit)); the product is their sum, 2^k times each.

A product takes 17 layers of single pixels, each of one or two steps a block: that of 128 channels
with one is worth half a 3x3 convolution. In return no lane needs a multiplier for it.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from flexcc.dse.linear import Linear, LinearLayers, byte
from flexcc.dse.names import Names
from flexcc.ir.arithmetic import product_scaling
from flexcc.ir.graph import Graph
from flexcc.ir.layers import ChannelMax, Layer, Mul
from flexcc.ir.types import TensorType

__all__ = ["lower_products"]

_OFFSET = 128
"""What a byte that stands for a number from 0 to 255 is less than it."""
_BITS = 8


def lower_products(graph: Graph) -> Graph:
    """An equal integer graph without products of two tensors or maxima over channels, if it can be.

    A product of tensors whose pixels differ in number stays.

    Raises:
        InputError: the scales of a product's inputs and output do not belong together.
    """
    names = Names(graph)
    layers: list[Layer] = []
    tensors = dict(graph.tensors)
    for layer in graph.layers:
        made: LinearLayers | None = None
        match layer:
            case Mul() if _pixels_equal([tensors[name] for name in layer.inputs]):
                made = _product(layer, tensors, names)
            case ChannelMax():
                made = _maximum(layer, tensors, names)
        layers += [layer] if made is None else made.layers
        tensors |= {} if made is None else made.types
    return replace(graph, layers=tuple(layers), tensors=tensors)


def _pixels_equal(types: Sequence[TensorType]) -> bool:
    return len({(type_.height, type_.width) for type_ in types}) == 1


def _maximum(layer: ChannelMax, tensors: dict[str, TensorType], names: Names) -> LinearLayers:
    (source,) = layer.inputs
    type_ = tensors[source]
    assert type_.quantization is not None
    made = LinearLayers(layer, tensors, type_.quantization, names.new)
    largest = [byte(source, channel) for channel in range(type_.channels)]
    while len(largest) > 1:
        pairs = list(zip(largest[::2], largest[1::2], strict=False))
        gains = made.saturated("gain", [b - a + -_OFFSET for a, b in pairs])
        rest = largest[2 * len(pairs) :]
        largest = [a + byte(gains, i) + _OFFSET for i, (a, _) in enumerate(pairs)] + rest
    made.end(largest, None)
    return made


def _product(layer: Mul, tensors: dict[str, TensorType], names: Names) -> LinearLayers:
    # The bits are those of the operand with fewer channels.
    first, second = sorted(layer.inputs, key=lambda name: -tensors[name].channels)
    a, b = tensors[first], tensors[second]
    target = tensors[layer.output].quantization
    assert a.quantization is not None
    assert b.quantization is not None
    assert target is not None
    scaling = product_scaling(layer, a.quantization, b.quantization, target)
    made = LinearLayers(layer, tensors, a.quantization, names.new)
    second = made.same("operand", second)
    ones = _counted(first, a.channels)
    others = _counted(second, b.channels)
    of = [c if b.channels > 1 else 0 for c in range(a.channels)]
    # (a - za) * (b - zb) for counts from 0 is a * b less what the zero points take away.
    za, zb = (zero + _OFFSET for zero in (a.quantization.zero_point, b.quantization.zero_point))
    products = [one * -zb - others[of[c]] * za + za * zb for c, one in enumerate(ones)]
    left = [other * -2 for other in others]
    for bit in reversed(range(_BITS)):
        # 0 where b has the bit, else 2: a weight of -128 then takes 256 away.
        absent = made.saturated(
            f"bit{bit}", [rest + ((2 << bit) - _OFFSET) for rest in left], most=2 - _OFFSET
        )
        lacks = _counted(absent, b.channels)
        taken = [lack * -(1 << bit) + (2 << bit) for lack in lacks]
        left = [rest + more for rest, more in zip(left, taken, strict=True)]
        gate = made.saturated(
            f"gate{bit}", [one - lacks[of[c]] * 128 + -_OFFSET for c, one in enumerate(ones)]
        )
        gated = _counted(gate, a.channels)
        products = [sum_ + own * (1 << bit) for sum_, own in zip(products, gated, strict=True)]
    made.end(products, float(np.ldexp(float(scaling.multiplier), -scaling.shift)))
    return made


def _counted(tensor: str, channels: int) -> list[Linear]:
    """The bytes of each channel as numbers from 0 to 255."""
    return [byte(tensor, channel) + _OFFSET for channel in range(channels)]
