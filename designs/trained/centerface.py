# SPDX-License-Identifier: Apache-2.0
"""The face that CenterFace finds in the astronaut picture, in float and in integers."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from designs.trained.harness import Floats, Trained, quantised
from designs.trained.models import model_path
from designs.trained.pictures import astronaut, views
from flexcc.quantization import QuantizationOptions

__all__ = [
    "MODEL",
    "Box",
    "Face",
    "FaceFigures",
    "best_face",
    "measure",
    "network",
    "picture",
    "samples",
]

MODEL = "centerface_512"
_SIZE = 512
_CALIBRATION_SEED, _SAMPLES = 1, 4
# Pixels between the places of the score map.
_STRIDE = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A rectangle in pixels of the picture."""

    top: float
    left: float
    bottom: float
    right: float

    @property
    def area(self) -> float:
        """In square pixels."""
        return max(self.bottom - self.top, 0.0) * max(self.right - self.left, 0.0)

    def overlap(self, other: "Box") -> float:
        """Intersection over union."""
        common = Box(
            top=max(self.top, other.top),
            left=max(self.left, other.left),
            bottom=min(self.bottom, other.bottom),
            right=min(self.right, other.right),
        ).area
        return common / (self.area + other.area - common)


@dataclass(frozen=True, slots=True, kw_only=True)
class Face:
    """Where a face is, and how sure the network is of it, 0..1."""

    score: float
    box: Box


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceFigures:
    """The likeliest face of float and integer model, and what their boxes have in common."""

    real: Face
    integer: Face
    overlap: float


def picture() -> Floats:
    """The whole picture [1, 3, 512, 512]; the network takes levels 0..255."""
    return astronaut()[None].astype(np.float32)


def samples() -> Floats:
    """What calibrates the network: parts of the picture [K, 3, 512, 512]."""
    return views(astronaut(), _SAMPLES, _SIZE, _SIZE, _CALIBRATION_SEED).astype(np.float32)


def network() -> Trained:
    """The network, calibrated on parts of the picture."""
    return quantised(model_path(MODEL), samples(), QuantizationOptions())


def measure(trained: Trained) -> FaceFigures:
    """Finds the face."""
    x = picture()
    real, integer = (best_face(run(x)) for run in (trained.real, trained.integer))
    return FaceFigures(real=real, integer=integer, overlap=real.box.overlap(integer.box))


def best_face(outputs: Mapping[str, Floats]) -> Face:
    """The likeliest face: scores '537', log sizes '538' and offsets '539' [1, C, H, W].

    Sizes are those of the box in places of the map, offsets those of its centre from the middle of
    its place, rows first.
    """
    scores, sizes, offsets = (outputs[name][0].astype(np.float64) for name in ("537", "538", "539"))
    row, column = np.unravel_index(int(scores[0].argmax()), scores[0].shape)
    height, width = (np.exp(sizes[:, row, column]) * _STRIDE).tolist()
    y, x = ((np.array([row, column]) + offsets[:, row, column] + 0.5) * _STRIDE).tolist()
    box = Box(top=y - height / 2, left=x - width / 2, bottom=y + height / 2, right=x + width / 2)
    return Face(score=float(scores[0, row, column]), box=box)
