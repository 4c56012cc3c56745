# SPDX-License-Identifier: Apache-2.0
"""Calibration files: what is accepted, what is refused, and how little is held in memory."""

import logging
import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from flexcc.errors import InputError
from flexcc.frontend import load_calibration, random_calibration
from flexcc.ir.graph import Graph, Port
from tests.models import chain, random_conv, tensor


def _graph(name: str = "image", shape: tuple[int, ...] = (1, 3, 4, 5)) -> Graph:
    source = tensor(3, 4, 5)
    conv = random_conv(np.random.default_rng(0), "c", ("x", source), channels=2, kernel=(1, 1))
    port = Port(tensor="x", onnx_name=name, onnx_shape=shape)
    return replace(chain(source, [conv]), inputs=(port,))


def _save(path: Path, **arrays: Any) -> Path:
    np.savez(path, **arrays)
    return path


@pytest.mark.parametrize(
    "dtype", [np.float32, np.float64, np.float16, np.uint8, np.int64, np.bool_]
)
@pytest.mark.parametrize("name", ["image", "x", "anything"])
def test_any_numeric_type_and_the_usual_names(tmp_path: Path, dtype: Any, name: str) -> None:
    values = np.arange(2 * 60).reshape(2, 3, 4, 5).astype(dtype)
    samples = load_calibration(_save(tmp_path / "c.npz", **{name: values}), _graph())
    assert list(samples) == ["x"]
    assert samples["x"].dtype == np.float32
    assert np.array_equal(samples["x"], values.astype(np.float32))


def test_own_name_goes_before_x(tmp_path: Path) -> None:
    path = _save(tmp_path / "c.npz", x=np.zeros((1, 3, 4, 5)), image=np.ones((1, 3, 4, 5)), y=[7])
    assert load_calibration(path, _graph())["x"].all()


