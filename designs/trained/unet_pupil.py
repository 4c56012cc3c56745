# SPDX-License-Identifier: Apache-2.0
"""How well a trained U-Net finds pupils on synthetic pictures, in float and in integers."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from designs.trained.harness import Floats, Trained, quantised
from designs.trained.models import model_path
from designs.trained.pupils import draw_many
from flexcc.quantization import QuantizationOptions

__all__ = ["MODEL", "PupilFigures", "measure", "network", "overlap", "pictures", "samples"]

MODEL = "unet_pupil"
_CALIBRATION_SEED, _SEED = 2, 1
_SAMPLES, _PICTURES = 16, 24

Masks = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class PupilFigures:
    """Intersection over union of what the models find with the truth, over all pictures.

    `equal_pixels`, of all `pixels`, are those that both models give the same class.
    """

    pictures: int
    pixels: int
    equal_pixels: int
    real: float
    integer: float


def pictures(count: int = _PICTURES, seed: int = _SEED) -> tuple[Floats, Masks]:
    """Pictures [count, 1, H, W] in 0..1, and which pixels [count, H, W] are the pupil."""
    drawn, masks = draw_many(count, seed)
    return drawn.astype(np.float32) / np.float32(255), masks


def samples() -> Floats:
    """What calibrates the network: pictures [K, 1, H, W] of its own."""
    return pictures(_SAMPLES, _CALIBRATION_SEED)[0]


def network() -> Trained:
    """The network, calibrated on pictures of its own."""
    return quantised(model_path(MODEL), samples(), QuantizationOptions())


def measure(trained: Trained, count: int = _PICTURES) -> PupilFigures:
    """Finds the pupils of `count` pictures."""
    x, masks = pictures(count)
    # The output is a logit: above zero the pupil is likelier than not.
    real, integer = (run(x)["y"][:, 0] > 0 for run in (trained.real, trained.integer))
    return PupilFigures(
        pictures=count,
        pixels=masks.size,
        equal_pixels=int((real == integer).sum()),
        real=overlap(masks, real),
        integer=overlap(masks, integer),
    )


def overlap(first: Masks, second: Masks) -> float:
    """Intersection over union of two sets of pixels; 1 if both are empty."""
    either = int((first | second).sum())
    return int((first & second).sum()) / either if either else 1.0
