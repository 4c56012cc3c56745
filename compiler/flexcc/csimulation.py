# SPDX-License-Identifier: Apache-2.0
"""The C simulation of the HLS kernel as a machine that turns memory images into memory images."""

import ctypes
import hashlib
import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from flexcc.accelerator import Accelerator
from flexcc.backend.hls import hls_files, hls_view
from flexcc.errors import InputError, MismatchError
from flexcc.resources import find_sim

__all__ = ["Kernel", "check_simulable", "compile_library", "kernel"]

Image = NDArray[np.uint8]

_ENTRY = "csim/flex_csim.cpp"
_FLAGS = (
    # Hidden symbols: libraries of several configurations must not share what has the same name.
    *("-std=c++17", "-O3", "-march=native", "-fPIC", "-shared", "-pthread", "-fvisibility=hidden"),
    *("-Wall", "-Wextra", "-Werror", "-Wno-unused-label", "-Wno-unknown-pragmas"),
)
_INCLUDES = (".", "lib", "csim")
_MESSAGE_BYTES = 8192


class Kernel:
    """A compiled kernel; runs do not share anything."""

    def __init__(self, library: Path) -> None:
        self._run = ctypes.CDLL(str(library)).flex_csim_run
        self._run.restype = ctypes.c_int
        pointer = ctypes.c_void_p
        self._run.argtypes = [
            *(pointer, ctypes.c_uint64, ctypes.c_uint64, ctypes.c_uint32),
            *(pointer, ctypes.c_uint64),
        ]

    def run(self, memory: Image, program_address: int, program_beats: int) -> Image:
        """Memory after the program has run on a copy of `memory`.

        Raises:
            MismatchError: the kernel stands still or finds a rule of the program broken.
        """
        after = np.ascontiguousarray(memory).copy()
        message = ctypes.create_string_buffer(_MESSAGE_BYTES)
        failed = self._run(
            after.ctypes.data, len(after), program_address, program_beats, message, _MESSAGE_BYTES
        )
        if failed:
            raise MismatchError(f"the HLS kernel failed: {message.value.decode()}")
        return after


def check_simulable(accelerator: Accelerator) -> None:
    """Raises InputError for an accelerator that the HLS library does not build."""
    if accelerator.cores > 1:
        raise InputError(
            f"the HLS kernel has one core, the design {accelerator.cores}; "
            "compile with --cores 1, or use the RTL"
        )


def kernel(accelerator: Accelerator, flags: Sequence[str] = ()) -> Kernel:
    """The compiled kernel of an accelerator, built unless the cache holds it; `flags` are added.

    Raises:
        InputError: there is no compiler, or the library does not build the accelerator.
    """
    check_simulable(accelerator)
    view = hls_view(accelerator, version="", model="a program", target="C simulation")
    return Kernel(compile_library(hls_files(view), _ENTRY, flags))


@cache
def _compiler() -> tuple[str, str]:
    """The compiler, and what tells its version and this machine's instructions."""
    name = os.environ.get("CXX", "g++")
    command = [name, "-march=native", "-E", "-v", "-x", "c++", os.devnull]
    try:
        shown = subprocess.run(command, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise InputError(
            f"the HLS kernel cannot be simulated: {name} does not run; install a C++ compiler, "
            "or name yours in CXX"
        ) from error
    return name, shown.stderr


def compile_library(files: Mapping[str, bytes], source: str, flags: Sequence[str] = ()) -> Path:
    """The shared library of `source` in a folder like hls/, built unless the cache holds it.

    Raises:
        InputError: there is no compiler.
        MismatchError: it finds errors, or anything to warn of.
    """
    name, version = _compiler()
    flags = (*_FLAGS, *flags)
    digest = hashlib.sha256(repr((version, flags, source)).encode())
    for path, content in sorted(files.items()):
        digest.update(f"{path} {len(content)} ".encode() + content)
    folder = _cache_folder() / "hls"
    library = folder / f"{digest.hexdigest()[:32]}.so"
    if library.exists():
        return library
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        root = Path(scratch)
        for path, content in files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(content)
        includes = [f"-I{root / include}" for include in _INCLUDES]
        built = root / "library.so"
        command = [name, *flags, *includes, str(root / source), "-o", str(built)]
        made = subprocess.run(command, check=False, capture_output=True, text=True)
        if made.returncode:
            raise MismatchError(f"{source} does not compile:\n{made.stderr[-4000:]}")
        built.replace(library)
    return library


def _cache_folder() -> Path:
    find_sim()
    from sim.verilator import cache_folder  # noqa: PLC0415

    return cache_folder()
