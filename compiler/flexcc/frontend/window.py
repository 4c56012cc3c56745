# SPDX-License-Identifier: Apache-2.0
"""Window attributes that Conv and MaxPool share: strides, dilations, pads and auto_pad."""

from dataclasses import dataclass

from flexcc.frontend.node import Node, NodeError
from flexcc.ir.layers import Pads
from flexcc.ir.shapes import extent

__all__ = ["Window", "take_window"]

Pair = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Kernel size, steps and padding, and the size of the output they give."""

    kernel: Pair
    strides: Pair
    dilations: Pair
    pads: Pads
    size: Pair


def take_window(node: Node, kernel: Pair, image: Pair, *, ceil_mode: bool = False) -> Window:
    """Takes strides, dilations, pads and auto_pad of a node that works on an image of that size.

    With `ceil_mode` the pads grow at the bottom and right until the last, partial window fits; only
    a window operation to which padding is neutral may use them so.
    """
    strides, dilations = _pair(node, "strides"), _pair(node, "dilations")
    if min(kernel) < 1 or min(strides) < 1 or min(dilations) < 1:
        raise NodeError(
            f"kernel {list(kernel)}, strides {list(strides)} and dilations {list(dilations)} must "
            "be positive"
        )
    spans = _span(kernel[0], dilations[0]), _span(kernel[1], dilations[1])
    sides = _pads(node, image, strides, dilations, spans)
    if ceil_mode:
        sides = tuple(_ceil(*axis) for axis in zip(image, strides, spans, sides, strict=True))
    size = tuple(
        extent(*axis) for axis in zip(image, kernel, strides, dilations, sides, strict=True)
    )
    if min(size) < 1:
        raise NodeError(
            f"its window of {spans[0]}x{spans[1]} pixels is larger than its padded input of "
            f"{image[0] + sum(sides[0])}x{image[1] + sum(sides[1])}"
        )
    (top, bottom), (left, right) = sides
    return Window(
        kernel=kernel,
        strides=strides,
        dilations=dilations,
        pads=Pads(top=top, left=left, bottom=bottom, right=right),
        size=(size[0], size[1]),
    )


def _span(kernel: int, dilation: int) -> int:
    return (kernel - 1) * dilation + 1


def _pair(node: Node, name: str) -> Pair:
    values = node.take_ints(name)
    if values is None:
        return 1, 1
    if len(values) != 2:
        raise NodeError(f"its attribute {name} has {len(values)} values, not two")
    return values[0], values[1]


def _pads(node: Node, image: Pair, strides: Pair, dilations: Pair, spans: Pair) -> tuple[Pair, ...]:
    """Padding before and after, per axis."""
    values = node.take_ints("pads")
    mode = node.take_string("auto_pad", "NOTSET")
    if values is not None and len(values) != 4:
        raise NodeError(f"its attribute pads has {len(values)} values, not four")
    if mode == "NOTSET":
        top, left, bottom, right = values or (0, 0, 0, 0)
        if min(top, left, bottom, right) < 0:
            raise NodeError(f"its pads {values} must not be negative")
        return (top, bottom), (left, right)
    if values is not None and any(values):
        raise NodeError(f"its pads {values} contradict auto_pad={mode}")
    if mode == "VALID":
        return (0, 0), (0, 0)
    if mode not in ("SAME_UPPER", "SAME_LOWER"):
        raise NodeError(f"auto_pad={mode} is not defined by ONNX")
    if dilations != (1, 1):
        # ONNX Runtime ignores the dilation of pools here and refuses that of convolutions.
        raise NodeError(
            f"auto_pad={mode} with dilations {list(dilations)} is read differently by "
            "ONNX's tools; give explicit pads"
        )
    return tuple(
        _same(*axis, lower=mode == "SAME_LOWER") for axis in zip(image, strides, spans, strict=True)
    )


def _same(size: int, stride: int, span: int, *, lower: bool) -> Pair:
    """Padding for ceil(size / stride) windows; an odd pixel goes after, or before if `lower`."""
    total = max((-(-size // stride) - 1) * stride + span - size, 0)
    small = total // 2
    return (total - small, small) if lower else (small, total - small)


def _ceil(size: int, stride: int, span: int, pads: Pair) -> Pair:
    """Padding with which the last window fits, unless it would start in the padding after."""
    before, after = pads
    windows = -(-(size + before + after - span) // stride) + 1
    if (windows - 1) * stride >= size + before:
        windows -= 1
    return before, max(after, (windows - 1) * stride + span - size - before)
