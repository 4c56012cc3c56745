# SPDX-License-Identifier: Apache-2.0
"""One frozen dataclass per layer kind: what is computed, never how.

Layers derived from `SourceLayer` are what a model file may hold besides; they exist between import
and lowering only, and passes fold every one of them into its neighbours.
"""

from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from flexcc.ir.functions import Expression

__all__ = [
    "MOVES",
    "Add",
    "AveragePool2d",
    "ChannelAffine",
    "ChannelMax",
    "Clamp",
    "Clamped",
    "Clip",
    "Concat",
    "Conv2d",
    "ConvTranspose2d",
    "Convolution",
    "Coordinates",
    "Cost",
    "DepthToSpace",
    "Elementwise",
    "Interpolate2d",
    "Layer",
    "LocalNorm",
    "MaxPool2d",
    "Mul",
    "PRelu",
    "Pads",
    "Rearrange",
    "Reshape",
    "Select",
    "SourceLayer",
    "SpaceToDepth",
    "Table",
    "clamp_of",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pads:
    """Padding in pixels on each side; negative values are not allowed."""

    top: int = 0
    left: int = 0
    bottom: int = 0
    right: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Clamp:
    """Real-valued bounds of a fused Relu or Clip; None is unbounded."""

    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a layer takes in the model: products for one image, and weights and biases."""

    macs: int
    parameters: int


class Coordinates(Enum):
    """Where output pixel o of `out` lies among `in` input pixels, as ONNX calls it."""

    HALF_PIXEL = "half_pixel"
    """(o + 1/2) in / out - 1/2"""
    ASYMMETRIC = "asymmetric"
    """o in / out"""
    ALIGN_CORNERS = "align_corners"
    """o (in - 1) / (out - 1)"""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Layer:
    """A named computation from input tensors to one output tensor."""

    name: str
    inputs: tuple[str, ...]
    output: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Clamped(Layer):
    """A layer that computes new numbers, and clamps them."""

    clamp: Clamp = Clamp()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Convolution(Clamped):
    """What the two kinds of convolution share: weights, fused bias and clamp, window geometry.

    `slope`, float32 [Co], multiplies outputs below zero (LeakyRelu, PRelu) before the clamp; None
    leaves them as they are.
    `weight` is [Co, Ci/groups, kh, kw], float32 before and int8 (symmetric) after quantisation.
    `weight_scale` is float32 [Co] after quantisation, else None.
    `bias` is [Co]: float32 before, int32 at scale input_scale * weight_scale after quantisation;
    float64 at that scale where an imported model's bias is no whole number of steps.
    `ratio` is how many output steps a step of the accumulator is, where that is not the float32
    that the scales give: of means and interpolations, which round their own ratio.
    `cost` is None where the model's layer takes what the weights here tell; a layer that came to
    be a two-dimensional one by repeated weights and zeros among them carries it.
    """

    weight: NDArray[np.float32] | NDArray[np.int8]
    weight_scale: NDArray[np.float32] | None = None
    bias: NDArray[np.float32] | NDArray[np.int32] | NDArray[np.float64]
    strides: tuple[int, int] = (1, 1)
    pads: Pads = Pads()
    dilations: tuple[int, int] = (1, 1)
    groups: int = 1
    slope: NDArray[np.float32] | None = None
    ratio: float | None = None
    cost: Cost | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Conv2d(Convolution):
    """out[o] = sum over k of in[o*stride + k*dilation - pad] * w[k] along each axis, zero outside.

    A fully connected layer is a convolution whose kernel is as large as its input.
    """

    @property
    def of_single_values(self) -> bool:
        """Whether every output is a function of the one input at its place."""
        outputs, inputs, *kernel = self.weight.shape
        plain = (kernel, self.strides, self.pads) == ([1, 1], (1, 1), Pads())
        return plain and inputs == 1 and outputs == self.groups


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ConvTranspose2d(Convolution):
    """in[i] * w[k] is added to out[i*stride + k*dilation - pad] along each axis.

    An axis has (in - 1)*stride + (k - 1)*dilation + 1 - pads + output_padding outputs; those that
    nothing is added to are the bias alone. `weight` is [Co, Ci/groups, kh, kw], not ONNX's
    [Ci, Co/groups, kh, kw].
    """

    output_padding: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MaxPool2d(Layer):
    """Maximum over a window; padding never wins. Input and output share one quantisation."""

    kernel: tuple[int, int]
    strides: tuple[int, int]
    pads: Pads = Pads()
    dilations: tuple[int, int] = (1, 1)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Elementwise(Layer):
    """A layer that works element by element.

    Passes may fold it into its neighbours, so until they have run its inputs and output need no
    scale in an integer graph.
    """


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Add(Clamped, Elementwise):
    """Sum of two tensors, or their difference if `subtract`, and a clamp.

    A dimension of size 1 is repeated to fit the other operand's.
    """

    subtract: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Mul(Clamped, Elementwise):
    """Product of two tensors and a clamp; a dimension of size 1 is repeated to fit the other's."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Table(Elementwise):
    """A function of each element, which integers look up in a table of 256 entries."""

    function: Expression


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AveragePool2d(Clamped):
    """Mean over a window of the pixels in it, and a clamp.

    Padding adds 0; of it the outermost pixels within `counted` of the image count in the divisor.
    """

    kernel: tuple[int, int]
    strides: tuple[int, int]
    pads: Pads = Pads()
    counted: Pads = Pads()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LocalNorm(Clamped):
    """x / (bias + alpha/size * s)^beta, s the sum of x^2 over `size` channels around, and a clamp.

    The channels are the (size-1)/2 on either side that there are. `size` is odd; the other numbers
    are positive.
    """

    size: int
    alpha: float
    beta: float
    bias: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ChannelMax(Layer):
    """Maximum over all channels, [1,H,W]. Input and output share one quantisation."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Interpolate2d(Clamped):
    """Linear interpolation to another height and width, along each axis, and a clamp.

    What lies beyond the border is the border. `coordinates` says where an output pixel looks.
    """

    height: int
    width: int
    coordinates: Coordinates


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Concat(Layer):
    """The inputs one behind the other along axis 0 (channels), 1 (rows) or 2 (columns).

    In an integer graph an input of another scale is brought to the output's.
    """

    axis: int = 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Select(Layer):
    """out[c, y, x] = in[channels[c], rows[y], columns[x]], or `fill` where an index is -1.

    Slices, splits, shuffles, padding of any kind and resizing to the nearest pixel. Input and
    output share one quantisation.
    """

    channels: tuple[int, ...]
    rows: tuple[int, ...]
    columns: tuple[int, ...]
    fill: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DepthToSpace(Layer):
    """out[c, y*b + i, x*b + j] = in[(i*b + j)*C + c, y, x] with C output channels, b = `block`.

    Input and output share one quantisation.
    """

    block: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SpaceToDepth(Layer):
    """out[(i*b + j)*C + c, y, x] = in[c, y*b + i, x*b + j] with C input channels, b = `block`.

    Input and output share one quantisation.
    """

    block: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SourceLayer(Layer):
    """A layer that passes must fold away before the graph is quantised or mapped."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Clip(SourceLayer):
    """Relu, Relu6 or Clip standing alone; the shape stays."""

    clamp: Clamp


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ChannelAffine(SourceLayer):
    """Batch normalisation or arithmetic with constants: scale * x + offset, each float64 [C]."""

    scale: NDArray[np.float64]
    offset: NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PRelu(SourceLayer):
    """LeakyRelu or PRelu: what is below zero is multiplied by the channel's slope, float32 [C]."""

    slope: NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reshape(SourceLayer):
    """The same values in channel-row-column order under the shape of the output tensor."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rearrange(SourceLayer):
    """The input's values in another order, both counted channel by channel, row by row.

    Output i is input index[i]; int64, one entry per output value.
    """

    index: NDArray[np.int64]


MOVES = (MaxPool2d, ChannelMax, Select, DepthToSpace, SpaceToDepth)
"""Kinds of one input that make no new numbers: their input and output share one quantisation."""


def clamp_of(layer: Layer) -> Clamp:
    """The bounds of a layer's output; none for kinds that have no clamp."""
    return layer.clamp if isinstance(layer, Clamped | Clip) else Clamp()
