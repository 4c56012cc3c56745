# SPDX-License-Identifier: Apache-2.0
"""Networks from the ONNX file to the HLS kernel: every byte as the reference says."""

from pathlib import Path

import numpy as np
import pytest

from designs.design import load_design
from designs.models import NETWORKS
from designs.whole.networks import load_whole
from flexcc import compile_model
from flexcc.driver import require_equal
from flexcc.execute import run_build
from flexcc.options import ArrayShape, Backend, Executor, Options, RunOptions
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


@pytest.mark.slow
@pytest.mark.parametrize("name", ["enet", "unet"])
def test_whole_network(name: str, tmp_path: Path) -> None:
    whole = load_whole(name)
    m, p, n = whole.array
    model = tmp_path / f"{name}.onnx"
    model.write_bytes(NETWORKS[name]().SerializeToString(deterministic=True))
    options = Options(
        model=model,
        target=whole.target,
        output=tmp_path / "build",
        array=ArrayShape(m=m, p=p, n=n),
        random_calibration=True,
        verify=(Backend.HLS,),
    )
    report = compile_model(options, Progress())
    require_equal(report)
    assert report.verify.hls is not None
    assert report.array.macs_per_cycle >= 1024
