# SPDX-License-Identifier: Apache-2.0
"""Output files: whole or not at all."""

from pathlib import Path

import pytest

from flexcc.errors import InputError
from flexcc.output_file import check_output_file, write_file


def test_places_that_take_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder"):
        check_output_file(tmp_path)
    with pytest.raises(InputError, match="does not exist"):
        check_output_file(tmp_path / "none" / "y.npz")
    check_output_file(tmp_path / "y.npz")
    assert not list(tmp_path.iterdir())


def test_a_file_replaces_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "y"
    path.write_bytes(b"old")
    write_file(path, b"new")
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_refusal_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be written"):
        write_file(tmp_path / "none" / "y", b"")
    assert not list(tmp_path.iterdir())
