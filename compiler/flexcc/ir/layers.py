# SPDX-License-Identifier: Apache-2.0
"""One frozen dataclass per layer kind: what is computed, never how."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Clamp", "Conv2d", "Layer", "MaxPool2d", "Pads"]


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


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Layer:
    """A named computation from input tensors to one output tensor."""

    name: str
    inputs: tuple[str, ...]
    output: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Conv2d(Layer):
    """Convolution with fused bias and clamp; a fully connected layer is one whose kernel is its input.

    `weight` is [Co, Ci/groups, kh, kw], float32 before and int8 (symmetric) after quantisation.
    `weight_scale` is float32 [Co] after quantisation, else None.
    `bias` is [Co]: float32 before, int32 at scale input_scale * weight_scale after quantisation.
    """

    weight: NDArray[np.float32] | NDArray[np.int8]
    weight_scale: NDArray[np.float32] | None = None
    bias: NDArray[np.float32] | NDArray[np.int32]
    strides: tuple[int, int] = (1, 1)
    pads: Pads = Pads()
    dilations: tuple[int, int] = (1, 1)
    groups: int = 1
    clamp: Clamp = Clamp()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MaxPool2d(Layer):
    """Maximum over a window; padding never wins. Input and output share one quantisation."""

    kernel: tuple[int, int]
    strides: tuple[int, int]
    pads: Pads = Pads()
    dilations: tuple[int, int] = (1, 1)
