# SPDX-License-Identifier: Apache-2.0
"""Convolutions over [1,C,D,H,W], which become convolutions over images of C*D channels.

Channel c at depth d is channel c*D + d of the image, and a kernel of kz planes becomes a band:

    weight[co*Do + do, c*D + di] = w[co, c, kz]  where di = do*stride + kz*dilation - pad

for a transposed one where do = di*stride + kz*dilation - pad, and zero elsewhere. Planes of padding
have no weights, which is exact: they are zero. Reduction lists leave out zeros that fill a block of
rows and lanes; zeros beside weights cost cycles: of a 3x3x3 kernel over 16 planes, 18 % of what an
array of 8 rows and lanes multiplies is useful, over 4 planes 63 %.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from flexcc.frontend.node import NodeError
from flexcc.frontend.parameters import Bias, Weights
from flexcc.frontend.values import Activation
from flexcc.frontend.window import DepthWindow, Window, axis_sizes
from flexcc.ir.layers import Cost

__all__ = ["PlaneWeights", "plane_weights"]

# 256 MB as float32.
_LARGEST = 1 << 26


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PlaneWeights:
    """Weights [Co, Ci/groups, kh, kw], scale and bias [Co] of a layer over images.

    `cost` is what the model's layer takes where the weights do not tell.
    """

    weight: NDArray[np.float32] | NDArray[np.int8] | NDArray[np.int16]
    weight_scale: NDArray[np.float32] | None
    bias: Bias
    cost: Cost | None


def plane_weights(
    weights: Weights, bias: Bias, window: Window, source: Activation, *, transposed: bool = False
) -> PlaneWeights:
    """The weights [Co, Ci/groups, ...] of one to three dimensions and their bias, for images.

    Every plane of an output channel has that channel's scale and bias.

    Raises:
        NodeError: the weights of a volume would be too many.
    """
    values, depth = weights.values, window.depth
    pixels = prod(axis_sizes(source)[-2:] if transposed else window.size)
    parameters = values.size + (bias.size if bias.any() else 0)
    if depth is None:
        return PlaneWeights(
            weight=values.reshape(*values.shape[:2], *window.kernel),
            weight_scale=weights.scale,
            bias=bias,
            # Other weights will take the place of wide ones.
            cost=Cost(macs=values.size * pixels, parameters=parameters)
            if values.dtype == np.int16
            else None,
        )
    channels, per_group = values.shape[:2]
    shape = (channels, depth.size, per_group, source.depth, *window.kernel)
    if prod(shape) > _LARGEST:
        raise NodeError(
            f"over a depth of {source.depth} its weights {list(values.shape)} become "
            f"{prod(shape):,} by plane, more than {_LARGEST:,}; cut the volume into thinner ones, "
            "or give the layer fewer channels"
        )
    products = list(_products(depth, source.depth, transposed=transposed))
    band = np.zeros(shape, values.dtype)
    for target, plane, element in products:
        band[:, target, :, plane] = values[:, :, element]
    return PlaneWeights(
        weight=band.reshape(channels * depth.size, per_group * source.depth, *window.kernel),
        weight_scale=None if weights.scale is None else np.repeat(weights.scale, depth.size),
        bias=bias.repeat(depth.size),
        cost=Cost(
            macs=len(products) * channels * per_group * prod(window.kernel) * pixels,
            parameters=parameters,
        ),
    )


def _products(
    depth: DepthWindow, planes: int, *, transposed: bool
) -> Iterator[tuple[int, int, int]]:
    """Output plane, input plane and kernel plane of every product along the depth."""
    steps, others = (planes, depth.size) if transposed else (depth.size, planes)
    for step in range(steps):
        for element in range(depth.kernel):
            other = step * depth.stride + element * depth.dilation - depth.pad
            if 0 <= other < others:
                yield (other, step, element) if transposed else (step, other, element)
