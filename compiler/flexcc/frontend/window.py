# SPDX-License-Identifier: Apache-2.0
"""Window attributes of convolutions and pools: kernel_shape, strides, dilations, pads, auto_pad.

Operators over one dimension, [1,C,L], are those over images of height 1: here every attribute has
two values, that of the height being the neutral one. Over three dimensions, [1,C,D,H,W], it has
three, that of the depth in front.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from flexcc.frontend.node import Node, NodeError
from flexcc.frontend.values import Activation, Shape
from flexcc.ir.layers import Pads
from flexcc.ir.shapes import extent

__all__ = [
    "DepthWindow",
    "Pair",
    "Sides",
    "Values",
    "Window",
    "as_pads",
    "as_window",
    "axis_sizes",
    "image_size",
    "lifted",
    "of_length",
    "output_shape",
    "same_sides",
    "take_kernel",
    "take_pads",
    "take_steps",
    "take_values",
    "take_window",
]

Pair = tuple[int, int]
Values = tuple[int, ...]
"""Of height and width, or of depth, height and width."""
Sides = tuple[Pair, ...]
"""Padding (front, back) if there is a depth, (top, bottom), (left, right)."""

# No image has more rows or columns.
_LARGEST = 1 << 16
_AUTO_PADS = ("NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER")


@dataclass(frozen=True, slots=True, kw_only=True)
class DepthWindow:
    """What a window over [1,C,D,H,W] is along D; `pad` stands in front, `size` is the output's."""

    kernel: int
    stride: int
    dilation: int
    pad: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Kernel size, steps and padding over height and width, and the size of the output they give.

    `depth` is the same over the depth of [1,C,D,H,W]; None if there is none.
    `given` is the padding without what ceil_mode adds.
    """

    kernel: Pair
    strides: Pair
    dilations: Pair
    pads: Pads
    given: Pads
    size: Pair
    depth: DepthWindow | None = None


def image_size(source: Activation) -> Pair:
    """Height and width of [1,C,H,W] or [1,C,L]."""
    height, width = axis_sizes(source)
    return height, width


def axis_sizes(source: Activation) -> Values:
    """Height and width, or depth, height and width."""
    return lifted(source.shape[2:], 1)


def output_shape(source: Activation, channels: int, size: Pair) -> Shape:
    """The ONNX shape of an output of that size, of the rank of the input; one without a depth."""
    return 1, channels, *(size if len(source.shape) == 4 else size[1:])


def take_kernel(node: Node, rank: int) -> Values | None:
    """The attribute kernel_shape over `rank` dimensions."""
    values = node.take_ints("kernel_shape")
    return None if values is None else lifted(of_length(values, "kernel_shape", rank), 1)


def take_steps(node: Node, kernel: Values, rank: int) -> tuple[Values, Values]:
    """Takes strides and dilations; they and the kernel must be positive."""
    strides, dilations = (take_values(node, name, rank, 1) for name in ("strides", "dilations"))
    if min(*kernel, *strides, *dilations) < 1:
        shown = [list(values[-rank:]) for values in (kernel, strides, dilations)]
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
    return tuple(zip(before, after, strict=True)), mode


def take_window(
    node: Node, kernel: Values, source: Activation, *, ceil_mode: bool = False
) -> Window:
    """Takes strides, dilations, pads and auto_pad of a node that slides over `source`.

    With `ceil_mode` the pads grow at the bottom and right until the last, partial window fits; only
    a window operation to which padding is neutral may use them so.
    """
    rank, image = len(source.shape) - 2, axis_sizes(source)
    strides, dilations = take_steps(node, kernel, rank)
    spans = [_span(*axis) for axis in zip(kernel, dilations, strict=True)]
    given, mode = take_pads(node, rank)
    sides = given or ((0, 0),) * len(image)
    if mode.startswith("SAME"):
        _refuse_dilation(mode, dilations, rank)
        sides = tuple(
            same_sides(max((-(-size // stride) - 1) * stride + span - size, 0), mode)
            for size, stride, span in zip(image, strides, spans, strict=True)
        )
    own = sides
    if ceil_mode:
        sides = tuple(_ceil(*axis) for axis in zip(image, strides, spans, sides, strict=True))
    size = tuple(
        extent(*axis) for axis in zip(image, kernel, strides, dilations, sides, strict=True)
    )
    if min(size) < 1:
        padded = [pixels + sum(pads) for pixels, pads in zip(image, sides, strict=True)]
        raise NodeError(
            f"its window of {_times(spans)} pixels is larger than its padded input of "
            f"{_times(padded)}"
        )
    return replace(as_window(kernel, strides, dilations, sides, size), given=as_pads(own))


def as_window(
    kernel: Values, strides: Values, dilations: Values, sides: Sides, size: Values
) -> Window:
    """The window of these values; a third one, in front, is that of the depth."""
    depth = None
    if len(kernel) == 3:
        depth = DepthWindow(
            kernel=kernel[0],
            stride=strides[0],
            dilation=dilations[0],
            pad=sides[0][0],
            size=size[0],
        )
    return Window(
        kernel=(kernel[-2], kernel[-1]),
        strides=(strides[-2], strides[-1]),
        dilations=(dilations[-2], dilations[-1]),
        pads=as_pads(sides),
        given=as_pads(sides),
        size=(size[-2], size[-1]),
        depth=depth,
    )


def as_pads(sides: Sides) -> Pads:
    """The padding of a layer, which has none along a depth."""
    (top, bottom), (left, right) = sides[-2:]
    return Pads(top=top, left=left, bottom=bottom, right=right)


def lifted(values: Sequence[int], neutral: int) -> Values:
    """The values of one dimension as those of height and width; those of more as they are."""
    return (neutral, *values) if len(values) == 1 else tuple(values)


def same_sides(total: int, mode: str) -> Pair:
    """Shares `total` pixels of padding; an odd one goes after for SAME_UPPER, else before."""
    small = total // 2
    return (small, total - small) if mode == "SAME_UPPER" else (total - small, small)


def _span(kernel: int, dilation: int) -> int:
    return (kernel - 1) * dilation + 1


def take_values(node: Node, name: str, rank: int, default: int) -> Values:
    """Takes an attribute of a value per dimension, which is `default` where there is none."""
    values = node.take_ints(name)
    return lifted([default] * rank if values is None else of_length(values, name, rank), default)


def of_length(values: list[int], name: str, length: int) -> list[int]:
    """The values of an attribute, whose number is known."""
    if len(values) != length:
        raise NodeError(f"its attribute {name} has {len(values)} values, not {length}")
    return values


def _times(values: Sequence[int]) -> str:
    return "x".join(map(str, values))


def _refuse_dilation(mode: str, dilations: Values, rank: int) -> None:
    # ONNX Runtime ignores the dilation of pools here and refuses that of convolutions.
    if max(dilations) > 1:
        raise NodeError(
            f"auto_pad={mode} with dilations {list(dilations[-rank:])} is read differently by "
            "ONNX's tools; give explicit pads"
        )


def _ceil(size: int, stride: int, span: int, pads: Pair) -> Pair:
    """Padding with which the last window fits, unless it would start in the padding after."""
    before, after = pads
    windows = -(-(size + before + after - span) // stride) + 1
    if (windows - 1) * stride >= size + before:
        windows -= 1
    return before, max(after, (windows - 1) * stride + span - size - before)
