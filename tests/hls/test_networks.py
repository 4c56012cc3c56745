# SPDX-License-Identifier: Apache-2.0
"""Networks from the ONNX file to the HLS kernel: every byte as the reference says."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from designs.design import load_design
from designs.whole.hls import LIMITS, NAMES, at_hand, measure, stored
from flexcc import compile_model
from flexcc.driver import require_equal
from flexcc.execute import run_build
from flexcc.options import Backend, Executor, RunOptions
from flexcc.progress import Progress


def test_digits_on_the_kernel(tmp_path: Path) -> None:
    """The trained digit network: verified, and run on its own with the outputs of the reference."""
    design = load_design("mnist_conv_u250")
    build = tmp_path / "build"
    report = compile_model(design.options(build, (Backend.HLS,)), Progress())
    require_equal(report)
    found = report.verify.hls
    assert found is not None
    assert found.images == design.verify_images
    assert report.verify.rtl is None
    assert (build / "hls" / "flex_kernel.cpp").is_file()
    with np.load(design.calibration_file) as data:
        np.savez(tmp_path / "x.npz", **{name: data[name][:5] for name in data})
    outputs = {}
    for on in (Executor.REFERENCE, Executor.HLS):
        outputs[on] = tmp_path / f"{on.value}.npz"
        check = on is Executor.HLS
        options = RunOptions(
            build=build, input=tmp_path / "x.npz", output=outputs[on], on=on, check=check
        )
        summary = run_build(options, Progress())
        assert summary.cycles is None
        assert (summary.compared_bytes is not None) is check
    with np.load(outputs[Executor.REFERENCE]) as ours, np.load(outputs[Executor.HLS]) as theirs:
        assert sorted(ours) == sorted(theirs)
        assert all((ours[name] == theirs[name]).all() for name in ours)


def _with_model(name: str) -> Any:
    """A network, skipped where its model is not at hand."""
    return pytest.param(
        name, marks=pytest.mark.skipif(not at_hand(name), reason=f"there is no model of {name}")
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", [_with_model(name) for name in NAMES])
def test_whole_network(name: str) -> None:
    """Every byte, which `measure` sees to; as many as are stored, in the time that is stated."""
    found, known = measure(name, Progress()), stored()[name]
    remedy = f"run `python -m designs.results hls/{name}`"
    assert found.array == known.array, remedy
    assert found.compared_bytes == known.compared_bytes, remedy
    assert found.run_seconds < LIMITS.get(name, np.inf)
