# SPDX-License-Identifier: Apache-2.0
"""First and second moments of what each convolution's weights multiply.

A patch is what an output sums over, in the order of a channel's weights [Ci/groups, kh, kw];
padding is zero. Those of a transposed convolution are the pixels, each kernel element by itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flexcc.ir.graph import Graph
from flexcc.ir.layers import Convolution, ConvTranspose2d
from flexcc.ir.types import TensorType

__all__ = ["LARGEST_PATCH", "MomentCollector", "Moments", "patches"]

LARGEST_PATCH = 4608
"""Elements of the largest patch whose second moments are kept: 170 MB."""

# Patches that are taken of a layer, in all.
_PATCHES = 16384

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Moments:
    """Of the patches of one convolution: their mean and their covariance.

    `mean` is [groups, elements]; `covariance` [groups, elements, elements], or None for patches
    larger than `LARGEST_PATCH` and where it was not asked for. Of a transposed convolution the
    elements are the channels of a group.
    """

    mean: Doubles
    covariance: Doubles | None


class MomentCollector:
    """Collects the moments of every convolution of a float graph over `count` images.

    Of each layer it takes about as many `patches` in all, spread over its outputs.
    """

    def __init__(
        self, graph: Graph, count: int, *, covariances: bool, patches: int = _PATCHES
    ) -> None:
        self._graph = graph
        self._limit = max(1, patches // max(count, 1))
        self._convolutions = [layer for layer in graph.layers if isinstance(layer, Convolution)]
        self._sums = {
            conv.name: _Sums(conv, covariances=covariances) for conv in self._convolutions
        }

    def add(self, image: Mapping[str, Floats]) -> None:
        """Takes in all tensors [1,C,H,W] of one image by name."""
        for conv in self._convolutions:
            target = self._graph.tensors[conv.output]
            self._sums[conv.name].add(patches(conv, target, image[conv.inputs[0]][0], self._limit))

    def finish(self) -> dict[str, Moments]:
        """The moments by name of the convolution, of at least one image."""
        return {name: each.finish() for name, each in self._sums.items()}


class _Sums:
    """Running sums over the patches of one convolution."""

    def __init__(self, conv: Convolution, *, covariances: bool) -> None:
        groups, elements = conv.groups, conv.weight.shape[1]
        if not isinstance(conv, ConvTranspose2d):
            elements *= conv.weight.shape[2] * conv.weight.shape[3]
        self._count = 0
        self._sum = np.zeros((groups, elements))
        kept = covariances and elements <= LARGEST_PATCH
        self._square = np.zeros((groups, elements, elements)) if kept else None

    def add(self, patches: Floats) -> None:
        """Takes in patches [groups, elements, n]."""
        self._count += patches.shape[2]
        self._sum += patches.sum(axis=2, dtype=np.float64)
        if self._square is not None:
            self._square += patches @ patches.swapaxes(1, 2)

    def finish(self) -> Moments:
        """The moments of all that was taken in."""
        mean = self._sum / self._count
        if self._square is None:
            return Moments(mean=mean, covariance=None)
        covariance = self._square / self._count - mean[:, :, None] * mean[:, None, :]
        return Moments(mean=mean, covariance=covariance)


def patches(conv: Convolution, target: TensorType, x: Floats, limit: int) -> Floats:
    """At most `limit` patches [groups, elements, n] of the image [C,H,W], evenly spread."""
    if isinstance(conv, ConvTranspose2d):
        pixels = x.reshape(conv.groups, conv.weight.shape[1], -1)
        return np.ascontiguousarray(pixels[:, :, _spread(pixels.shape[2], limit)])
    chosen = _spread(target.height * target.width, limit)
    (kh, kw), pads = conv.weight.shape[2:], conv.pads
    padded = np.pad(x, ((0, 0), (pads.top, pads.bottom), (pads.left, pads.right)))
    rows = _places(chosen // target.width, kh, conv.strides[0], conv.dilations[0])
    columns = _places(chosen % target.width, kw, conv.strides[1], conv.dilations[1])
    taken = padded[:, rows[:, :, None], columns[:, None, :]]
    grouped = taken.transpose(0, 2, 3, 1).reshape(conv.groups, -1, chosen.size)
    return np.ascontiguousarray(grouped)


def _places(outputs: NDArray[np.intp], kernel: int, stride: int, dilation: int) -> NDArray[np.intp]:
    """The padded rows or columns [n, kernel] that each output reads."""
    return outputs[:, None] * stride + np.arange(kernel) * dilation


def _spread(count: int, limit: int) -> NDArray[np.intp]:
    """At most `limit` of `count` places, evenly."""
    taken = min(count, limit)
    return np.arange(taken) * count // taken