@pytest.mark.parametrize("shape", [(1, 60), (60,), (1, 12, 5, 1), (1, 3, 20)])
def test_samples_may_have_the_shape_of_the_onnx_input(
    tmp_path: Path, shape: tuple[int, ...]
) -> None:
    inner = shape[1:] if len(shape) > 1 else shape
    values = np.arange(120.0).reshape(2, *inner)
    samples = load_calibration(_save(tmp_path / "c.npz", x=values), _graph(shape=shape))
    assert np.array_equal(samples["x"], values.reshape(2, 3, 4, 5))


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("compressed", [False, True])
def test_many_samples_are_thinned_evenly(
    tmp_path: Path, order: Any, compressed: bool, caplog: pytest.LogCaptureFixture
) -> None:
    values = np.arange(1000 * 60, dtype=np.int32).reshape(1000, 3, 4, 5)
    path = tmp_path / "c.npz"
    (np.savez_compressed if compressed else np.savez)(path, x=np.asarray(values, order=order))
    with caplog.at_level(logging.INFO, logger="flexcc"):
        samples = load_calibration(path, _graph(), limit=300)
    expected = values[[index * 1000 // 300 for index in range(300)]]
    assert np.array_equal(samples["x"], expected)
    assert caplog.messages == [f"{path}: 300 of 1000 samples, evenly spread"]
    assert len(load_calibration(path, _graph(), limit=1000)["x"]) == 1000


def test_only_the_samples_taken_are_held(tmp_path: Path) -> None:
    path = _save(tmp_path / "c.npz", x=np.zeros((100_000, 3, 4, 5), np.float32))
    tracemalloc.start()
    load_calibration(path, _graph())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert path.stat().st_size > 20_000_000
    assert peak < 4_000_000


@pytest.mark.parametrize(
    ("arrays", "fact"),
    [
        (
            {"x": np.zeros((4, 3, 5, 4))},
            "input 'image': calibration has shape 4x3x5x4, the model needs Kx3x4x5",
        ),
        ({"x": np.zeros((3, 4, 5))}, "calibration has shape 3x4x5, the model needs Kx3x4x5"),
        ({"x": np.float32(3)}, "calibration has shape a scalar, the model needs Kx3x4x5"),
        ({"x": np.zeros((0, 3, 4, 5))}, "calibration holds no samples; give at least one"),
        ({"x": np.full((2, 3, 4, 5), np.nan)}, "not a finite number at (0, 0, 0, 0)"),
        ({"x": np.full((2, 3, 4, 5), 1e300)}, "not a finite number at (0, 0, 0, 0)"),
        ({"x": np.zeros((1, 3, 4, 5), np.complex64)}, "values of type complex64 are no numbers"),
        ({"x": np.full((1, 3, 4, 5), "a")}, "values of type <U1 are no numbers; use float32"),
        (
            {"a": np.zeros(3), "b": np.zeros(3)},
            "no array for input 'image'; the file holds a, b; name the array 'image'",
        ),
        ({}, "no array for input 'image'; the file holds nothing; name the array 'image'"),
    ],
)
def test_wrong_samples_are_named(tmp_path: Path, arrays: dict[str, Any], fact: str) -> None:
    path = _save(tmp_path / "c.npz", **arrays)
    with pytest.raises(InputError) as raised:
        load_calibration(path, _graph())
    assert str(raised.value).startswith(f"{path}: ")
    assert fact in str(raised.value)


def test_pickled_objects_are_never_loaded(tmp_path: Path) -> None:
    path = _save(tmp_path / "c.npz", x=np.array([{"a": 1}], dtype=object))
    with pytest.raises(InputError, match="values of type object are no numbers"):
        load_calibration(path, _graph())


def test_broken_files_are_named(tmp_path: Path) -> None:
    good = _save(tmp_path / "good.npz", x=np.zeros((50, 3, 4, 5)))
    broken = tmp_path / "broken.npz"
    array = tmp_path / "array.npy"
    np.save(array, np.zeros((50, 3, 4, 5)))
    content = good.read_bytes()
    packed = tmp_path / "packed.npz"
    np.savez_compressed(packed, x=np.random.default_rng(0).normal(size=(50, 3, 4, 5)))
    damaged = bytearray(packed.read_bytes())
    damaged[500:600] = bytes(100)
    for path, data in (
        (packed, bytes(damaged)),
        (broken, content[: len(content) // 2]),
        (broken, b""),
        (broken, b"PK\x03\x04 but no more"),
        (array, array.read_bytes()),
    ):
        path.write_bytes(data)
        with pytest.raises(
            InputError, match=r"cannot be read as \.npz .*numpy.savez\(path, image="
        ):
            load_calibration(path, _graph())
    with pytest.raises(InputError, match=r"cannot be read as \.npz"):
        load_calibration(tmp_path / "absent.npz", _graph())
    with pytest.raises(InputError, match=r"cannot be read as \.npz"):
        load_calibration(tmp_path, _graph())


def test_inputs_must_agree_in_number(tmp_path: Path) -> None:
    graph = _graph()
    other = Port(tensor="z", onnx_name="other", onnx_shape=(1, 2, 1, 1))
    graph = replace(
        graph,
        inputs=(*graph.inputs, other),
        tensors={**graph.tensors, "z": tensor(2, 1, 1)},
    )
    path = _save(tmp_path / "c.npz", image=np.ones((3, 3, 4, 5)), other=np.ones((2, 2, 1, 1)))
    with pytest.raises(InputError, match=r"inputs differ in their number of samples: .*3.*2"):
        load_calibration(path, graph)
    path = _save(tmp_path / "c.npz", image=np.ones((2, 3, 4, 5)), other=np.ones((2, 2, 1, 1)))
    assert load_calibration(path, graph).keys() == {"x", "z"}
    path = _save(tmp_path / "c.npz", x=np.ones((2, 3, 4, 5)))
    with pytest.raises(InputError, match="no array for input 'image'"):
        load_calibration(path, graph)


def test_random_samples_repeat() -> None:
    first, again, other = (random_calibration(_graph(), seed)["x"] for seed in (1, 1, 2))
    assert first.shape == (8, 3, 4, 5)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
