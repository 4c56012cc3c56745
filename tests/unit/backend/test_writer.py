# SPDX-License-Identifier: Apache-2.0
"""The output folder appears whole or not at all, and nobody's files are overwritten."""

import hashlib
import os
import resource
from pathlib import Path

import pytest

from flexcc.backend.writer import MANIFEST, check_destination, output_folder, read_manifest
from flexcc.errors import InputError


def write(destination: Path, **files: str) -> None:
    with output_folder(destination) as folder:
        for name, content in files.items():
            folder.write(f"sub/{name}", content)


def tree(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_writes_files_and_manifest(tmp_path: Path) -> None:
    write(tmp_path / "a" / "b" / "build", one="1", two="2")
    build = tmp_path / "a" / "b" / "build"
    assert (build / "sub" / "one").read_text() == "1"
    assert sorted(read_manifest(build)) == ["sub/one", "sub/two"]
    assert [path.name for path in build.parent.iterdir()] == ["build"]


def test_permissions_follow_the_umask(tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        write(tmp_path / "build", one="1")
    finally:
        os.umask(old)
    assert (tmp_path / "build").stat().st_mode & 0o777 == 0o750


def test_replaces_a_build(tmp_path: Path) -> None:
    write(tmp_path / "build", one="1", gone="x")
    write(tmp_path / "build", one="2")
    assert tree(tmp_path / "build").keys() == {"sub/one", MANIFEST}
    assert [path.name for path in tmp_path.iterdir()] == ["build"]


def test_adopts_what_a_tool_has_written(tmp_path: Path) -> None:
    with output_folder(tmp_path / "out") as folder:
        (folder.path / "deep").mkdir()
        (folder.path / "deep" / "tool.bit").write_bytes(b"bits")
        folder.adopt()
    digest = hashlib.sha256(b"bits").hexdigest()
    assert read_manifest(tmp_path / "out") == {"deep/tool.bit": digest}
    # Known files may be replaced.
    with output_folder(tmp_path / "out"):
        pass


def test_fills_an_empty_folder(tmp_path: Path) -> None:
    (tmp_path / "build").mkdir()
    write(tmp_path / "build", one="1")
    assert "sub/one" in tree(tmp_path / "build")


def test_follows_a_link_to_the_folder(tmp_path: Path) -> None:
    write(tmp_path / "real", one="1")
    (tmp_path / "link").symlink_to("real")
    write(tmp_path / "link", one="2")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real" / "sub" / "one").read_text() == "2"


def refused(destination: Path, *words: str) -> None:
    """`destination` is refused with `words`, and all that lies around it stays as it is."""
    top = next(p for p in destination.parents if p.is_dir())
    before = tree(top)
    for attempt in (lambda: check_destination(destination), lambda: write(destination, one="2")):
        with pytest.raises(InputError) as caught:
            attempt()
        for word in words:
            assert word in str(caught.value)
    assert tree(top) == before


def test_refuses_a_folder_of_something_else(tmp_path: Path) -> None:
    (tmp_path / "build").mkdir()
    (tmp_path / "build" / "thesis.tex").write_text("precious")
    refused(tmp_path / "build", "is no flexcc build", "-o")


def test_refuses_a_folder_with_a_foreign_manifest(tmp_path: Path) -> None:
    (tmp_path / "build").mkdir()
    (tmp_path / "build" / MANIFEST).write_text('{"format": "webpack", "files": {}, "version": 1}')
    refused(tmp_path / "build", "is no flexcc build")


def test_refuses_a_build_that_holds_other_files(tmp_path: Path) -> None:
    write(tmp_path / "build", one="1")
    (tmp_path / "build" / "notes.txt").write_text("precious")
    refused(tmp_path / "build", "notes.txt", "did not write")


def test_refuses_a_file_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "build").write_text("precious")
    refused(tmp_path / "build", "is a file")
    refused(tmp_path / "build" / "deeper" / "still", "is a file")


def test_refuses_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Well below the test's own folder: what lies above it belongs to other tests, at work now.
    current = tmp_path / "above" / "current"
    current.mkdir(parents=True)
    monkeypatch.chdir(current)
    refused(current, "current folder")
    refused(current.parent, "current folder")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write to read-only folders")
def test_refuses_a_read_only_folder(tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0o555)
    refused(tmp_path / "locked" / "build", "read-only")


def test_a_failing_write_leaves_the_old_build(tmp_path: Path) -> None:
    write(tmp_path / "build", one="1")
    before = tree(tmp_path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(InputError, match="cannot be written: File too large"):
            write(tmp_path / "build", one="1" * 2000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert tree(tmp_path) == before


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, OSError])
def test_an_exception_leaves_nothing(tmp_path: Path, error: type[BaseException]) -> None:
    def interrupted() -> None:
        with output_folder(tmp_path / "deep" / "build") as folder:
            folder.write("one", "1")
            raise error

    with pytest.raises(error):
        interrupted()
    assert not list(tmp_path.iterdir())


def test_an_interrupt_during_the_swap_restores_the_old_build(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "build", one="1")
    before = tree(tmp_path)
    rename = Path.rename
    calls = []

    def interrupted(self: Path, target: Path) -> Path:
        calls.append(target)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "build", one="2")
    assert len(calls) == 3
    assert tree(tmp_path) == before


@pytest.mark.parametrize("name", ["../x", "/x", "a/../../x", MANIFEST])
def test_names_stay_within_the_folder(tmp_path: Path, name: str) -> None:
    def misused() -> None:
        with output_folder(tmp_path / "build") as folder:
            folder.write(name, "1")

    with pytest.raises(ValueError, match="no file name"):
        misused()


def test_a_folder_without_manifest_is_no_build(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no flexcc build"):
        read_manifest(tmp_path)


def test_a_build_of_another_format_is_named(tmp_path: Path) -> None:
    write(tmp_path / "build", one="1")
    manifest = tmp_path / "build" / MANIFEST
    manifest.write_text(manifest.read_text().replace('"version": 1', '"version": 9'))
    with pytest.raises(InputError, match="format 9"):
        read_manifest(tmp_path / "build")
