# SPDX-License-Identifier: Apache-2.0
"""Unusable input: a short error that names fact and remedy, exit code 2 or 3, nothing written."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper

from tests.e2e.command import Result, conv_model, flexcc, save, tree

Edit = Callable[[onnx.ModelProto], None]


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A folder with a good model and good calibration data."""
    save(conv_model(), tmp_path / "model.onnx")
    samples = np.random.default_rng(1).normal(size=(4, 2, 10, 10)).astype(np.float32)
    np.savez(tmp_path / "data.npz", x=samples)
    return tmp_path


def compile_in(work: Path, *more: str, model: str = "model.onnx", output: str = "build") -> Result:
    """Compiles as the first example of the README does; `more` overrides."""
    default = ["--target", "u250", "-o", output, "--array", "8,4,8", "--calibration", "data.npz"]
    return flexcc(model, *default, *more, cwd=work)


def refused(work: Path, result: Result, *words: str, code: int = 2) -> None:
    """`result` is a short error that holds `words`, and `work` holds no output."""
    assert result.code == code, result
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    assert len(lines) <= 4, result.stderr
    assert "Traceback" not in result.stderr
    assert max(map(len, lines)) < 600
    for word in words:
        assert word in result.stderr, result.stderr
    assert not (work / "build").exists()
    assert not [path for path in work.iterdir() if path.name.startswith(".")]


def edited(work: Path, edit: Edit) -> None:
    model = conv_model()
    edit(model)
    save(model, work / "model.onnx")


def test_the_good_input_compiles(work: Path) -> None:
    result = compile_in(work)
    assert result.code == 0, result.stderr
    assert result.stderr == ""
    assert (work / "build" / "report.json").is_file()


@pytest.mark.parametrize("share", [0, 0.1, 0.5, 0.99])
def test_truncated_model(work: Path, share: float) -> None:
    whole = (work / "model.onnx").read_bytes()
    (work / "model.onnx").write_bytes(whole[: int(len(whole) * share)])
    refused(work, compile_in(work), "model.onnx", "ONNX model", "again")


def test_not_a_model(work: Path) -> None:
    (work / "model.onnx").write_text("hello\n" * 100)
    refused(work, compile_in(work), "ONNX model")


def test_missing_model(work: Path) -> None:
    refused(work, compile_in(work, model="none.onnx"), "none.onnx", "No such file")


def test_missing_initialiser(work: Path) -> None:
    edited(work, lambda model: model.graph.initializer.pop(0))
    refused(work, compile_in(work), "'w'", "conv")


def test_dynamic_shape(work: Path) -> None:
    def edit(model: onnx.ModelProto) -> None:
        model.graph.input[0].type.tensor_type.shape.dim[2].dim_param = "height"

    edited(work, edit)
    refused(work, compile_in(work), "'x'", "height", "--input-shape x=1x2x")
    fixed = compile_in(work, "--input-shape", "x=1x2x10x10")
    assert fixed.code == 0, fixed.stderr


def test_dynamic_batch_is_taken_as_one(work: Path) -> None:
    def edit(model: onnx.ModelProto) -> None:
        model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "batch"

    edited(work, edit)
    result = compile_in(work)
    assert result.code == 0
    assert "batch" in result.stderr
    assert "taken as 1" in result.stderr


def test_unsupported_operators_are_all_named(work: Path) -> None:
    def edit(model: onnx.ModelProto) -> None:
        model.graph.node[1].output[0] = "r"
        model.graph.node.extend(
            [
                helper.make_node("Hardmax", ["r"], ["e"], name="hardmax_node"),
                helper.make_node("LpNormalization", ["e"], ["s"], name="norm_node"),
                # Behind the last layer with weights the host would run them.
                helper.make_node("Conv", ["s", "v"], ["y"], name="last"),
            ]
        )
        weight = np.ones((1, 4, 1, 1), np.float32)
        model.graph.initializer.append(onnx.numpy_helper.from_array(weight, "v"))

    edited(work, edit)
    result = compile_in(work)
    assert result.code == 2
    for word in ("hardmax_node", "Hardmax", "norm_node", "LpNormalization", "Conv", "MaxPool"):
        assert word in result.stderr
    assert not (work / "build").exists()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_no_numbers(work: Path, value: float) -> None:
    def edit(model: onnx.ModelProto) -> None:
        weight = np.frombuffer(model.graph.initializer[0].raw_data, np.float32).copy()
        weight[5] = value
        model.graph.initializer[0].raw_data = weight.tobytes()

    edited(work, edit)
    refused(work, compile_in(work), "'w'")


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros((4, 3, 10, 10), np.float32), ("4x3x10x10", "Kx2x10x10")),
        (np.zeros((0, 2, 10, 10), np.float32), ("no samples",)),
        (np.full((4, 2, 10, 10), np.nan, np.float32), ("not a finite number",)),
        (np.full((4, 2, 10, 10), "a"), ("no numbers",)),
    ],
    ids=["shape", "empty", "nan", "text"],
)
def test_wrong_calibration(work: Path, array: np.ndarray, words: tuple[str, ...]) -> None:
    np.savez(work / "data.npz", x=array)
    refused(work, compile_in(work), "data.npz", "'x'", *words)


