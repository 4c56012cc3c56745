# SPDX-License-Identifier: Apache-2.0
"""Window attributes of convolutions and pools: kernel_shape, strides, dilations, pads, auto_pad.

Operators over one dimension, [1,C,L], are those over images of height 1: here every attribute has
two values, that of the height being the neutral one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from flexcc.frontend.node import Node, NodeError
from flexcc.frontend.values import Activation, Shape
from flexcc.ir.layers import Pads
from flexcc.ir.shapes import extent

__all__ = [
    "Pair",
    "Sides",
    "Window",
    "as_pads",
    "image_size",
    "lifted",
    "of_length",
    "output_shape",
    "same_sides",
    "take_kernel",
    "take_pads",
    "take_pair",
    "take_steps",
    "take_window",
]

Pair = tuple[int, int]
Sides = tuple[Pair, Pair]
"""Padding (top, bottom), (left, right)."""

# No image has more rows or columns.
_LARGEST = 1 << 16
_AUTO_PADS = ("NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER")


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Kernel size, steps and padding, and the size of the output they give."""

    kernel: Pair
    strides: Pair
    dilations: Pair
    pads: Pads
    size: Pair


def image_size(source: Activation) -> Pair:
    """Height and width of [1,C,H,W] or [1,C,L]."""
    return lifted(source.shape[2:], 1)


def output_shape(source: Activation, channels: int, size: Pair) -> Shape:
    """The ONNX shape of an output of that size, of the rank of the input."""
    return 1, channels, *(size if len(source.shape) == 4 else size[1:])


def take_kernel(node: Node, rank: int) -> Pair | None:
    """The attribute kernel_shape over `rank` dimensions."""
    values = node.take_ints("kernel_shape")
    return None if values is None else lifted(of_length(values, "kernel_shape", rank), 1)


def take_steps(node: Node, kernel: Pair, rank: int) -> tuple[Pair, Pair]:
    """Takes strides and dilations; they and the kernel must be positive."""
    strides, dilations = (take_pair(node, name, rank, 1) for name in ("strides", "dilations"))
    if min(*kernel, *strides, *dilations) < 1:
        shown = [list(pair[2 - rank :]) for pair in (kernel, strides, dilations)]
        raise NodeError(
            f"kernel {shown[0]}, strides {shown[1]} and dilations {shown[2]} must be positive"
        )
    if max(*kernel, *strides, *dilations) > _LARGEST:
        raise NodeError(
            f"a kernel, stride or dilation of {max(*kernel, *strides, *dilations)} is larger than "
            f"{_LARGEST}; the attribute is wrong"
        )
    return strides, dilations


def take_pads(node: Node, rank: int) -> tuple[Sides | None, str]:
    """Takes pads (None if absent) and auto_pad, which must not contradict each other."""
    values = node.take_ints("pads")
    mode = node.take_string("auto_pad", "NOTSET")
    if mode not in _AUTO_PADS:
        raise NodeError(f"auto_pad={mode} is not defined by ONNX")
    if values is None:
        return None, mode
    of_length(values, "pads", 2 * rank)
    if max(values) > _LARGEST:
        raise NodeError(f"its pads {values} are larger than {_LARGEST}; the attribute is wrong")
    if min(values) < 0:
        raise NodeError(f"its pads {values} must not be negative")
    if mode != "NOTSET" and any(values):
        raise NodeError(f"its pads {values} contradict auto_pad={mode}")
    before, after = lifted(values[:rank], 0), lifted(values[rank:], 0)
    return ((before[0], after[0]), (before[1], after[1])), mode


def take_window(node: Node, kernel: Pair, source: Activation, *, ceil_mode: bool = False) -> Window:
    """Takes strides, dilations, pads and auto_pad of a node that slides over `source`.

    With `ceil_mode` the pads grow at the bottom and right until the last, partial window fits; only
    a window operation to which padding is neutral may use them so.
    """
    rank, image = len(source.shape) - 2, image_size(source)
    strides, dilations = take_steps(node, kernel, rank)
    spans = _span(kernel[0], dilations[0]), _span(kernel[1], dilations[1])
    given, mode = take_pads(node, rank)
    sides = given or ((0, 0), (0, 0))
    if mode.startswith("SAME"):
        _refuse_dilation(mode, dilations, rank)
        top, left = (
            same_sides(max((-(-size // stride) - 1) * stride + span - size, 0), mode)
            for size, stride, span in zip(image, strides, spans, strict=True)
        )
        sides = top, left
    if ceil_mode:
        top, left = (_ceil(*axis) for axis in zip(image, strides, spans, sides, strict=True))
        sides = top, left
    size = tuple(
        extent(*axis) for axis in zip(image, kernel, strides, dilations, sides, strict=True)
    )
    if min(size) < 1:
        raise NodeError(
            f"its window of {spans[0]}x{spans[1]} pixels is larger than its padded input of "
            f"{image[0] + sum(sides[0])}x{image[1] + sum(sides[1])}"
        )
    return Window(
        kernel=kernel,
        strides=strides,
        dilations=dilations,
        pads=as_pads(sides),
        size=(size[0], size[1]),
    )


def as_pads(sides: Sides) -> Pads:
    """The padding of a layer."""
    (top, bottom), (left, right) = sides
    return Pads(top=top, left=left, bottom=bottom, right=right)


def lifted(values: Sequence[int], neutral: int) -> Pair:
    """One or two values as those of height and width."""
    return (values[0], values[1]) if len(values) == 2 else (neutral, values[0])


def same_sides(total: int, mode: str) -> Pair:
    """Shares `total` pixels of padding; an odd one goes after for SAME_UPPER, else before."""
    small = total // 2
    return (small, total - small) if mode == "SAME_UPPER" else (total - small, small)


def _span(kernel: int, dilation: int) -> int:
    return (kernel - 1) * dilation + 1


def take_pair(node: Node, name: str, rank: int, default: int) -> Pair:
    """Takes an attribute of a value per dimension, which is `default` where there is none."""
    values = node.take_ints(name)
    return (default, default) if values is None else lifted(of_length(values, name, rank), default)


def of_length(values: list[int], name: str, length: int) -> list[int]:
    """The values of an attribute, whose number is known."""
    if len(values) != length:
        raise NodeError(f"its attribute {name} has {len(values)} values, not {length}")
    return values


def _refuse_dilation(mode: str, dilations: Pair, rank: int) -> None:
    # ONNX Runtime ignores the dilation of pools here and refuses that of convolutions.
    if dilations != (1, 1):
        raise NodeError(
            f"auto_pad={mode} with dilations {list(dilations[2 - rank :])} is read differently by "
            "ONNX's tools; give explicit pads"
        )


def _ceil(size: int, stride: int, span: int, pads: Pair) -> Pair:
    """Padding with which the last window fits, unless it would start in the padding after."""
    before, after = pads
    windows = -(-(size + before + after - span) // stride) + 1
    if (windows - 1) * stride >= size + before:
        windows -= 1
    return before, max(after, (windows - 1) * stride + span - size - before)
