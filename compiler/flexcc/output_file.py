# SPDX-License-Identifier: Apache-2.0
"""Single output files, written whole or not at all."""

import os
import secrets
from pathlib import Path

from flexcc.errors import InputError

__all__ = ["check_output_file", "write_file"]


def check_output_file(path: Path) -> None:
    """Raises InputError when `path` cannot become a file; writes nothing."""
    if path.is_dir():
        raise InputError(f"output {path} is a folder; name a file with --output")
    if not path.parent.is_dir():
        raise InputError(f"output {path}: folder {path.parent} does not exist; create it first")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise InputError(f"output {path}: folder {path.parent} is read-only; choose another")


def write_file(path: Path, content: bytes) -> None:
    """Writes `content` to `path`, whole or not at all.

    Raises:
        InputError: the file system refuses.
    """
    staging = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        staging.write_bytes(content)
        staging.replace(path)
    except OSError as error:
        raise InputError(f"output {path} cannot be written: {error.strerror}") from error
    finally:
        staging.unlink(missing_ok=True)