def test_unreadable_calibration(work: Path) -> None:
    (work / "data.npz").write_text("x")
    refused(work, compile_in(work), "data.npz", "numpy.savez")
    (work / "data.npz").unlink()
    refused(work, compile_in(work), "data.npz", "No such file")


def test_no_calibration(work: Path) -> None:
    result = flexcc("model.onnx", "--target", "u250", "-o", "build", cwd=work)
    refused(work, result, "--calibration FILE.npz", "--random-calibration")


def test_two_calibrations(work: Path) -> None:
    refused(work, compile_in(work, "--random-calibration"), "exclude each other")


def test_random_calibration_warns(work: Path) -> None:
    arguments = ["--target", "u250", "-o", "build", "--random-calibration", "--array", "8,4,8"]
    result = flexcc("model.onnx", *arguments, cwd=work)
    assert result.code == 0
    assert "warning" in result.stderr
    assert "accuracy" in result.stderr


def test_output_that_is_a_file(work: Path) -> None:
    (work / "taken").write_text("precious")
    for output in ("taken", "taken/deeper"):
        before = tree(work)
        refused(work, compile_in(work, output=output), "taken", "is a file", "-o")
        assert tree(work) == before


def test_output_that_is_not_ours(work: Path) -> None:
    (work / "thesis").mkdir()
    (work / "thesis" / "chapter.tex").write_text("precious")
    before = tree(work)
    refused(work, compile_in(work, output="thesis"), "thesis", "no flexcc build")
    assert tree(work) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write to read-only folders")
def test_read_only_output_folder(work: Path) -> None:
    (work / "locked").mkdir(mode=0o555)
    refused(work, compile_in(work, output="locked/build"), "locked", "read-only")


def test_output_on_a_file_system_that_refuses(work: Path) -> None:
    # Nobody, root included, creates folders in /proc.
    refused(work, compile_in(work, output="/proc/build"), "/proc", "-o")


def test_unknown_target(work: Path) -> None:
    refused(work, compile_in(work, "--target", "u999"), "'u999'", "u250", "zcu104")


@pytest.mark.parametrize(
    ("option", "words"),
    [
        (("--array", "8,4"), ("--array", "8,4,8")),
        (("--array", "7,4,8"), ("7,4,8", "powers of two")),
        (("--array", "8,17,8"), ("8,17,8", "1..16")),
        (("--verify", "hls", "--cores", "2"), ("hls", "--cores 1")),
        (("--verify", "vhdl"), ("vhdl",)),
        (("--verify", "rtl", "--verify-images", "5"), ("--verify-images 5", "4")),
        (("--input-shape", "x=1xax2"), ("--input-shape",)),
        (("--input-shape", "z=1x2x10x10"), ("'z'", "x")),
        (("--clock", "0"), ("--clock",)),
    ],
    ids=lambda value: "-".join(value).strip("-") if "--" in value[0] else "",
)
def test_wrong_option(work: Path, option: tuple[str, ...], words: tuple[str, ...]) -> None:
    refused(work, compile_in(work, *option), *words)


def test_array_that_does_not_fit(work: Path) -> None:
    result = compile_in(work, "--target", "zcu104", "--array", "256,16,16")
    refused(work, result, "256,16,16", "multipliers", "needed", "available", code=3)


def test_layer_that_does_not_fit(work: Path) -> None:
    # One output needs a window of half a million bytes, twice: more than the block RAM there is.
    save(conv_model(inputs=256, size=48, kernel=48, channels=1), work / "model.onnx")
    arguments = ["--target", "ulx3s-85f", "-o", "build", "--random-calibration"]
    result = flexcc("model.onnx", *arguments, cwd=work)
    refused(work, result, "conv", "activation buffer", "needed", "available", code=3)


def test_build_that_is_none(work: Path) -> None:
    (work / "empty").mkdir()
    run = ["--input", "data.npz", "--output", "y.npz"]
    refused(work, flexcc("run", "empty", *run, cwd=work), "empty", "no flexcc build")
    refused(work, flexcc("inspect", "empty", cwd=work), "empty", "no flexcc build")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--input", "wrong.npz", "--output", "y.npz"), ("'x'", "1x3x5", "1x2x10x10")),
        (("--input", "none.npz", "--output", "y.npz"), ("none.npz", "No such file")),
        (("--input", "data.npz", "--output", "none/y.npz"), ("none", "does not exist")),
        (("--input", "data.npz", "--output", "."), ("is a folder",)),
        (("--input", "data.npz", "--output", "y.npz", "--raw"), ("'x'", "--raw")),
        (("--input", "data.npz", "--output", "y.npz", "--stalls", "1"), ("--on rtl",)),
        (("--input", "data.npz", "--output", "y.npz", "--check"), ("--on rtl",)),
        (("--input", "data.npz", "--output", "y.npz", "--on", "tpu"), ("board", "rtl")),
    ],
    ids=["shape", "missing", "folder", "is-folder", "raw", "stalls", "check", "executor"],
)
def test_wrong_run(work: Path, arguments: tuple[str, ...], words: tuple[str, ...]) -> None:
    np.savez(work / "wrong.npz", x=np.zeros((1, 3, 5), np.float32))
    assert compile_in(work, output="ours").code == 0
    before = tree(work)
    refused(work, flexcc("run", "ours", *arguments, cwd=work), *words)
    assert tree(work) == before
