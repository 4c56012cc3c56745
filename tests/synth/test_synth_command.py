# SPDX-License-Identifier: Apache-2.0
"""`flexcc synth` on a small build for UltraScale+: cells of the design and of its array."""

import json
from pathlib import Path

import pytest

from designs.design import load_design
from flexcc import compile_model
from flexcc.options import ArrayShape, Options
from flexcc.progress import Progress
from flexcc.synthesis import synthesis_text, write_synthesis

pytestmark = [pytest.mark.rtl, pytest.mark.slow]

DESIGN = load_design("mnist_conv_u250")


def test_cells_of_a_build_and_of_its_array(tmp_path: Path) -> None:
    compiled = compile_model(
        Options(
            model=DESIGN.folder / DESIGN.model,
            target="zcu104",
            output=tmp_path / "build",
            calibration=DESIGN.calibration_file,
            array=ArrayShape(m=4, p=2, n=4),
        )
    )
    report = write_synthesis(tmp_path / "build", tmp_path / "cells", Progress())
    # Too few columns to share multipliers.
    assert report.dsp.array == 4 * 2 * 4
    assert report.dsp.used == compiled.resources.dsp.used
    for cells in (report.lut, report.ff):
        assert 0 < cells.array < cells.used < cells.available
    assert report.ram18.used > 0
    assert report.tools.keys() == {"pyosys"}
    stored = json.loads((tmp_path / "cells" / "report.json").read_text())
    assert stored["lut"]["used"] == report.lut.used
    assert f"{report.ff.used:,}" in synthesis_text(report)
