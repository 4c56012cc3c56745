# SPDX-License-Identifier: Apache-2.0
"""Output shapes of layers."""

from math import prod

from flexcc.ir.layers import ChannelAffine, Clip, Conv2d, Layer, MaxPool2d, Pads, Reshape
from flexcc.ir.types import TensorType

__all__ = ["extent", "output_shape", "window_misses_input"]

Shape = tuple[int, int, int]


def extent(size: int, kernel: int, stride: int, dilation: int, pads: tuple[int, int]) -> int:
    """Number of window positions along an axis of `size` pixels; not positive if none fits."""
    return (size + pads[0] + pads[1] - (kernel - 1) * dilation - 1) // stride + 1


def output_shape(layer: Layer, source: TensorType, target: TensorType) -> Shape:
    """Channels, height and width that `layer` makes of `source`; a reshape obeys its `target`.

    Raises:
        ValueError: the layer cannot work on such an input; the text says why.
    """
    match layer:
        case Conv2d(weight=weight, groups=groups):
            channels, per_group, *kernel = weight.shape
            if source.channels != per_group * groups:
                raise ValueError(
                    f"its weights expect {per_group * groups} channels, its input has "
                    f"{source.channels}"
                )
            return channels, *_window(source, (kernel[0], kernel[1]), layer)
        case MaxPool2d(kernel=size):
            return source.channels, *_window(source, size, layer)
        case ChannelAffine(scale=scale):
            if scale.shape != (source.channels,):
                raise ValueError(f"{scale.size} factors for {source.channels} channels")
            return _shape(source)
        case Clip():
            return _shape(source)
        case Reshape():
            if prod(_shape(source)) != prod(_shape(target)):
                raise ValueError(f"it cannot turn {_shape(source)} into {_shape(target)}")
            return _shape(target)
    raise TypeError(f"no shape rule for {type(layer).__name__}")


def window_misses_input(
    size: int, kernel: int, stride: int, dilation: int, pads: tuple[int, int]
) -> bool:
    """Whether some window along an axis covers nothing but padding."""
    return not all(
        any(0 <= start + tap * dilation < size for tap in range(kernel))
        for start in range(
            -pads[0], -pads[0] + stride * extent(size, kernel, stride, dilation, pads), stride
        )
    )


def _window(
    source: TensorType, kernel: tuple[int, int], layer: Conv2d | MaxPool2d
) -> tuple[int, int]:
    pads: Pads = layer.pads
    height = extent(
        source.height, kernel[0], layer.strides[0], layer.dilations[0], (pads.top, pads.bottom)
    )
    width = extent(
        source.width, kernel[1], layer.strides[1], layer.dilations[1], (pads.left, pads.right)
    )
    if height < 1 or width < 1:
        raise ValueError(
            f"its window {kernel[0]}x{kernel[1]} with dilation "
            f"{layer.dilations[0]}x{layer.dilations[1]} is larger than its padded input "
            f"{source.height + pads.top + pads.bottom}x{source.width + pads.left + pads.right}"
        )
    return height, width


def _shape(tensor: TensorType) -> Shape:
    return tensor.channels, tensor.height, tensor.width
