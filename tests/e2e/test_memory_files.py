# SPDX-License-Identifier: Apache-2.0
"""`flexcc memory` writes what the interpreter starts from and ends with."""

from pathlib import Path

import numpy as np
import pytest

from flexcc.backend.interpreter import interpret
from flexcc.build import load_build
from tests.e2e.command import conv_model, flexcc, save


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("work")
    save(conv_model(), folder / "model.onnx")
    np.savez(folder / "x.npz", x=np.random.default_rng(1).normal(size=(2, 2, 10, 10)))
    result = flexcc(
        "model.onnx", "--target", "u250", "--array", "8,4,8", "-o", "build",
        "--calibration", "x.npz", cwd=folder,
    )  # fmt: skip
    assert result.code == 0, result.stderr
    return folder


def test_a_program_turns_the_one_file_into_the_other(work: Path) -> None:
    result = flexcc(
        "memory", "build", "--input", "x.npz", "--before", "b.bin", "--after", "a.bin", cwd=work
    )
    assert result.code == 0, result.stderr
    build = load_build(work / "build")
    before = np.fromfile(work / "b.bin", np.uint8)
    assert f"{len(before):,} bytes each in b.bin and a.bin" in result.stdout
    memory, _ = interpret(
        build.plan.accelerator,
        before,
        program_address=build.plan.program_address,
        program_beats=build.program_beats,
    )
    assert memory.tobytes() == (work / "a.bin").read_bytes()
    assert not np.array_equal(before, memory)


def test_a_folder_is_no_memory_file(work: Path) -> None:
    result = flexcc(
        "memory", "build", "--input", "x.npz", "--before", "build", "--after", "c.bin", cwd=work
    )
    assert result.code == 2
    assert "output build is a folder" in result.stderr
    assert not (work / "c.bin").exists()
