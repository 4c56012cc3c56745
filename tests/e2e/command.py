# SPDX-License-Identifier: Apache-2.0
"""Runs the command line as a user does, and makes small models for it."""

import contextlib
import io
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

from flexcc.cli import run

__all__ = ["Result", "conv_model", "flexcc", "save", "tree"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How a command ended."""

    code: int
    stdout: str
    stderr: str


def flexcc(*arguments: str | Path, cwd: Path) -> Result:
    """Runs `flexcc` with `arguments` in the folder `cwd`."""
    stdout, stderr = io.StringIO(), io.StringIO()
    with contextlib.chdir(cwd), redirect_stdout(stdout), redirect_stderr(stderr):
        code = run([str(argument) for argument in arguments])
    return Result(code=code, stdout=stdout.getvalue(), stderr=stderr.getvalue())


def conv_model(
    *, inputs: int = 2, size: int = 10, channels: int = 4, kernel: int = 3, dilation: int = 1
) -> onnx.ModelProto:
    """Input `x` [1, inputs, size, size], a square convolution `conv`, a Relu, output `y`."""
    random = np.random.default_rng(1)
    weight = random.normal(size=(channels, inputs, kernel, kernel)).astype(np.float32)
    bias = random.normal(size=channels).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node(
                "Conv",
                ["x", "w", "b"],
                ["c"],
                name="conv",
                kernel_shape=[kernel] * 2,
                dilations=[dilation] * 2,
            ),
            helper.make_node("Relu", ["c"], ["y"], name="relu"),
        ],
        "small",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1, inputs, size, size])],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)],
        [numpy_helper.from_array(weight, "w"), numpy_helper.from_array(bias, "b")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    return model


def save(model: onnx.ModelProto, path: Path) -> Path:
    """Writes a model and returns its path."""
    path.write_bytes(model.SerializeToString())
    return path


def tree(folder: Path) -> dict[str, bytes | None]:
    """Everything below a folder by name; None for folders."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }
