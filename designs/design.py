# SPDX-License-Identifier: Apache-2.0
"""Designs as data: `design.toml` in a folder says what is compiled, for what, and proven how."""

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import onnx

from designs.resnet8.network import build as build_resnet8
from flexcc.options import ArrayShape, Backend, Options

__all__ = ["DESIGNS", "Design", "load_design"]

FOLDER = Path(__file__).resolve().parent
DESIGNS = tuple(sorted(path.parent.name for path in FOLDER.glob("*/design.toml")))
"""The names of all designs."""

_BUILDERS: Mapping[str, Callable[[], onnx.ModelProto]] = {"resnet8": build_resnet8}


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """A model, its calibration data, a target and an array, as in `design.toml`.

    Without `calibration` random samples calibrate. In place of a file the model may be a `network`
    with random weights, by the name of its builder's folder.
    """

    folder: Path
    target: str
    array: tuple[int, int, int]
    verify_images: int
    model: str = ""
    network: str = ""
    calibration: str = ""

    @property
    def name(self) -> str:
        """The name of its folder."""
        return self.folder.name

    @property
    def calibration_file(self) -> Path:
        """Where its samples are."""
        return self.folder / self.calibration

    def options(self, output: Path, verify: tuple[Backend, ...]) -> Options:
        """What compiles the design into `output`; a network's model is written beside that."""
        m, p, n = self.array
        model = self.folder / self.model
        if self.network:
            output.parent.mkdir(parents=True, exist_ok=True)
            model = output.parent / f"{self.network}.onnx"
            network = _BUILDERS[self.network]()
            model.write_bytes(network.SerializeToString(deterministic=True))
        return Options(
            model=model,
            target=self.target,
            output=output,
            calibration=self.calibration_file if self.calibration else None,
            random_calibration=not self.calibration,
            array=ArrayShape(m=m, p=p, n=n),
            verify=verify,
            verify_images=self.verify_images,
        )


def load_design(name: str) -> Design:
    """The design in the folder `name`; TypeError for a key too many or too few."""
    folder = FOLDER / name
    values = tomllib.loads((folder / "design.toml").read_text())
    return Design(folder=folder, **{**values, "array": tuple(values["array"])})
