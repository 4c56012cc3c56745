# SPDX-License-Identifier: Apache-2.0
"""Arrays by ONNX name become int8 batches by tensor name, and back."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from flexcc.arrays import BatchAxis, read_batch, write_outputs
from flexcc.errors import InputError
from flexcc.ir.graph import Graph, Port
from flexcc.ir.packing import block
from flexcc.ir.types import Quantization, TensorType


def type_(channels: int, height: int, width: int) -> TensorType:
    return TensorType(
        channels=channels,
        height=height,
        width=width,
        quantization=Quantization(scale=0.5, zero_point=-3),
    )


def graph(*, second: bool = False) -> Graph:
    """Input `image` 1x2x3x4 and maybe `vector` 1x5; outputs `y` 1x6 and `z` 7."""
    ports = [Port(tensor="t", onnx_name="image", onnx_shape=(1, 2, 3, 4))]
    if second:
        ports.append(Port(tensor="v", onnx_name="vector", onnx_shape=(1, 5)))
    return Graph(
        name="ports",
        inputs=tuple(ports),
        outputs=(
            Port(tensor="o", onnx_name="y", onnx_shape=(1, 6)),
            Port(tensor="p", onnx_name="z", onnx_shape=(7,)),
        ),
        tensors={
            "t": type_(2, 3, 4),
            "v": type_(5, 1, 1),
            "o": type_(6, 1, 1),
            "p": type_(7, 1, 1),
        },
        layers=(),
    )


def image(*shape: int) -> NDArray[np.float32]:
    return np.arange(np.prod(shape), dtype=np.float32).reshape(shape) / np.float32(4)


@pytest.mark.parametrize(
    ("shape", "axis"),
    [
        ((1, 2, 3, 4), BatchAxis(images=None)),
        ((5, 2, 3, 4), BatchAxis(images=5)),
        ((5, 1, 2, 3, 4), BatchAxis(images=5, added=True)),
        ((1, 1, 2, 3, 4), BatchAxis(images=1, added=True)),
    ],
)
def test_batches(tmp_path: Path, shape: tuple[int, ...], axis: BatchAxis) -> None:
    np.savez(tmp_path / "x.npz", image=image(*shape))
    batch = read_batch(tmp_path / "x.npz", graph(), raw=False)
    assert batch.axis == axis
    assert batch.images == (axis.images or 1)
    # Half steps round to even, zero point -3.
    np.testing.assert_array_equal(batch.tensors["t"][0, 0, 0], [-3, -3, -2, -1])
    assert batch.tensors["t"].shape == (batch.images, 2, 3, 4)
    assert batch.tensors["t"].dtype == np.int8


@pytest.mark.parametrize("names", [("image",), ("other",), ("x", "labels"), ("image", "x")])
def test_names_of_a_single_input(tmp_path: Path, names: tuple[str, ...]) -> None:
    arrays = {name: image(1, 2, 3, 4) if name == names[0] else np.zeros(9) for name in names}
    np.savez(tmp_path / "x.npz", **arrays)  # type: ignore[arg-type]
    batch = read_batch(tmp_path / "x.npz", graph(), raw=False)
    assert batch.tensors["t"].max() > 0


def test_several_inputs_go_by_name(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", vector=image(3, 5), image=image(3, 2, 3, 4))
    batch = read_batch(tmp_path / "x.npz", graph(second=True), raw=False)
    assert batch.tensors["v"].shape == (3, 5, 1, 1)
    np.savez(tmp_path / "x.npz", vector=image(2, 5), image=image(3, 2, 3, 4))
    with pytest.raises(InputError, match="different numbers of images"):
        read_batch(tmp_path / "x.npz", graph(second=True), raw=False)
    np.savez(tmp_path / "x.npz", image=image(3, 2, 3, 4))
    with pytest.raises(InputError, match="lacks input vector; it has image"):
        read_batch(tmp_path / "x.npz", graph(second=True), raw=False)


def test_every_packing_of_an_input_is_filled(tmp_path: Path) -> None:
    plain = graph()
    packed = type_(2, 3, 4).packed(block(3, 4, 1, 2))
    forms = replace(
        plain,
        inputs=(*plain.inputs, replace(plain.inputs[0], tensor="u")),
        tensors={**plain.tensors, "u": packed},
    )
    np.savez(tmp_path / "x.npz", image=image(5, 2, 3, 4))
    values = read_batch(tmp_path / "x.npz", plain, raw=False).tensors["t"]
    batch = read_batch(tmp_path / "x.npz", forms, raw=False)
    np.testing.assert_array_equal(batch.tensors["t"], values)
    assert batch.tensors["u"].shape == (5, 4, 3, 2)
    np.testing.assert_array_equal(packed.unpack(batch.tensors["u"]), values)


def test_packed_outputs_are_unpacked(tmp_path: Path) -> None:
    plain = graph()
    packed = type_(6, 2, 2).packed(block(2, 2, 2, 2))
    port = Port(tensor="o", onnx_name="y", onnx_shape=(1, 6, 2, 2))
    unpacking = replace(plain, outputs=(port,), tensors={**plain.tensors, "o": packed})
    values = np.arange(72, dtype=np.int8).reshape(3, 6, 2, 2)
    axis = BatchAxis(images=3)
    path = tmp_path / "y.npz"
    write_outputs(path, unpacking, {"o": packed.pack(values)}, axis, raw=True)
    np.testing.assert_array_equal(np.load(path)["y"], values)


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float64, np.float16, np.bool_])
def test_any_numbers_will_do(tmp_path: Path, dtype: type) -> None:
    np.savez(tmp_path / "x.npz", image=np.ones((1, 2, 3, 4), dtype))
    assert (read_batch(tmp_path / "x.npz", graph(), raw=False).tensors["t"] == -1).all()


def test_values_saturate(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", image=np.full((1, 2, 3, 4), 1e30))
    assert (read_batch(tmp_path / "x.npz", graph(), raw=False).tensors["t"] == 127).all()


def test_raw_integers_pass_unchanged(tmp_path: Path) -> None:
    values = np.arange(-12, 12).reshape(1, 2, 3, 4)
    np.savez(tmp_path / "x.npz", image=values)
    batch = read_batch(tmp_path / "x.npz", graph(), raw=True)
    np.testing.assert_array_equal(batch.tensors["t"], values)


@pytest.mark.parametrize(
    ("array", "raw", "words"),
    [
        (image(1, 2, 4, 3), False, "1x2x4x3, the model takes 1x2x3x4"),
        (image(0, 2, 3, 4), False, "0x2x3x4"),
        (np.full((1, 2, 3, 4), np.nan), False, "holds NaN"),
        (np.full((1, 2, 3, 4), "a"), False, "numbers are expected"),
        (image(1, 2, 3, 4), True, "is not int8"),
        (np.full((1, 2, 3, 4), 128), True, "128 to 128"),
    ],
)
def test_unusable_arrays(tmp_path: Path, array: NDArray[np.generic], raw: bool, words: str) -> None:
    np.savez(tmp_path / "x.npz", image=array)
    with pytest.raises(InputError, match=words):
        read_batch(tmp_path / "x.npz", graph(), raw=raw)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 damaged", b"hello"])
def test_unreadable_files(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.npz").write_bytes(content)
    with pytest.raises(InputError, match=r"x\.npz cannot be read"):
        read_batch(tmp_path / "x.npz", graph(), raw=False)


def test_pickles_are_not_loaded(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", image=np.array([{}], dtype=object))
    with pytest.raises(InputError, match="cannot be read"):
        read_batch(tmp_path / "x.npz", graph(), raw=False)


@pytest.mark.parametrize(
    ("axis", "y", "z"),
    [
        (BatchAxis(images=None), (1, 6), (7,)),
        (BatchAxis(images=1), (1, 6), (1, 7)),
        (BatchAxis(images=4), (4, 6), (4, 7)),
        (BatchAxis(images=4, added=True), (4, 1, 6), (4, 7)),
    ],
)
def test_outputs(tmp_path: Path, axis: BatchAxis, y: tuple[int, ...], z: tuple[int, ...]) -> None:
    images = axis.images or 1
    tensors = {
        "o": np.full((images, 6, 1, 1), 5, np.int8),
        "p": np.zeros((images, 7, 1, 1), np.int8),
    }
    for raw, value in ((True, 5), (False, 4.0)):
        write_outputs(tmp_path / "y.npz", graph(), tensors, axis, raw=raw)
        with np.load(tmp_path / "y.npz") as arrays:
            assert arrays["y"].shape == y
            assert arrays["z"].shape == z
            assert arrays["y"].dtype == (np.int8 if raw else np.float32)
            assert (arrays["y"] == value).all()
    assert [path.name for path in tmp_path.iterdir()] == ["y.npz"]
