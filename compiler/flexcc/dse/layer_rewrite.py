# SPDX-License-Identifier: Apache-2.0
"""A convolution over a packed input and a blocked output: the same numbers from other weights.

Every output channel of the rewritten layer is one of the layer's with one phase of its pixels: it
has the same scale, bias and clamp, and sums the same products, so that it requantises equally.
"""

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from flexcc.dse.axis_rewrite import AxisRewrite, axes_of, rewrite_axis
from flexcc.ir.layers import Conv2d, Convolution, ConvTranspose2d, Pads
from flexcc.ir.packing import Packing
from flexcc.ir.types import TensorType

__all__ = ["UNBLOCKED", "Block", "LayerRewrite", "dense_weight", "rewrite_layer"]

Block = tuple[int, int]
"""Rows and columns of pixels that stand side by side in the channels of a tensor."""
UNBLOCKED: Block = (1, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerRewrite:
    """Both axes of a rewritten convolution."""

    y: AxisRewrite
    x: AxisRewrite

    @property
    def kind(self) -> type[Conv2d] | type[ConvTranspose2d]:
        """What `layer` makes."""
        return ConvTranspose2d if self.y.transposed else Conv2d

    def layer(self, conv: Convolution) -> Convolution:
        """`conv` rewritten; groups become blocks of weights, all others zero."""
        if conv.weight_scale is None:
            raise ValueError(f"{conv.name}: only quantised layers are rewritten")
        y, x = self.y, self.x
        phases = y.phases * x.phases
        plain = Conv2d(**{field.name: getattr(conv, field.name) for field in fields(Convolution)})
        rewritten = replace(
            plain,
            weight=self._weight(conv),
            weight_scale=np.concatenate([conv.weight_scale] * phases),
            bias=np.concatenate([conv.bias] * phases),
            slope=None if conv.slope is None else np.concatenate([conv.slope] * phases),
            strides=(y.stride, x.stride),
            pads=Pads(top=y.before, left=x.before, bottom=y.after, right=x.after),
            dilations=(y.dilation, x.dilation),
            groups=1,
        )
        if self.kind is Conv2d:
            return rewritten
        return ConvTranspose2d(
            **{field.name: getattr(rewritten, field.name) for field in fields(rewritten)},
            output_padding=(y.output_padding, x.output_padding),
        )

    def _weight(self, conv: Convolution) -> NDArray[np.int8]:
        """Weights [phases*Co, lanes*Ci, kh, kw]: each tap's in its phase, lane and element."""
        weight = dense_weight(conv)
        outputs, inputs = weight.shape[:2]
        y, x = self.y, self.x
        shape = (y.phases, x.phases, outputs, y.lanes, x.lanes, inputs, y.kernel, x.kernel)
        spread = np.zeros(shape, np.int8)
        for v in y.taps:
            for h in x.taps:
                spread[v.phase, h.phase, :, v.lane, h.lane, :, v.new, h.new] = weight[
                    :, :, v.old, h.old
                ]
        return spread.reshape(
            y.phases * x.phases * outputs, y.lanes * x.lanes * inputs, y.kernel, x.kernel
        )


def rewrite_layer(
    conv: Convolution, source: TensorType, target: TensorType, packing: Packing, blocks: Block
) -> LayerRewrite | None:
    """The rewrite of a layer from `source`, packed, to `target` in blocks; None if there is none.

    Neither `source` nor `target` is packed yet. A convolution is preferred to a transposed one,
    both axes must be the same.
    """
    rows, cols = axes_of(conv, source, target)
    for transposed in (False, True):
        y = rewrite_axis(rows, packing.y, blocks[0], transposed=transposed)
        x = rewrite_axis(cols, packing.x, blocks[1], transposed=transposed)
        if y is not None and x is not None:
            return LayerRewrite(y=y, x=x)
    return None


def dense_weight(conv: Convolution) -> NDArray[np.int8]:
    """Weights [Co, Ci, kh, kw] over all input channels, zero where groups differ."""
    weight = conv.weight.astype(np.int8)
    if conv.groups == 1:
        return weight
    outputs, inputs, *kernel = weight.shape
    per_group = outputs // conv.groups
    dense = np.zeros((outputs, inputs * conv.groups, *kernel), np.int8)
    for group in range(conv.groups):
        own = slice(group * per_group, (group + 1) * per_group)
        dense[own, group * inputs : (group + 1) * inputs] = weight[own]
    return dense
