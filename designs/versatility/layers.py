# SPDX-License-Identifier: Apache-2.0
"""Single dilated and transposed layers, as integer graphs with seeded random weights.

The runs must be long, so that start, first load and last store vanish in them. A dilated layer
loads a window of 2*dilation + 1 rows first, which many output channels make up for.
"""

from dataclasses import dataclass, replace
from enum import Enum
from math import prod, sqrt

import numpy as np
from numpy.typing import NDArray

from flexcc.ir import Conv2d, ConvTranspose2d, Graph, Pads, Port, Quantization, TensorType
from flexcc.ir.layers import Convolution

__all__ = ["LAYERS", "Kind", "SingleLayer", "network", "pixels"]

_QUANTIZATION = Quantization(scale=0.0625, zero_point=-5)
# The spread of a uniform int8, and the one that outputs are to have.
_INT8_SPREAD, _OUTPUT_SPREAD = 74, 50


class Kind(Enum):
    """What `step` means: a dilated layer keeps its image's size, a transposed one multiplies it."""

    DILATED = "dilated by"
    TRANSPOSED = "transposed, stride"


@dataclass(frozen=True, slots=True, kw_only=True)
class SingleLayer:
    """A square layer on a square image."""

    kind: Kind
    kernel: int
    step: int
    inputs: int
    outputs: int
    size: int

    @property
    def name(self) -> str:
        """What it is, without its channels and pixels."""
        return f"{self.kernel}x{self.kernel} {self.kind.value} {self.step}"

    @property
    def shape(self) -> str:
        """Channels and input pixels."""
        return f"{self.inputs} to {self.outputs} channels, {self.size} x {self.size}"


def _transposed(kernel: int, stride: int, size: int = 64) -> SingleLayer:
    return SingleLayer(
        kind=Kind.TRANSPOSED, kernel=kernel, step=stride, inputs=64, outputs=64, size=size
    )


def _dilated(step: int) -> SingleLayer:
    return SingleLayer(kind=Kind.DILATED, kernel=3, step=step, inputs=16, outputs=256, size=64)


LAYERS = (
    _transposed(2, 2, size=96),
    _transposed(3, 2),
    _transposed(4, 2),
    _transposed(3, 3),
    _transposed(4, 4),
    _dilated(2),
    _dilated(4),
    _dilated(5),
    _dilated(8),
    _dilated(16),
)
"""Those of the table of docs/results.md, in its order."""


def network(layer: SingleLayer, seed: int = 1) -> Graph:
    """The layer between the input `x` and the output `y`."""
    rng = np.random.default_rng(seed)
    shape = (layer.outputs, layer.inputs, layer.kernel, layer.kernel)
    # An output of a transposed layer sums over a share of the kernel.
    products = prod(shape[1:])
    if layer.kind is Kind.TRANSPOSED:
        products = max(1, products // layer.step**2)
    scale = _OUTPUT_SPREAD / (_INT8_SPREAD**2 * sqrt(products))
    plain = Conv2d(
        name="layer",
        inputs=("x",),
        output="y",
        weight=rng.integers(-128, 128, shape, np.int8),
        weight_scale=(rng.uniform(0.5, 1.5, layer.outputs) * scale).astype(np.float32),
        bias=rng.integers(-3000, 3000, layer.outputs, np.int32),
    )
    conv, grown = _place(plain, layer)
    x = TensorType(
        channels=layer.inputs, height=layer.size, width=layer.size, quantization=_QUANTIZATION
    )
    y = replace(x, channels=layer.outputs, height=grown, width=grown)
    return Graph(
        name=layer.name,
        inputs=(_port("x", x),),
        outputs=(_port("y", y),),
        tensors={"x": x, "y": y},
        layers=(conv,),
    )


def pixels(graph: Graph, seed: int = 2) -> NDArray[np.int8]:
    """A random image [C, H, W] for a network."""
    x = graph.tensors["x"]
    shape = (x.channels, x.height, x.width)
    return np.random.default_rng(seed).integers(-128, 128, shape, np.int8)


def _place(conv: Conv2d, layer: SingleLayer) -> tuple[Convolution, int]:
    """The convolution with its geometry, and the height and width of its output."""
    if layer.kind is Kind.DILATED:
        both = (layer.kernel - 1) * layer.step
        dilated = replace(conv, dilations=(layer.step,) * 2, pads=_pads(both))
        return dilated, layer.size
    transposed = ConvTranspose2d(
        name=conv.name,
        inputs=conv.inputs,
        output=conv.output,
        weight=conv.weight,
        weight_scale=conv.weight_scale,
        bias=conv.bias,
        strides=(layer.step, layer.step),
        pads=_pads(layer.kernel - layer.step),
    )
    return transposed, layer.size * layer.step


def _pads(both: int) -> Pads:
    """`both` pixels of padding along each axis, an odd one after the image."""
    before, after = both // 2, both - both // 2
    return Pads(top=before, left=before, bottom=after, right=after)


def _port(tensor: str, type_: TensorType) -> Port:
    shape = (1, type_.channels, type_.height, type_.width)
    return Port(tensor=tensor, onnx_name=tensor, onnx_shape=shape)
