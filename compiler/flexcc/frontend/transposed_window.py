# SPDX-License-Identifier: Apache-2.0
"""Window attributes of ConvTranspose: pads, output_padding and output_shape imply each other."""

from flexcc.frontend.node import Node, NodeError
from flexcc.frontend.values import Activation
from flexcc.frontend.window import (
    Pair,
    Sides,
    Values,
    Window,
    as_window,
    axis_sizes,
    lifted,
    of_length,
    same_sides,
    take_pads,
    take_steps,
    take_values,
)
from flexcc.ir.shapes import transposed_extent

__all__ = ["take_transposed_window"]


def take_transposed_window(node: Node, kernel: Values, source: Activation) -> tuple[Window, Pair]:
    """Takes every attribute of the window of a ConvTranspose; the second value is output_padding.

    That of a depth is in its size alone.

    With output_shape, or auto_pad SAME which stands for the input size times the strides, the pads
    follow from the size: together they are what the products reach beyond it. Where they reach
    less, the outputs at the end are those that nothing is added to.
    """
    rank, image = len(source.shape) - 2, axis_sizes(source)
    strides, dilations = take_steps(node, kernel, rank)
    extra = take_values(node, "output_padding", rank, 0)
    given, mode = take_pads(node, rank)
    wanted = _output_shape(node, rank)
    if wanted is None and mode.startswith("SAME"):
        wanted = tuple(pixels * stride for pixels, stride in zip(image, strides, strict=True))
    reach = [
        transposed_extent(*axis, (0, 0))
        for axis in zip(image, kernel, strides, dilations, strict=True)
    ]
    if wanted is None:
        sides = given or ((0, 0),) * len(image)
    else:
        totals = [sum(axis[:2]) - axis[2] for axis in zip(reach, extra, wanted, strict=True)]
        sides = _implied(totals, given, mode)
        extra = tuple(add + max(0, -total) for add, total in zip(extra, totals, strict=True))
    _check_extra(extra, strides, dilations, rank)
    size = tuple(sum(axis[:2]) - sum(axis[2]) for axis in zip(reach, extra, sides, strict=True))
    if min(size) < 1:
        raise NodeError(f"its pads leave no output: its size would be {list(size[-rank:])}")
    return as_window(kernel, strides, dilations, sides, size), (extra[-2], extra[-1])


def _output_shape(node: Node, rank: int) -> Values | None:
    values = node.take_ints("output_shape")
    if values is None:
        return None
    if min(of_length(values, "output_shape", rank)) < 1:
        raise NodeError(f"its output_shape {values} must be positive")
    return lifted(values, 1)


def _implied(totals: list[int], given: Sides | None, mode: str) -> Sides:
    """The pads of given sums; none where the sum is negative."""
    if mode.startswith("SAME") and min(totals) < 0:
        raise NodeError(
            f"auto_pad={mode} with more outputs than its products reach is read differently by "
            "ONNX's tools; give explicit pads and output_padding"
        )
    implied = tuple(same_sides(max(0, total), mode) for total in totals)
    if given is not None and given not in (((0, 0),) * len(totals), implied):
        raise NodeError(
            f"its pads {_in_order(given)} contradict its output_shape, which makes them "
            f"{_in_order(implied)}"
        )
    return implied


def _check_extra(extra: Values, strides: Values, dilations: Values, rank: int) -> None:
    """What ONNX demands; outputs further from any product are a mistake."""
    bounds = [max(pair) for pair in zip(strides, dilations, strict=True)]
    if min(extra) < 0 or any(
        value >= bound for value, bound in zip(extra, bounds, strict=True) if value
    ):
        raise NodeError(
            f"its output_padding {list(extra[-rank:])}, with what output_shape adds, must be "
            f"at least 0 and less than stride or dilation, {bounds[-rank:]}"
        )


def _in_order(sides: Sides) -> list[int]:
    return [*(before for before, _ in sides), *(after for _, after in sides)]
