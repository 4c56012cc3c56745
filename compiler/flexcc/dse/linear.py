# SPDX-License-Identifier: Apache-2.0
"""Convolutions that compute with the bytes of tensors as they are, whatever they stand for.

An output is a sum of whole multiples of bytes and a constant. As it saturates at -128 and 127, it
can be max(0, x) or a threshold. Tensors that are read together are joined, so all share one
quantisation.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from flexcc.ir.layers import Clamp, Clamped, Concat, Conv2d, Layer
from flexcc.ir.types import Quantization, TensorType

__all__ = ["Linear", "LinearLayers", "byte"]

_LEAST, _MOST = -128, 127


@dataclass(frozen=True, slots=True)
class Linear:
    """Whole multiples of channels of tensors, by (tensor, channel), and a constant."""

    terms: tuple[tuple[tuple[str, int], int], ...] = ()
    constant: int = 0

    def __add__(self, other: "Linear | int") -> "Linear":
        if isinstance(other, int):
            return Linear(self.terms, self.constant + other)
        terms = dict(self.terms)
        for place, factor in other.terms:
            terms[place] = terms.get(place, 0) + factor
        left = tuple((place, factor) for place, factor in terms.items() if factor)
        return Linear(left, self.constant + other.constant)

    def __mul__(self, factor: int) -> "Linear":
        terms = tuple((place, own * factor) for place, own in self.terms if factor)
        return Linear(terms, self.constant * factor)

    def __sub__(self, other: "Linear") -> "Linear":
        return self + other * -1


def byte(tensor: str, channel: int) -> Linear:
    """The byte of a tensor's channel."""
    return Linear((((tensor, channel), 1),))


class LinearLayers:
    """The layers, in order, that take the place of one layer, and their new tensors.

    Tensors have the size of the layer's output and, but for it, `quantization`.
    """

    def __init__(
        self,
        layer: Layer,
        tensors: Mapping[str, TensorType],
        quantization: Quantization,
        new_name: Callable[[str], str],
    ) -> None:
        self.layers: list[Layer] = []
        self.types: dict[str, TensorType] = {}
        self._layer, self._tensors = layer, tensors
        self._quantization, self._new_name = quantization, new_name

    def saturated(self, name: str, outputs: Sequence[Linear], most: int = _MOST) -> str:
        """A new tensor of max(-128, min(output, most)) for each channel's output."""
        name = self._new_name(f"{self._layer.name}_{name}")
        output = self._new_name(f"{name}_out")
        self.types[output] = replace(
            self._tensors[self._layer.output],
            channels=len(outputs),
            quantization=self._quantization,
        )
        own = self._quantization
        clamp = Clamp(high=None if most == _MOST else (most - own.zero_point) * own.scale)
        self._convolution(name, output, [x + -own.zero_point for x in outputs], clamp, 1.0)
        return output

    def same(self, name: str, tensor: str) -> str:
        """A tensor with the bytes of another one, in the quantisation that all have."""
        type_ = self._tensors[tensor]
        if type_.quantization == self._quantization:
            return tensor
        return self.saturated(name, [byte(tensor, c) for c in range(type_.channels)])

    def end(self, outputs: Sequence[Linear], ratio: float | None) -> None:
        """Makes the layer's own output: its bytes, or its steps, `ratio` times the sums."""
        layer = self._layer
        clamp = layer.clamp if isinstance(layer, Clamped) else Clamp()
        if ratio is None:
            outputs = [output + -self._quantization.zero_point for output in outputs]
        self._convolution(layer.name, layer.output, outputs, clamp, 1.0 if ratio is None else ratio)

    def _type(self, tensor: str) -> TensorType:
        return self.types[tensor] if tensor in self.types else self._tensors[tensor]

    def _convolution(
        self, name: str, output: str, outputs: Sequence[Linear], clamp: Clamp, ratio: float
    ) -> None:
        """Adds the 1x1 convolution that sums: its bias makes up for its centring what it reads."""
        copies: dict[str, int] = {}
        for own in outputs:
            for (tensor, _), factor in own.terms:
                copies[tensor] = max(copies.get(tensor, 0), len(_pieces(factor)))
        names = [tensor for tensor, number in copies.items() for _ in range(number)]
        first: dict[str, int] = {}
        channels = 0
        for tensor in names:
            first.setdefault(tensor, channels)
            channels += self._type(tensor).channels
        source = self._type(names[0])
        assert source.quantization is not None
        weight = np.zeros((len(outputs), channels, 1, 1), np.int8)
        bias = np.zeros(len(outputs), np.int32)
        for row, own in enumerate(outputs):
            bias[row] = own.constant
            for (tensor, channel), factor in own.terms:
                bias[row] += source.quantization.zero_point * factor
                for copy, piece in enumerate(_pieces(factor)):
                    at = first[tensor] + copy * self._type(tensor).channels + channel
                    weight[row, at] = piece
        joined = names[0]
        if len(names) > 1:
            joined = self._new_name(f"{name}_joined")
            self.types[joined] = replace(source, channels=channels)
            join = self._new_name(f"{name}_join")
            self.layers.append(Concat(name=join, inputs=tuple(names), output=joined))
        convolution = Conv2d(
            name=name,
            inputs=(joined,),
            output=output,
            weight=weight,
            weight_scale=np.ones(len(outputs), np.float32),
            bias=bias,
            clamp=clamp,
            ratio=ratio,
        )
        self.layers.append(convolution)


def _pieces(factor: int) -> list[int]:
    """Weights that add up to a factor: what has more than 8 bits is read more than once."""
    pieces: list[int] = []
    while factor:
        pieces.append(min(max(factor, _LEAST), _MOST))
        factor -= pieces[-1]
    return pieces
