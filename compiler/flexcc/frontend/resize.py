# SPDX-License-Identifier: Apache-2.0
"""Handlers of Resize and Upsample."""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor

import numpy as np

from flexcc.frontend.builder import GraphBuilder
from flexcc.frontend.image import add_image, image_axis, sizes_of, whole_numbers
from flexcc.frontend.node import Node, NodeError
from flexcc.frontend.select import add_select
from flexcc.frontend.values import Activation
from flexcc.ir.interpolation import position
from flexcc.ir.layers import Coordinates, Interpolate2d

__all__ = ["import_resize", "import_upsample"]

# Sizes times scales this close to whole numbers are meant to be them.
_WHOLE = 1e-3

_NEAREST: dict[str, Callable[[Fraction], int]] = {
    "round_prefer_floor": lambda place: ceil(place - Fraction(1, 2)),
    "round_prefer_ceil": lambda place: floor(place + Fraction(1, 2)),
    "floor": floor,
    "ceil": ceil,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _How:
    """Attributes as ONNX calls them."""

    mode: str
    coordinates: str
    nearest: str


def import_upsample(node: Node, build: GraphBuilder) -> Activation:
    """Upsample to the nearest pixel or linearly, as ONNX had it before Resize."""
    source = node.view()
    mode = node.take_string("mode", "nearest")
    if node.opset < 9:
        node.expect_inputs(1, 1)
        scales = node.take_floats("scales")
    else:
        node.expect_inputs(2, 2)
        scales = [float(scale) for scale in node.floats(1).reshape(-1)]
    how = _How(mode=mode, coordinates="asymmetric", nearest="floor")
    return _resized(node, build, source, _scaled(source, scales), how)


def import_resize(node: Node, build: GraphBuilder) -> Activation:
    """Resize to the nearest pixel or linearly, in any of ONNX's coordinates but those of a crop."""
    source = node.view()
    mode = node.take_string("mode", "nearest")
    if node.opset < 11:
        node.expect_inputs(2, 2)
        scales = [float(scale) for scale in node.floats(1).reshape(-1)]
        how = _How(mode=mode, coordinates="asymmetric", nearest="floor")
        return _resized(node, build, source, _scaled(source, scales), how)
    node.expect_inputs(1, 4)
    coordinates = node.take_string("coordinate_transformation_mode", "half_pixel")
    nearest = node.take_string("nearest_mode", "round_prefer_floor")
    node.take_float("cubic_coeff_a", -0.75)  # of cubic interpolation only
    node.take_int("exclude_outside", 0)  # of cubic interpolation only
    node.take_float("extrapolation_value", 0.0)  # of a crop only
    antialias = node.take_int("antialias", 0)
    policy = node.take_string("keep_aspect_ratio_policy", "stretch")
    axes = node.take_ints("axes")
    axes = list(range(len(source.shape))) if axes is None else axes
    if policy != "stretch":
        raise NodeError(f"keep_aspect_ratio_policy={policy} is not supported; give the sizes")
    if _given(node, 2):
        wanted = _scaled(source, [float(x) for x in node.floats(2).reshape(-1)], axes)
    elif _given(node, 3):
        wanted = _spread(source, whole_numbers(node, 3), axes)
    else:
        raise NodeError("it has neither scales nor sizes")
    if antialias and any(new < old for new, old in zip(wanted, source.shape, strict=True)):
        raise NodeError("antialias=1 is not supported when it makes the image smaller")
    how = _How(mode=mode, coordinates=coordinates, nearest=nearest)
    return _resized(node, build, source, wanted, how)


def _given(node: Node, index: int) -> bool:
    """Whether an optional input is there and not empty, as exporters leave it."""
    if not node.has_input(index):
        return False
    value = node.parameter(index)
    return bool(getattr(value, "array", np.ones(1)).size)


def _spread(source: Activation, values: list[int], axes: list[int]) -> list[int]:
    if len(values) != len(axes):
        raise NodeError(f"its sizes {values} are not one for each of {len(axes)} axes")
    wanted = list(source.shape)
    for axis, value in zip(axes, values, strict=True):
        wanted[axis % len(wanted)] = value
    return wanted


def _scaled(
    source: Activation, scales: list[float] | None, axes: list[int] | None = None
) -> list[int]:
    """The sizes that scales give, which must be whole numbers."""
    axes = list(range(len(source.shape))) if axes is None else axes
    if scales is None or len(scales) != len(axes):
        raise NodeError(f"its scales {scales} are not one for each of {len(axes)} axes")
    wanted = list(source.shape)
    for axis, scale in zip(axes, scales, strict=True):
        exact = wanted[axis % len(wanted)] * scale
        if not abs(exact - round(exact)) < _WHOLE:
            raise NodeError(
                f"its scale {scale:.6g} of {wanted[axis % len(wanted)]} pixels gives {exact:.6g}, "
                "no whole number; give the sizes"
            )
        wanted[axis % len(wanted)] = round(exact)
    return wanted


def _resized(
    node: Node, build: GraphBuilder, source: Activation, wanted: list[int], how: _How
) -> Activation:
    if min(wanted) < 1:
        raise NodeError(f"its sizes {wanted} are not positive")
    if how.mode == "nearest":
        if how.nearest not in _NEAREST:
            raise NodeError(f"nearest_mode={how.nearest} is not defined by ONNX")
        indices = {
            axis: _nearest(old, new, how.coordinates, _NEAREST[how.nearest])
            for axis, (old, new) in enumerate(zip(source.shape, wanted, strict=True))
            if old != new
        }
        return add_select(node, build, source, indices)
    if how.mode != "linear":
        raise NodeError(f"mode={how.mode} is not supported, only nearest and linear")
    node.finish()
    sizes = list(sizes_of(build, source))
    for dim, (old, new) in enumerate(zip(source.shape, wanted, strict=True)):
        if old == new:
            continue
        axis = image_axis(source, dim)
        if not axis:
            raise NodeError("it interpolates between channels or images")
        sizes[axis] = new
    places = [(new, old) for new, old in zip(wanted, source.shape, strict=True) if new != old]
    layer = Interpolate2d(
        name=node.label,
        inputs=(source.tensor,),
        output=node.output,
        height=sizes[1],
        width=sizes[2],
        coordinates=_coordinates(how.coordinates, single=any(new == 1 for new, _ in places)),
    )
    return add_image(build, layer, source, (sizes[0], sizes[1], sizes[2]), None)


def _coordinates(name: str, *, single: bool) -> Coordinates:
    """The coordinates of that name, where sizes are multiplied by exactly their ratio."""
    if name == "pytorch_half_pixel" and single:
        raise NodeError("pytorch_half_pixel to a single pixel is not supported")
    if name in ("pytorch_half_pixel", "half_pixel_symmetric"):
        name = "half_pixel"
    known = [coordinates for coordinates in Coordinates if coordinates.value == name]
    if not known:
        raise NodeError(f"coordinate_transformation_mode={name} is not supported")
    return known[0]


def _nearest(
    size: int, outputs: int, coordinates: str, rounding: Callable[[Fraction], int]
) -> list[int]:
    """The input pixel of every output pixel along an axis."""
    if coordinates == "tf_half_pixel_for_nn":
        places = [Fraction((2 * index + 1) * size, 2 * outputs) for index in range(outputs)]
    elif coordinates == "pytorch_half_pixel" and outputs == 1:
        places = [Fraction(0)]
    else:
        rule = _coordinates(coordinates, single=False)
        places = [position(index, size, outputs, rule) for index in range(outputs)]
    return [min(max(rounding(place), 0), size - 1) for place in places]
