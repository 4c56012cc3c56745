# SPDX-License-Identifier: Apache-2.0
"""The folder hls/ of builds: clean, run by its own make file, sound under other compilers."""

import random
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from flexcc import reference
from flexcc.accelerator import Accelerator
from flexcc.backend.hls import hls_files, hls_view
from flexcc.backend.image import expected_image, initial_image
from flexcc.backend.planner import build_plan
from flexcc.backend.vitis import vitis_files, vitis_view
from flexcc.targets import load_device
from sim.hls_check import check_folder
from tests.networks import ACCELERATORS, random_case
from tests.rtl.test_layer_sweep import SHAPES, _sweep

_WARNINGS = ("-Wall", "-Wextra", "-Werror", "-Wno-unused-label", "-Wno-unknown-pragmas")
# A network, and layers that use the engines which random networks do not.
_SWEEPS: dict[str, tuple[str, dict[str, bool]]] = {
    "sums": ("8x4x8-packed", {"sums": True}),
    "slopes, window": ("16x5x4-slopes-window1", {}),
    "bent sums": ("8x4x8-packed", {"sums": True, "slopes": True, "bends": True}),
    "16 bits": ("4x3x16-packed-slopes-tables-wide", {}),
}


def _variants() -> Iterator[tuple[str, Accelerator]]:
    for number, accelerator in enumerate(ACCELERATORS):
        yield f"{number}", accelerator
        yield f"{number}-sums", replace(accelerator, sums=True)
        if accelerator.slopes:
            yield f"{number}-bends", replace(accelerator, sums=True, bends=True)


