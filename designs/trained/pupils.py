# SPDX-License-Identifier: Apache-2.0
"""Synthetic pictures of eyes, as the pupil network reads them: fur, an iris, a dark pupil, a glint.

The same seed gives the same pictures.
"""

import numpy as np
from numpy.typing import NDArray

__all__ = ["SIZE", "draw", "draw_many"]

SIZE = 160
"""Rows and columns."""

_NOISE = 0.015

Plane = NDArray[np.float64]


def draw_many(count: int, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Pictures [count, 1, SIZE, SIZE] and which of their pixels belong to the pupil."""
    drawn = [draw(np.random.default_rng([seed, index])) for index in range(count)]
    return np.stack([picture for picture, _ in drawn]), np.stack([mask for _, mask in drawn])


def draw(rng: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """A picture [1, SIZE, SIZE] of 256 grey levels, and which of its pixels are the pupil."""
    rows, columns = np.mgrid[:SIZE, :SIZE] + 0.5
    centre = rng.uniform(0.42, 0.58, 2) * SIZE
    picture = rng.uniform(0.45, 0.65) + _texture(rng, 20, 0.06)
    lids = np.hypot((rows - centre[0]) / rng.uniform(0.75, 1), columns - centre[1])
    iris = rng.uniform(0.4, 0.5) + _texture(rng, 8, 0.02)
    picture = _over(picture, iris, rng.uniform(0.3, 0.4) * SIZE - lids, 1.5)

    y = rows - centre[0] - rng.uniform(-0.06, 0.06) * SIZE
    x = columns - centre[1] - rng.uniform(-0.06, 0.06) * SIZE
    radius, ratio = rng.uniform(0.13, 0.22) * SIZE, rng.uniform(0.85, 1)
    angle = rng.uniform(0, np.pi)
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    inside = radius - np.hypot(along, across / ratio)
    picture = _over(picture, rng.uniform(0.05, 0.12), inside, 1.0)
    glint = np.hypot(y + rng.uniform(0.2, 0.5) * radius, x - rng.uniform(-0.5, 0.5) * radius)
    picture = _over(picture, 0.95, rng.uniform(2, 4) - glint, 0.7)

    picture = picture + rng.normal(0, _NOISE, picture.shape)
    levels = np.clip(np.rint(picture * 255), 0, 255).astype(np.uint8)
    mask: NDArray[np.bool_] = inside > 0
    return levels[None], mask


def _over(below: Plane, above: Plane | float, inside: Plane, blur: float) -> Plane:
    """`above` where `inside` is positive, over about `blur` pixels merging into `below`."""
    share = 1 / (1 + np.exp(-np.clip(inside / blur, -40, 40)))
    result: Plane = below * (1 - share) + above * share
    return result


def _texture(rng: np.random.Generator, cells: int, amplitude: float) -> Plane:
    """Smooth noise [SIZE, SIZE], linear between the corners of cells x cells cells."""
    grid = rng.normal(0, amplitude, (cells + 1, cells + 1))
    places = np.arange(SIZE) * cells / SIZE
    cell = places.astype(np.intp)
    part = places - cell
    rows = grid[cell] * (1 - part)[:, None] + grid[cell + 1] * part[:, None]
    result: Plane = rows[:, cell] * (1 - part) + rows[:, cell + 1] * part
    return result
