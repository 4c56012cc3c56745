# SPDX-License-Identifier: Apache-2.0
"""Synthetic pictures for segmentation: circles, rectangles and triangles on textured noise.

The same seed gives the same pictures.
"""

import numpy as np
from numpy.typing import NDArray

__all__ = ["CLASSES", "LEVELS", "draw"]

CLASSES = ("background", "circle", "rectangle", "triangle")
"""Names of the classes, by their number in a mask."""

LEVELS = 32
"""Pixels are multiples of 1 / LEVELS in [0, 1): exact in half precision, and small when packed."""

_LEAST_SHAPES, _MOST_SHAPES = 3, 6
# A shape's colour is at least this far from the background's.
_CONTRAST = 0.35
_TEXTURE, _NOISE = 0.1, 0.015

Picture = NDArray[np.float16]
Mask = NDArray[np.uint8]
Plane = NDArray[np.float64]


def draw(rng: np.random.Generator, size: int) -> tuple[Picture, Mask]:
    """A picture [3, size, size] with values in [0, 1), and the class of each pixel."""
    base = rng.uniform(0.15, 0.85, 3)
    picture = base[:, None, None] + _texture(rng, size)
    mask = np.zeros((size, size), np.uint8)
    for _ in range(rng.integers(_LEAST_SHAPES, _MOST_SHAPES + 1)):
        kind = int(rng.integers(1, len(CLASSES)))
        inside = _shape(rng, size, kind)
        mask[inside] = kind
        colour = _colour(rng, base)[:, None, None] + _texture(rng, size) / 2
        picture = np.where(inside, colour, picture)
    picture += rng.normal(0, _NOISE, picture.shape)
    levels = np.clip(np.floor(picture * LEVELS), 0, LEVELS - 1)
    return (levels / LEVELS).astype(np.float16), mask


def _texture(rng: np.random.Generator, size: int) -> Plane:
    """Smooth noise [3, size, size] of one random grain, interpolated from a coarse grid."""
    cells = int(rng.integers(3, 13))
    grid = rng.normal(0, _TEXTURE, (3, cells + 1, cells + 1))
    place = np.arange(size) * cells / size
    cell = place.astype(int)
    part = place - cell
    rows = grid[:, cell] * (1 - part)[:, None] + grid[:, cell + 1] * part[:, None]
    result: Plane = rows[:, :, cell] * (1 - part) + rows[:, :, cell + 1] * part
    return result


def _colour(rng: np.random.Generator, base: Plane) -> Plane:
    while True:
        colour = rng.uniform(0, 1, 3)
        if np.abs(colour - base).max() >= _CONTRAST:
            return colour


def _shape(rng: np.random.Generator, size: int, kind: int) -> NDArray[np.bool_]:
    """Which pixels a shape of this class covers; its centre lies in the picture."""
    centre = rng.uniform(0.1, 0.9, 2) * size
    radius = rng.uniform(0.1, 0.27) * size
    rows, columns = np.mgrid[:size, :size] + 0.5
    y, x = rows - centre[0], columns - centre[1]
    inside: NDArray[np.bool_]
    if kind == CLASSES.index("circle"):
        inside = y * y + x * x < radius * radius
        return inside
    angle = rng.uniform(0, 2 * np.pi)
    y, x = y * np.cos(angle) - x * np.sin(angle), y * np.sin(angle) + x * np.cos(angle)
    if kind == CLASSES.index("rectangle"):
        ratio = rng.uniform(0.5, 1)
        inside = (np.abs(y) < radius * ratio) & (np.abs(x) < radius)
        return inside
    # Stretched, larger than the others for the same radius: three half planes.
    radius *= 1.4
    x = x / rng.uniform(0.7, 1.2)
    slant = np.sqrt(0.75) * x
    inside = (y > -radius / 2) & (y / 2 + slant < radius / 2) & (y / 2 - slant < radius / 2)
    return inside
