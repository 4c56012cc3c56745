# SPDX-License-Identifier: Apache-2.0
"""From ONNX files to graphs."""

from flexcc.frontend.calibration import load_calibration, random_calibration
from flexcc.frontend.importer import import_model
from flexcc.frontend.inputs import fix_input_shape, fix_input_shapes
from flexcc.frontend.load import load_model

__all__ = [
    "fix_input_shape",
    "fix_input_shapes",
    "import_model",
    "load_calibration",
    "load_model",
    "random_calibration",
]
