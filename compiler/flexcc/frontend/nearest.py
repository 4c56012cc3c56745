# SPDX-License-Identifier: Apache-2.0
"""Which pixels resizing to the nearest takes: those that ONNX Runtime takes.

Exact positions may lie midway between two pixels, or on one while a number of float32 lies just
below it, and tools take different ones: of 36 rows as 12 with half_pixel_symmetric and floor row 0
stands for place 0.99999994 in ONNX Runtime. Its arithmetic is followed here to the bit.
"""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

__all__ = ["COORDINATES", "ROUNDINGS", "nearest_pixels"]

Floats = NDArray[np.float32]

# What is this close to the middle between two pixels is taken for it.
_NEAR = 1e-6
_HALF, _ONE = np.float32(0.5), np.float32(1)


def nearest_pixels(
    size: int, outputs: int, scale: float, coordinates: str, rounding: str
) -> list[int]:
    """The input pixel of each output pixel along an axis of `size` pixels.

    `scale` is a float32; `rounding` one of ROUNDINGS, or "simple", the rule before operator set 11.
    """
    if scale == 1:
        return list(range(size))
    factor, wanted = np.float32(scale), np.arange(outputs).astype(np.float32)
    places = COORDINATES[coordinates](wanted, factor, np.float32(size), np.float32(outputs))
    if rounding == "simple":
        rounding = "ceil" if factor < 1 else "floor"
    pixels = ROUNDINGS[rounding](places.astype(np.float64))
    return [int(pixel) for pixel in np.clip(pixels, 0, size - 1)]


def _half_pixel(x: Floats, scale: np.float32, size: np.float32, outputs: np.float32) -> Floats:  # noqa: ARG001
    result: Floats = (x + _HALF) / scale - _HALF
    return result


def _pytorch(x: Floats, scale: np.float32, size: np.float32, outputs: np.float32) -> Floats:
    return _half_pixel(x, scale, size, outputs) if outputs > 1 else np.zeros_like(x)


def _symmetric(x: Floats, scale: np.float32, size: np.float32, outputs: np.float32) -> Floats:
    """Half pixels, from the middle of the image where scales give no whole sizes; in float64."""
    centre = size / np.float32(2)
    offset = centre * (_ONE - outputs / (scale * size))
    exact = np.float64(offset) + (x.astype(np.float64) + 0.5) / np.float64(scale) - 0.5
    return exact.astype(np.float32)


def _asymmetric(x: Floats, scale: np.float32, size: np.float32, outputs: np.float32) -> Floats:  # noqa: ARG001
    result: Floats = x / scale
    return result


def _for_nn(x: Floats, scale: np.float32, size: np.float32, outputs: np.float32) -> Floats:  # noqa: ARG001
    result: Floats = (x + _HALF) / scale
    return result


def _corners(x: Floats, scale: np.float32, size: np.float32, outputs: np.float32) -> Floats:  # noqa: ARG001
    if outputs == 1:
        return np.zeros_like(x)
    result: Floats = x * (size - _ONE) / (outputs - _ONE)
    return result


COORDINATES: Mapping[str, Callable[[Floats, np.float32, np.float32, np.float32], Floats]] = {
    "half_pixel": _half_pixel,
    "pytorch_half_pixel": _pytorch,
    "half_pixel_symmetric": _symmetric,
    "asymmetric": _asymmetric,
    "tf_half_pixel_for_nn": _for_nn,
    "align_corners": _corners,
}
"""Positions of output pixels by ONNX's name of the rule; those of a crop are not among them."""

ROUNDINGS: Mapping[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
    "round_prefer_floor": lambda place: np.ceil(place - 0.5 - _NEAR),
    "round_prefer_ceil": lambda place: np.floor(place + 0.5 + _NEAR),
    "floor": np.floor,
    "ceil": np.ceil,
}
"""Pixels of positions by ONNX's name of the rule."""
