# SPDX-License-Identifier: Apache-2.0
"""How many digits the network of designs/mnist_conv_u250 reads, in float and in integers."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from designs.design import load_design
from designs.trained.harness import Floats, Trained, quantised
from flexcc.quantization import QuantizationOptions

__all__ = ["DigitFigures", "digits", "measure", "model", "network", "samples"]

_SAMPLES = 256
_BATCH = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class DigitFigures:
    """Of all `digits`, those that are read right."""

    digits: int
    real: int
    integer: int


def digits() -> tuple[Floats, np.ndarray[tuple[int], np.dtype[np.uint8]]]:
    """All digits [10000, 1, 28, 28] and what they are."""
    with np.load(load_design("mnist_conv_u250").calibration_file) as data:
        return data["x"].astype(np.float32), data["y"]


def samples() -> Floats:
    """What calibrates the network: an even spread of the digits [K, 1, 28, 28]."""
    x, _ = digits()
    return x[np.arange(_SAMPLES) * len(x) // _SAMPLES]


def model() -> Path:
    """Its file, which is in the repository."""
    design = load_design("mnist_conv_u250")
    return design.folder / design.model


def network() -> Trained:
    """The network, calibrated on an even spread of the digits."""
    return quantised(model(), samples(), QuantizationOptions())


def measure(trained: Trained, count: int | None = None) -> DigitFigures:
    """Reads all digits, or an even spread of `count`."""
    x, labels = digits()
    chosen = np.arange(len(x) if count is None else count) * len(x) // (count or len(x))
    right = []
    for outputs in (trained.real(x[chosen]), trained.integer(x[chosen], _BATCH)):
        (scores,) = outputs.values()
        read = scores.reshape(len(chosen), -1).argmax(axis=1)
        right.append(int((read == labels[chosen]).sum()))
    return DigitFigures(digits=len(chosen), real=right[0], integer=right[1])
