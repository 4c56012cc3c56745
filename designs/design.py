# SPDX-License-Identifier: Apache-2.0
"""Designs as data: `design.toml` in a folder says what is compiled, for what, and proven how."""

import tomllib
from dataclasses import dataclass
from pathlib import Path

from flexcc.options import ArrayShape, Backend, Options

__all__ = ["DESIGNS", "Design", "load_design"]

FOLDER = Path(__file__).resolve().parent
DESIGNS = tuple(sorted(path.parent.name for path in FOLDER.glob("*/design.toml")))
"""The names of all designs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """A model, its calibration data, a target and an array, as in `design.toml`."""

    folder: Path
    model: str
    target: str
    calibration: str
    array: tuple[int, int, int]
    verify_images: int

    @property
    def name(self) -> str:
        """The name of its folder."""
        return self.folder.name

    @property
    def calibration_file(self) -> Path:
        """Where its samples are."""
        return self.folder / self.calibration

    def options(self, output: Path, verify: tuple[Backend, ...]) -> Options:
        """What compiles the design into `output`."""
        m, p, n = self.array
        return Options(
            model=self.folder / self.model,
            target=self.target,
            output=output,
            calibration=self.calibration_file,
            array=ArrayShape(m=m, p=p, n=n),
            verify=verify,
            verify_images=self.verify_images,
        )


def load_design(name: str) -> Design:
    """The design in the folder `name`; TypeError for a key too many or too few."""
    folder = FOLDER / name
    values = tomllib.loads((folder / "design.toml").read_text())
    return Design(folder=folder, **{**values, "array": tuple(values["array"])})
