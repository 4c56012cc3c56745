# SPDX-License-Identifier: Apache-2.0
"""What the integers of trained networks keep, measured and stored.

`python -m designs.trained.figures` measures all anew and writes accuracy.json, which
`make results` shows in docs/results.md.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from designs.trained import centerface, mnist_conv, openpose, unet_pupil
from designs.trained.centerface import Box, Face, FaceFigures
from designs.trained.mnist_conv import DigitFigures
from designs.trained.models import find_model
from designs.trained.openpose import KeyPoint, PoseFigures, PosePair
from designs.trained.unet_pupil import PupilFigures

__all__ = ["STORED", "Figures", "at_hand", "from_json", "measure", "stored", "to_json"]

STORED = Path(__file__).resolve().parent / "accuracy.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Those of all networks."""

    mnist_conv: DigitFigures
    unet_pupil: PupilFigures
    centerface: FaceFigures
    openpose: PoseFigures


def measure() -> Figures:
    """Quantises and runs every network; minutes.

    Raises:
        InputError: a model is not here.
    """
    return Figures(
        mnist_conv=mnist_conv.measure(mnist_conv.network()),
        unet_pupil=unet_pupil.measure(unet_pupil.network()),
        centerface=centerface.measure(centerface.network()),
        openpose=openpose.measure(openpose.network()),
    )


def at_hand() -> bool:
    """Whether the models of all networks are here."""
    return all(find_model(name.MODEL) for name in (centerface, openpose, unet_pupil))


def to_json(figures: Figures) -> str:
    """The text of `accuracy.json`."""
    return json.dumps(asdict(figures), indent=2) + "\n"


def from_json(text: str) -> Figures:
    """The figures that `to_json` wrote."""
    data = json.loads(text)
    pose = data["openpose"]
    points = tuple(
        PosePair(name=p["name"], real=KeyPoint(**p["real"]), integer=KeyPoint(**p["integer"]))
        for p in pose.pop("points")
    )
    face = data["centerface"]
    return Figures(
        mnist_conv=DigitFigures(**data["mnist_conv"]),
        unet_pupil=PupilFigures(**data["unet_pupil"]),
        centerface=FaceFigures(
            real=_face(face["real"]), integer=_face(face["integer"]), overlap=face["overlap"]
        ),
        openpose=PoseFigures(points=points, **pose),
    )


def stored() -> Figures:
    """The figures as they were measured."""
    return from_json(STORED.read_text())


def _face(data: Mapping[str, Any]) -> Face:
    return Face(score=data["score"], box=Box(**data["box"]))


if __name__ == "__main__":
    STORED.write_text(to_json(measure()))