def _write(folder: Path, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


@pytest.mark.parametrize("accelerator", [pytest.param(a, id=n) for n, a in _variants()])
def test_every_configuration_is_clean(tmp_path: Path, accelerator: Accelerator) -> None:
    _write(tmp_path, hls_files(hls_view(accelerator, version="1", model="m", target="u250")))
    assert [str(fault) for fault in check_folder(tmp_path)] == []


_MUTATIONS = {
    "an engine that nobody feeds": (
        "lib/flex/accelerator.hpp", "FLEX_PROCESS(weight_load<Config>(", "static_cast<void>((",
        "weights has 0 producers",
    ),
    "a loop without an interval": (
        "lib/flex/array.hpp", "Steps:\n  while (!last) {\n    FLEX_PIPELINE;",
        "Steps:\n  while (!last) {\n", "neither PIPELINE nor UNROLL",
    ),
    "a stream without depth": (
        "lib/flex/accelerator.hpp", "  FLEX_STREAM(steps, 64);\n", "", "steps has no STREAM",
    ),
    "progress that two processes take": (
        "lib/flex/accelerator.hpp",
        "FLEX_PROCESS(load<Config, kEngineLoad>(act, load_records, load_progress,",
        "FLEX_PROCESS(load<Config, kEngineLoad>(act, load_records, weight_records,",
        "weight_records has 2 consumers: load, weight_load",
    ),
    "a port without interface": (
        "flex_kernel.cpp", "#pragma HLS INTERFACE mode=s_axilite port=wgt\n", "",
        "wgt has no s_axilite interface",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", _MUTATIONS)
def test_a_fault_planted_in_the_library_is_found(tmp_path: Path, name: str) -> None:
    file, old, new, message = _MUTATIONS[name]
    files = hls_files(hls_view(ACCELERATORS[0], version="1", model="m", target="u250"))
    text = files[file].decode()
    assert text.count(old) == 1
    _write(tmp_path, {**files, file: text.replace(old, new).encode()})
    assert any(message in str(fault) for fault in check_folder(tmp_path))


@dataclass(frozen=True, kw_only=True)
class Project:
    """A build with its memory before and after a run."""

    folder: Path

    def make(self, compiler: str, after: str = "after.bin") -> subprocess.CompletedProcess[str]:
        """Runs `make csim`."""
        program = shutil.which("make")
        assert program is not None
        (self.folder / "hls" / "csim.exe").unlink(missing_ok=True)
        return subprocess.run(
            [program, "-s", "csim", "BEFORE=../before.bin", f"AFTER=../{after}",
             f"CXX={compiler}"],
            cwd=self.folder / "hls", capture_output=True, text=True, check=False, timeout=600,
        )  # fmt: skip


@pytest.fixture(
    scope="module",
    params=["network", *(pytest.param(name, marks=pytest.mark.slow) for name in _SWEEPS)],
)
def project(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Project:
    if request.param == "network":
        case = random_case(random.Random(7), 3, ACCELERATORS[0])
        graph, inputs = case.graph, case.inputs
        plan = build_plan(case.graph, case.mapping)
    else:
        shape, engines = _SWEEPS[request.param]
        sweep = _sweep(replace(SHAPES[shape], **engines), 6, request.param)
        graph, inputs, plan = sweep.graph, sweep.inputs, sweep.plan
    image = initial_image(plan, inputs)
    tensors = reference.run(graph, {name: array[None] for name, array in inputs.items()})
    after = expected_image(plan, image, {name: array[0] for name, array in tensors.items()})
    accelerator = plan.accelerator
    surroundings = vitis_view(
        accelerator,
        load_device("u250"),
        program_address=plan.program_address,
        program_bytes=len(image) - plan.program_address,
        version="1",
        model="m",
    )
    folder = tmp_path_factory.mktemp("build")
    kernel = hls_view(accelerator, version="1", model="m", target="u250")
    _write(folder / "hls", {**hls_files(kernel), **vitis_files(surroundings)})
    image.tofile(folder / "before.bin")
    after.tofile(folder / "after.bin")
    return Project(folder=folder)


def test_testbench_compares_all_memory(project: Project) -> None:
    ran = project.make("g++")
    assert ran.returncode == 0, ran.stderr
    size = (project.folder / "after.bin").stat().st_size
    assert ran.stdout == f"{size} bytes are equal\n"
    wrong = bytearray((project.folder / "after.bin").read_bytes())
    wrong[size // 2] ^= 1
    (project.folder / "wrong.bin").write_bytes(wrong)
    executable = project.folder / "hls" / "csim.exe"
    again = subprocess.run(
        [executable, "../before.bin", "../wrong.bin"],
        cwd=executable.parent, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert again.returncode == 1
    assert f"1 of {size} bytes differ, the first at {size // 2}:" in again.stdout


@pytest.mark.slow
@pytest.mark.parametrize("sanitizers", ["address,undefined", "thread"])
def test_sanitizers_find_nothing(project: Project, sanitizers: str) -> None:
    ran = project.make(f"g++ -fsanitize={sanitizers} -fno-sanitize-recover=all")
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.endswith("bytes are equal\n")
    assert not ran.stderr


@pytest.mark.skipif(shutil.which("clang++") is None, reason="clang++ is not installed")
def test_another_compiler_agrees(project: Project) -> None:
    ran = project.make(" ".join(("clang++", *_WARNINGS)))
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.endswith("bytes are equal\n")


@pytest.mark.parametrize("fault", ["address", "undefined", "thread"])
@pytest.mark.slow
def test_sanitizers_find_what_is_planted(project: Project, fault: str) -> None:
    """They run on the kernel, not beside it."""
    kernel = project.folder / "hls" / "flex_kernel.cpp"
    good = kernel.read_text()
    planted = {
        "address": "int* p = new int[2]; volatile int i = 2; if (p[i] == 77) __builtin_trap();",
        "undefined": "volatile int i = 0x7fffffff; i = i + 1;",
        "thread": "static int n; std::thread t([] { ++n; }); ++n; t.join();",
    }[fault]
    body = "  const uint64_t program_offset"
    assert good.count(body) == 1
    try:
        kernel.write_text(good.replace(body, f"  {planted}\n{body}"))
        ran = project.make(f"g++ -O0 -fsanitize={fault} -fno-sanitize-recover=all")
    finally:
        kernel.write_text(good)
    assert ran.returncode != 0
    assert "Sanitizer" in ran.stderr or "runtime error" in ran.stderr
