# SPDX-License-Identifier: Apache-2.0
"""Reading model files, whole and broken."""

from pathlib import Path

import numpy as np
import onnx
import pytest

from flexcc.errors import InputError
from flexcc.frontend import import_model, load_model
from tests.onnx_models import make_model, node


def _model() -> onnx.ModelProto:
    rng = np.random.default_rng(0)
    return make_model([node("Conv", "x w", "y")], {"w": rng.normal(size=(16, 3, 3, 3))})


def test_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    onnx.save(_model(), path)
    assert load_model(path) == _model()
    assert load_model(str(path)) == _model()


@pytest.mark.parametrize("name", ["m.onnx", "m.txt", "m.json"])
def test_truncated_file(tmp_path: Path, name: str) -> None:
    """Cut anywhere, a file is refused; what parses by chance lacks nodes or operator sets."""
    content = _model().SerializeToString()
    path = tmp_path / name
    for size in range(0, len(content), 7):
        path.write_bytes(content[:size])
        with pytest.raises(InputError) as raised:
            import_model(load_model(path))
        assert str(raised.value).startswith(f"{path}: this is no ")
        assert "again" in str(raised.value)


@pytest.mark.parametrize("content", [b"", b"hello, world\n", b"\x00" * 100, b"\x89PNG\r\n\x1a\n"])
def test_not_onnx(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "picture.onnx"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"picture.onnx: this is no (complete )?ONNX model"):
        load_model(path)


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none.onnx: cannot read the model: No such file"):
        load_model(tmp_path / "none.onnx")
    with pytest.raises(InputError, match="cannot read the model: Is a directory"):
        load_model(tmp_path)


def _save_external(tmp_path: Path) -> Path:
    path = tmp_path / "m.onnx"
    onnx.save(_model(), path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    return path


def test_external_data(tmp_path: Path) -> None:
    path = _save_external(tmp_path)
    assert (tmp_path / "weights.bin").is_file()
    assert len(import_model(load_model(path)).layers) == 1


def test_missing_external_data(tmp_path: Path) -> None:
    path = _save_external(tmp_path)
    (tmp_path / "weights.bin").unlink()
    with pytest.raises(InputError) as raised:
        load_model(path)
    assert str(raised.value) == (
        f"{path}: the external data 'weights.bin' of 'w' are missing; put the file beside the model"
    )


def test_truncated_external_data(tmp_path: Path) -> None:
    path = _save_external(tmp_path)
    content = (tmp_path / "weights.bin").read_bytes()
    (tmp_path / "weights.bin").write_bytes(content[:100])
    with pytest.raises(
        InputError, match=r"external data cannot be read|initialiser 'w' is damaged"
    ):
        import_model(load_model(path))
