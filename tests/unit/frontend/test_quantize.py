# SPDX-License-Identifier: Apache-2.0
"""Quantisation: accuracy on all digits, ports kept, the same model every time."""

from pathlib import Path

import numpy as np
import pytest

from flexcc import reference
from flexcc.errors import InputError
from flexcc.frontend import (
    import_model,
    load_calibration,
    load_model,
    quantize,
    random_calibration,
)
from flexcc.ir.affine import quantize_array
from flexcc.ir.graph import Graph
from flexcc.passes import PIPELINE, run_pipeline

MNIST = Path(__file__).parents[3] / "designs" / "mnist_conv_u250"


@pytest.fixture(scope="module")
def mnist() -> Graph:
    return run_pipeline(PIPELINE, import_model(load_model(MNIST / "model.onnx")))


def test_digits_keep_their_accuracy(mnist: Graph) -> None:
    """All 10,000 digits, calibrated on the first 256: at least 99.2 % right."""
    quantized = quantize(mnist, load_calibration(MNIST / "digits.npz", mnist))
    graph = run_pipeline(PIPELINE, quantized.graph)
    with np.load(MNIST / "digits.npz") as digits:
        pixels, labels = digits["x"], digits["y"]
    [source], [target] = graph.inputs, graph.outputs
    quantization = graph.tensors[source.tensor].quantization
    assert quantization is not None
    inputs = {source.tensor: quantize_array(pixels.astype(np.float32), quantization)}
    scores = reference.run(graph, inputs)[target.tensor].reshape(len(labels), -1)
    right = float(np.mean(scores.argmax(axis=1) == labels))
    assert right >= 0.992, f"{right:.2%} of the digits are right"


def test_ports_stay_those_of_the_model(mnist: Graph) -> None:
    graph = quantize(mnist, random_calibration(mnist)).graph
    assert [port.onnx_name for port in graph.inputs] == ["Input3"]
    assert [port.onnx_name for port in graph.outputs] == ["Plus214_Output_0"]
    assert graph.outputs[0].onnx_shape == (1, 10)


def test_the_same_samples_give_the_same_model(mnist: Graph) -> None:
    samples = random_calibration(mnist)
    first, second = (quantize(mnist, samples).onnx_model for _ in range(2))
    assert first.SerializeToString() == second.SerializeToString()


@pytest.mark.parametrize(
    ("arrays", "fact"),
    [
        ({"Input3": np.zeros((4, 1, 28, 27), np.float32)}, "shape 4x1x28x27"),
        ({"Input3": np.zeros((0, 1, 28, 28), np.float32)}, "no samples"),
        ({"Input3": np.full((1, 1, 28, 28), np.nan, np.float32)}, "not a finite number"),
        ({"Input3": np.zeros((1, 1, 28, 28), np.complex64)}, "complex64"),
        ({"a": np.zeros(3), "b": np.zeros(3)}, "no array for input 'Input3'"),
    ],
)
def test_wrong_samples_are_named(
    mnist: Graph, tmp_path: Path, arrays: dict[str, np.ndarray], fact: str
) -> None:
    path = tmp_path / "samples.npz"
    np.savez(path, **arrays)
    with pytest.raises(InputError, match=fact):
        load_calibration(path, mnist)


def test_a_file_that_is_no_archive_is_named(mnist: Graph, tmp_path: Path) -> None:
    path = tmp_path / "samples.npz"
    path.write_bytes(b"PK\x03\x04 but no more")
    with pytest.raises(InputError, match=r"cannot be read as \.npz"):
        load_calibration(path, mnist)
    with pytest.raises(InputError, match=r"cannot be read as \.npz"):
        load_calibration(tmp_path / "absent.npz", mnist)
