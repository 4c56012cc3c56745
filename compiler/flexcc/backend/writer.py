# SPDX-License-Identifier: Apache-2.0
"""Writes the output folder: all of it or nothing, and never over what flexcc did not write."""

import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from flexcc.errors import InputError

__all__ = ["MANIFEST", "OutputFolder", "check_destination", "output_folder", "read_manifest"]

MANIFEST = "manifest.json"
_FORMAT = "flexcc-build"
_VERSION = 1


class OutputFolder:
    """A folder being written; its files get their final place all at once."""

    def __init__(self, path: Path, named: Path) -> None:
        self.path = path
        self._named = named
        self._digests: dict[str, str] = {}

    def write(self, name: str, content: bytes | str) -> Path:
        """Writes (or replaces) one file, `name` relative to the folder with `/` between parts.

        Raises:
            InputError: the file system refuses.
        """
        data = content.encode() if isinstance(content, str) else content
        parts = PurePosixPath(name)
        if parts.is_absolute() or ".." in parts.parts or name == MANIFEST:
            raise ValueError(f"{name!r} is no file name within the output folder")
        file = self.path / parts
        with _reported(self._named):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
        self._digests[str(parts)] = hashlib.sha256(data).hexdigest()
        return file

    def adopt(self) -> None:
        """Lists the files that another program has written into the folder.

        Raises:
            InputError: the file system refuses.
        """
        with _reported(self._named):
            for file in sorted(path for path in self.path.rglob("*") if path.is_file()):
                name = file.relative_to(self.path).as_posix()
                self._digests[name] = hashlib.sha256(file.read_bytes()).hexdigest()

    def write_manifest(self) -> None:
        """Writes the list of files, which marks the folder as one that flexcc may replace."""
        manifest = {"format": _FORMAT, "version": _VERSION, "files": self._digests}
        text = json.dumps(manifest, indent=2, sort_keys=True) + "\n"
        (self.path / MANIFEST).write_text(text)


def read_manifest(folder: Path) -> dict[str, str]:
    """SHA-256 of every file flexcc wrote to `folder`, by name; InputError if it is no build."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text())
        if manifest["format"] != _FORMAT:
            raise ValueError(manifest["format"])
        version, files = manifest["version"], manifest["files"]
        digests = {str(name): str(digest) for name, digest in files.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{folder} is no flexcc build: it has no readable {MANIFEST}; "
            "name the folder that `flexcc MODEL -o FOLDER` wrote"
        ) from error
    if version != _VERSION:
        raise InputError(
            f"{folder} is a flexcc build of format {version}, this flexcc reads format {_VERSION}; "
            "compile the model again"
        )
    return digests


def check_destination(destination: Path) -> Path:
    """The absolute path that may be written or replaced; InputError if it may not. Writes nothing.

    A folder may be replaced when it is empty or holds only files that flexcc wrote.
    """
    path = Path(os.path.realpath(destination))
    if path == Path.cwd() or path in Path.cwd().parents:
        raise InputError(f"output {destination} is the current folder; name a new one with -o")
    with _reported(destination):
        _check_replaceable(path, destination)
        ancestor = path.parent
        while not ancestor.exists():
            ancestor = ancestor.parent
        if not ancestor.is_dir():
            raise InputError(
                f"output {destination}: {ancestor} is a file, not a folder; "
                "choose another output folder with -o"
            )
        for folder in (ancestor, path):
            if folder.exists() and not os.access(folder, os.W_OK | os.X_OK):
                raise InputError(
                    f"output {destination}: folder {folder} is read-only; "
                    "choose another output folder with -o"
                )
    return path


@contextmanager
def output_folder(destination: Path) -> Iterator[OutputFolder]:
    """A folder to fill, which becomes `destination` when the block ends without an exception.

    It is written beside `destination` and renamed; on any exception it vanishes and
    `destination` stays what it was.

    Raises:
        InputError: `destination` may not be replaced, or the file system refuses.
    """
    path = check_destination(destination)
    created: list[Path] = []
    staging = _sibling(path, "new")
    try:
        with _reported(destination):
            _make_parents(path.parent, created)
            staging.mkdir()
        folder = OutputFolder(staging, destination)
        yield folder
        with _reported(destination):
            folder.write_manifest()
            _check_replaceable(path, destination)
            _swap(staging, path)
    except BaseException:
        _discard(staging, created)
        raise


@contextmanager
def _reported(destination: Path) -> Iterator[None]:
    """Turns the file system's refusals into InputError."""
    try:
        yield
    except OSError as error:
        raise InputError(
            f"output {destination} cannot be written: {error.strerror or error}; "
            "mend the cause, or choose another output folder with -o"
        ) from error


def _check_replaceable(path: Path, named: Path) -> None:
    if not path.exists():
        return
    if not path.is_dir():
        raise InputError(
            f"output {named} is a file, not a folder; choose another output folder with -o"
        )
    found = {str(f.relative_to(path)) for f in path.rglob("*") if f.is_symlink() or not f.is_dir()}
    if not found:
        return
    try:
        known = read_manifest(path)
    except InputError as error:
        raise InputError(
            f"output {named} holds files and is no flexcc build, so it is not replaced; "
            "choose another output folder with -o, or remove it"
        ) from error
    foreign = sorted(found - known.keys() - {MANIFEST})
    if foreign:
        more = f" and {len(foreign) - 1} more" if len(foreign) > 1 else ""
        raise InputError(
            f"output {named} holds {foreign[0]}{more}, which flexcc did not write, so it is not "
            "replaced; move that away, or choose another output folder with -o"
        )


def _sibling(path: Path, role: str) -> Path:
    return path.with_name(f".{path.name}.{role}-{secrets.token_hex(4)}")


def _make_parents(folder: Path, created: list[Path]) -> None:
    missing = []
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    for parent in reversed(missing):
        parent.mkdir()
        created.append(parent)


def _swap(staging: Path, path: Path) -> None:
    """Puts `staging` in the place of `path`; on any exception `path` is what it was."""
    if not path.exists():
        staging.rename(path)
        return
    old = _sibling(path, "old")
    try:
        path.rename(old)
        staging.rename(path)
    except BaseException:
        if old.exists() and not path.exists():
            old.rename(path)
        raise
    shutil.rmtree(old)


def _discard(staging: Path, created: list[Path]) -> None:
    if staging.exists():
        shutil.rmtree(staging)
    for parent in reversed(created):
        if not any(parent.iterdir()):
            parent.rmdir()
