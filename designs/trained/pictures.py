# SPDX-License-Identifier: Apache-2.0
"""The astronaut picture, and parts of it at other sizes."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

__all__ = ["PICTURE", "Picture", "astronaut", "resized", "views"]

PICTURE = Path(__file__).resolve().parent / "astronaut.npz"

Picture = NDArray[np.uint8]
"""Red, green and blue [3, H, W]."""


def astronaut() -> Picture:
    """The whole picture, 512 x 512 pixels."""
    with np.load(PICTURE) as data:
        picture: Picture = data["x"]
    return picture


def resized(picture: Picture, height: int, width: int) -> Picture:
    """The picture at another size, linear between the centres of its pixels."""
    rows = _interpolated(picture.astype(np.float64), height)
    both = _interpolated(rows.swapaxes(1, 2), width).swapaxes(1, 2)
    return np.rint(both).astype(np.uint8)


def views(picture: Picture, count: int, height: int, width: int, seed: int) -> Picture:
    """Random parts of the picture [count, 3, height, width], half of them mirrored.

    Each has the proportions of the result and at least three fifths of the picture's width.
    """
    rng = np.random.default_rng(seed)
    result = np.empty((count, 3, height, width), np.uint8)
    for index in range(count):
        columns = int(rng.integers(picture.shape[2] * 3 // 5, picture.shape[2] + 1))
        rows = round(columns * height / width)
        top = int(rng.integers(picture.shape[1] - rows + 1))
        left = int(rng.integers(picture.shape[2] - columns + 1))
        part = picture[:, top : top + rows, left : left + columns]
        result[index] = resized(part[:, :, ::-1] if rng.integers(2) else part, height, width)
    return result


def _interpolated(values: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """As many rows [C, size, W] as wanted; the outermost are repeated beyond the picture."""
    count = values.shape[1]
    places = np.clip((np.arange(size) + 0.5) * count / size - 0.5, 0, count - 1)
    first = np.minimum(places.astype(np.intp), max(count - 2, 0))
    part = (places - first)[:, None]
    second = np.minimum(first + 1, count - 1)
    result: NDArray[np.float64] = values[:, first] * (1 - part) + values[:, second] * part
    return result
