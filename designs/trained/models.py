# SPDX-License-Identifier: Apache-2.0
"""Where trained models lie that are too large for the repository, or whose weights are others'."""

import os
from pathlib import Path

from designs.design import FOLDER
from flexcc.errors import InputError

__all__ = ["VARIABLE", "find_model", "model_path"]

VARIABLE = "FLEXCC_MODELS"
"""The environment variable that names their folder; `models/` beside `designs/` otherwise."""


def find_model(name: str) -> Path | None:
    """The file `<name>.onnx`, or None where there is none."""
    folder = os.environ.get(VARIABLE)
    path = (Path(folder) if folder else FOLDER.parent / "models") / f"{name}.onnx"
    return path if path.is_file() else None


def model_path(name: str) -> Path:
    """The file `<name>.onnx`.

    Raises:
        InputError: there is none.
    """
    path = find_model(name)
    if path is None:
        raise InputError(
            f"{name}.onnx is not here; put it into models/, or name its folder in {VARIABLE} "
            "(designs/trained/README.md says where it comes from)"
        )
    return path
