# SPDX-License-Identifier: Apache-2.0
"""Handlers of Resize and Upsample."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from flexcc.frontend.builder import GraphBuilder
from flexcc.frontend.image import add_image, image_axis, sizes_of, whole_numbers
from flexcc.frontend.nearest import COORDINATES, ROUNDINGS, nearest_pixels
from flexcc.frontend.node import Node, NodeError
from flexcc.frontend.select import add_select
from flexcc.frontend.values import Activation
from flexcc.ir.layers import Coordinates, Interpolate2d

__all__ = ["import_resize", "import_upsample"]

# Sizes times scales this close to whole numbers are meant to be them.
_WHOLE = 1e-3
_LARGEST = 1 << 31


@dataclass(frozen=True, slots=True, kw_only=True)
class _How:
    """Attributes as ONNX calls them."""

    mode: str
    coordinates: str
    nearest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sizes:
    """Of every dimension the size that is wanted, and how many times the old one: a float32."""

    sizes: list[int]
    scales: list[float]


# Before operator set 11.
_OLD = {"coordinates": "asymmetric", "nearest": "simple"}


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
    return _resized(node, build, source, _scaled(source, scales), _How(mode=mode, **_OLD))


def import_resize(node: Node, build: GraphBuilder) -> Activation:
    """Resize to the pixels that ONNX Runtime takes for nearest, or linearly to whole sizes.

    All of ONNX's coordinates but those of a crop are taken.
    """
    source = node.view()
    mode = node.take_string("mode", "nearest")
    if node.opset < 11:
        node.expect_inputs(2, 2)
        scales = [float(scale) for scale in node.floats(1).reshape(-1)]
        return _resized(node, build, source, _scaled(source, scales), _How(mode=mode, **_OLD))
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
    if _given(node, 2):
        wanted = _scaled(source, [float(x) for x in node.floats(2).reshape(-1)], axes)
    elif _given(node, 3):
        wanted = _spread(source, whole_numbers(node, 3), axes, policy)
    else:
        raise NodeError("it has neither scales nor sizes")
    if antialias and any(new < old for new, old in zip(wanted.sizes, source.shape, strict=True)):
        raise NodeError("antialias=1 is not supported when it makes the image smaller")
    how = _How(mode=mode, coordinates=coordinates, nearest=nearest)
    return _resized(node, build, source, wanted, how)


def _given(node: Node, index: int) -> bool:
    """Whether an optional input is there and not empty, as exporters leave it."""
    if not node.has_input(index):
        return False
    value = node.parameter(index)
    return bool(getattr(value, "array", np.ones(1)).size)


def _spread(source: Activation, values: list[int], axes: list[int], policy: str) -> _Sizes:
    """The given sizes, or with a policy those that keep the shape of the image."""
    places = _places(source, values, axes, "sizes")
    if min(values) < 1 or max(values) >= _LARGEST:
        raise NodeError(f"its sizes {values} are not from 1 to {_LARGEST - 1}")
    scales = [
        np.float32(value) / np.float32(source.shape[axis])
        for axis, value in zip(places, values, strict=True)
    ]
    match policy:
        case "stretch":
            pass
        case "not_larger" | "not_smaller":
            scales = [min(scales) if policy == "not_larger" else max(scales)] * len(scales)
            values = [
                int(np.floor(np.float64(scale * np.float32(source.shape[axis])) + 0.5))
                for axis, scale in zip(places, scales, strict=True)
            ]
        case _:
            raise NodeError(f"keep_aspect_ratio_policy={policy} is not defined by ONNX")
    return _filled(source, places, values, [float(scale) for scale in scales])


def _scaled(
    source: Activation, scales: list[float] | None, axes: list[int] | None = None
) -> _Sizes:
    """The sizes that scales give, rounded down, in float32 as ONNX Runtime computes them."""
    given = [] if scales is None else scales
    places = _places(
        source, given, list(range(len(source.shape))) if axes is None else axes, "scales"
    )
    exact = [
        np.float32(scale) * np.float32(source.shape[axis])
        for axis, scale in zip(places, given, strict=True)
    ]
    if not all(1 <= size < _LARGEST for size in exact):
        raise NodeError(f"its scales {scales} do not give sizes from 1 to {_LARGEST - 1}")
    return _filled(source, places, [int(size) for size in exact], given)


def _places(source: Activation, values: Sequence[float], axes: list[int], what: str) -> list[int]:
    """The dimensions that values are for, counted from the front."""
    rank = len(source.shape)
    if len(values) != len(axes) or not values:
        raise NodeError(f"its {what} {list(values)} are not one for each of {len(axes)} axes")
    places = [axis % rank for axis in axes if -rank <= axis < rank]
    if len(set(places)) != len(axes):
        raise NodeError(f"its axes {axes} are no dimensions of shape {list(source.shape)}")
    return places


def _filled(
    source: Activation, places: Sequence[int], sizes: Sequence[int], scales: Sequence[float]
) -> _Sizes:
    """Sizes and scales of all dimensions; those without one stay."""
    result = _Sizes(sizes=list(source.shape), scales=[1.0] * len(source.shape))
    for place, size, scale in zip(places, sizes, scales, strict=True):
        result.sizes[place], result.scales[place] = size, float(np.float32(scale))
    return result


def _resized(
    node: Node, build: GraphBuilder, source: Activation, wanted: _Sizes, how: _How
) -> Activation:
    axes = list(zip(source.shape, wanted.sizes, wanted.scales, strict=True))
    if how.mode == "nearest":
        if how.nearest not in (*ROUNDINGS, _OLD["nearest"]):
            raise NodeError(f"nearest_mode={how.nearest} is not defined by ONNX")
        if how.coordinates not in COORDINATES:
            raise NodeError(f"coordinate_transformation_mode={how.coordinates} is not supported")
        # Nothing happens where all sizes stay, whatever the scales.
        indices = {
            axis: nearest_pixels(old, new, scale, how.coordinates, how.nearest)
            for axis, (old, new, scale) in enumerate(axes)
            if scale != 1 and tuple(wanted.sizes) != source.shape
        }
        return add_select(node, build, source, indices)
    if how.mode != "linear":
        raise NodeError(f"mode={how.mode} is not supported, only nearest and linear")
    for old, new, scale in axes:
        if not abs(old * scale - new) < _WHOLE:
            raise NodeError(
                f"its scale {scale:.6g} of {old} pixels gives {old * scale:.6g}, no whole number; "
                "give the sizes"
            )
    node.finish()
    sizes = list(sizes_of(build, source))
    for dim, (old, new, _) in enumerate(axes):
        if old == new:
            continue
        axis = image_axis(source, dim)
        if not axis:
            raise NodeError("it interpolates between channels or images")
        sizes[axis] = new
    single = any(new == 1 != old for old, new, _ in axes)
    layer = Interpolate2d(
        name=node.label,
        inputs=(source.tensor,),
        output=node.output,
        height=sizes[1],
        width=sizes[2],
        coordinates=_coordinates(how.coordinates, single=single),
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
