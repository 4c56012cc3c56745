# SPDX-License-Identifier: Apache-2.0
"""The face key points that OpenPose finds in the astronaut picture, in float and in integers."""

from dataclasses import dataclass

import numpy as np

from designs.trained.harness import Floats, Trained, quantised
from designs.trained.models import model_path
from designs.trained.pictures import Picture, astronaut, resized, views
from flexcc.ir.layers import Convolution
from flexcc.ir.macs import useful_macs
from flexcc.quantization import Precision, QuantizationOptions, WeightRounding

__all__ = [
    "FACE",
    "MODEL",
    "OPTIONS",
    "KeyPoint",
    "PoseFigures",
    "PosePair",
    "correlation",
    "key_point",
    "measure",
    "network",
    "picture",
    "samples",
]

MODEL = "openpose_mobilenet_thin"
_HEIGHT, _WIDTH = 368, 432
_CALIBRATION_SEED, _SAMPLES = 0, 8
_SQNR_DB = 21.5

FACE = {"nose": 0, "right eye": 14, "left eye": 15, "right ear": 16, "left ear": 17}
"""The map of each key point of the face."""

# Maps of key points: the one behind them, which is high where no key point is, and those of limbs
# come after.
_KEY_POINTS = 18

OPTIONS = QuantizationOptions(
    rounding=WeightRounding.COMPENSATED,
    settle_bias=True,
    precision=Precision.AUTO,
    sqnr_db=_SQNR_DB,
)
"""With 16 bits where the outputs need them."""

_LEAST_SCORE = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPoint:
    """Where a key point's map is highest, in places of the map, and how high, 0..1."""

    row: int
    column: int
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PosePair:
    """A key point as float and integer model see it."""

    name: str
    real: KeyPoint
    integer: KeyPoint

    @property
    def kept(self) -> bool:
        """Whether the integers show it, at most a place away from where it is."""
        rows, columns = (
            abs(self.real.row - self.integer.row),
            abs(self.real.column - self.integer.column),
        )
        return max(rows, columns) <= 1 and self.integer.score >= _LEAST_SCORE


@dataclass(frozen=True, slots=True, kw_only=True)
class PoseFigures:
    """The face's key points, how far all 18 maps of key points correlate, and what it takes.

    `wide` tensors of 16 bits stand among the `choices` that precision had, tensors of one scale
    being one; layers with `wide_macs` of all `macs` read them.
    """

    points: tuple[PosePair, ...]
    correlation: float
    choices: int
    wide: int
    macs: int
    wide_macs: int


def picture() -> Floats:
    """The upper part of the picture [1, 3, 368, 432]; the network takes levels 0..255."""
    whole = astronaut()
    part: Picture = whole[:, : round(whole.shape[2] * _HEIGHT / _WIDTH)]
    return resized(part, _HEIGHT, _WIDTH)[None].astype(np.float32)


def samples() -> Floats:
    """What calibrates the network: parts of the picture [K, 3, 368, 432]."""
    return views(astronaut(), _SAMPLES, _HEIGHT, _WIDTH, _CALIBRATION_SEED).astype(np.float32)


def network(options: QuantizationOptions | None = None) -> Trained:
    """The network, calibrated on parts of the picture, 16 bits where its outputs need them."""
    if options is None:
        options = OPTIONS
    return quantised(model_path(MODEL), samples(), options)


def measure(trained: Trained) -> PoseFigures:
    """Finds the key points."""
    x = picture()
    (real,), (integer,) = (run(x).values() for run in (trained.real, trained.integer))
    assignment = trained.quantized.assignment
    choices = () if assignment is None else assignment.choices
    wide = [choice for choice in choices if choice.bits > 8]
    source = trained.quantized.source
    return PoseFigures(
        points=tuple(
            PosePair(name=name, real=key_point(real[0, at]), integer=key_point(integer[0, at]))
            for name, at in FACE.items()
        ),
        correlation=correlation(real[0, :_KEY_POINTS], integer[0, :_KEY_POINTS]),
        choices=len(choices),
        wide=len(wide),
        macs=sum(
            useful_macs(source, each) for each in source.layers if isinstance(each, Convolution)
        ),
        wide_macs=sum(choice.macs for choice in wide),
    )


def key_point(scores: Floats) -> KeyPoint:
    """The highest place of a map [H, W]."""
    row, column = np.unravel_index(int(scores.argmax()), scores.shape)
    return KeyPoint(row=int(row), column=int(column), score=float(scores[row, column]))


def correlation(first: Floats, second: Floats) -> float:
    """Pearson's, over all values."""
    a, b = (values.astype(np.float64).reshape(-1) for values in (first, second))
    return float(np.corrcoef(a, b)[0, 1])
