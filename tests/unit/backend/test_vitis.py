# SPDX-License-Identifier: Apache-2.0
"""What surrounds the HLS kernel: the files are what they were, and tools take them."""

import os
import shutil
import stat
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from flexcc.backend.hls import hls_files, hls_view
from flexcc.backend.host import host_files
from flexcc.backend.views import ArrayView, HostView, PortView, VitisView
from flexcc.backend.vitis import vitis_files, vitis_view
from flexcc.targets import available_targets, load_device
from tests.networks import ACCELERATORS

BOARDS = [name for name in available_targets() if load_device(name).vitis is not None]

VIEW = VitisView(
    version="1.0",
    vitis_version="2023.2",
    model="net.onnx",
    target="u250",
    platform="xilinx_u250_gen3x16_xdma_4_1_202210_1",
    part="xcu250-figd2104-2L-e",
    clock_mhz="300",
    period_ns="3.333",
    ports=(("program", "DDR[1]"), ("wgt", "DDR[1]"), ("act", "DDR[0]"), ("skip", "DDR[0]"),
           ("out", "DDR[0]")),
    slr="SLR0",
    embedded=False,
    host_cpu="x86_64",
    has_sums=True,
    memory_bytes=65536,
    program_first=960,
    program_beats=64,
)  # fmt: skip
BOARD = replace(
    VIEW,
    target="kv260",
    platform="xilinx_kv260_base_202410_1",
    part="xck26-sfvc784-2LV-c",
    ports=(("program", "HP1"), ("wgt", "HP1"), ("act", "HP0"), ("out", "HP0")),
    slr="",
    embedded=True,
    host_cpu="aarch64",
    has_sums=False,
)
AXIS = "{1, 1, 1, 0, 4, 4}"
PORT = PortView(
    array=0,
    channels=3,
    channel_stride=16,
    row_stride=4,
    column_stride=1,
    y=AXIS,
    x=AXIS,
    scale="0x1.8p-5f",
    zero_point=-3,
    wide="false",
    parts=("{4096, 256, 0, 3, 64, 256, -3}",),
)
HOST = HostView(
    version="1.0",
    model="net.onnx",
    target="u250",
    weights_address=0,
    weights_bytes=4000,
    weights_crc32="0x0012ab34u",
    program_address=61440,
    program_bytes=4096,
    program_crc32="0xffffffffu",
    beat_bytes=64,
    lanes=8,
    sums="true",
    sides=(
        ("Input", (ArrayView(name='"x"', shape="1x3x4x4", elements=48),), (PORT,)),
        ("Output", (ArrayView(name='"y"', shape="1x3x4x4", elements=48),), (PORT,)),
    ),
)

Golden = Callable[[str, str], None]


@pytest.mark.parametrize("view", [VIEW, BOARD], ids=lambda view: view.target)
def test_project_is_what_it_was(golden: Golden, view: VitisView) -> None:
    for name, content in vitis_files(view).items():
        golden(f"hls/{view.target}/{name}", content.decode())


@pytest.mark.parametrize("sums", [False, True])
def test_kernel_is_what_it_was(golden: Golden, sums: bool) -> None:
    accelerator = replace(ACCELERATORS[0], sums=sums)
    files = hls_files(hls_view(accelerator, version="1.0", model="net.onnx", target="u250"))
    for name in ("flex_config.hpp", "flex_kernel.cpp"):
        golden(f"hls/{'sums' if sums else 'plain'}/{name}", files[name].decode())


def test_host_is_what_it_was(golden: Golden) -> None:
    golden("host/flex_model.hpp", host_files(HOST)["flex_model.hpp"].decode())


@pytest.mark.parametrize("board", BOARDS)
def test_every_port_is_connected_to_a_memory_of_the_board(board: str) -> None:
    for sums in (False, True):
        accelerator = replace(ACCELERATORS[0], sums=sums)
        project = vitis_view(
            accelerator, load_device(board), program_address=8192, program_bytes=640,
            version="1", model="m",
        )  # fmt: skip
        assert (project.program_first, project.program_beats) == (128, 10)
        text = vitis_files(project)["connectivity.cfg"].decode()
        lines = [line for line in text.splitlines() if line and not line.startswith(("#", "["))]
        connected = dict(line[3:].split(":", 1) for line in lines if line.startswith("sp="))
        kernel = hls_files(hls_view(accelerator, version="1", model="m", target=board))
        ports = [
            word.removeprefix("port=")
            for line in kernel["flex_kernel.cpp"].decode().splitlines()
            if "mode=m_axi" in line
            for word in line.split()
            if word.startswith("port=")
        ]
        assert list(connected) == [f"flex_kernel_1.{port}" for port in ports]
        # Tensors that one port writes the others read.
        tensors = {connected[f"flex_kernel_1.{port}"] for port in ports if port[0] in "aso"}
        assert len(tensors) == 1
        assert ("slr=flex_kernel_1:SLR0" in lines) is (load_device(board).regions > 1)


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """Programs by the names of the vendor's, which tell how they are called."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("v++", "vitis_hls", "emconfigutil", "g++", "aarch64-linux-gnu-g++", "python3"):
        path = folder / name
        path.write_text(f'#!/bin/sh\necho "{name} $* STEPS=$FLEX_STEPS MODE=$XCL_EMULATION_MODE"\n')
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return folder


def make(view: VitisView, folder: Path, tools: Path, *arguments: str) -> list[str]:
    """What a target of the make file calls, with the emitted files around it."""
    project = folder / "hls"
    project.mkdir(exist_ok=True)
    (folder / "host").mkdir(exist_ok=True)
    for name in ("flex_host.cpp", "flex_card.hpp", "flex_crc32.hpp", "flex_layout.hpp",
                 "flex_model.hpp", "flex_pipeline.hpp"):  # fmt: skip
        (folder / "host" / name).touch()
    for name, content in vitis_files(view).items():
        (project / name).write_bytes(content)
    for name in ("flex_kernel.cpp", "flex_config.hpp"):
        (project / name).touch()
    program = shutil.which("make")
    assert program is not None
    ran = subprocess.run(
        [program, "-s", *arguments], cwd=project, capture_output=True, text=True, check=False,
        env={"PATH": f"{tools}:{os.environ['PATH']}", "XILINX_XRT": "/opt/xrt"},
    )  # fmt: skip
    return (ran.stdout if ran.returncode == 0 else ran.stderr).splitlines()


def test_make_builds_a_kernel_and_links_it(tmp_path: Path, tools: Path) -> None:
    kernel, link = make(VIEW, tmp_path, tools, "link")
    assert kernel == "vitis_hls -f build.tcl STEPS=synth export MODE="
    assert link.startswith(
        "v++ --link --target hw --platform xilinx_u250_gen3x16_xdma_4_1_202210_1 "
        "--config connectivity.cfg --kernel_frequency 300"
    )
    assert "--output flex_kernel.hw.xclbin flex_kernel.hw.xo" in link


def test_make_runs_the_simulated_card(tmp_path: Path, tools: Path) -> None:
    arguments = ("TARGET=hw_emu", "INPUT=x.npz", "OUTPUT=y.npz")
    *_, config, run = make(VIEW, tmp_path, tools, "run", *arguments)
    assert config.startswith("emconfigutil --platform xilinx_u250")
    assert run.startswith("python3 ../host/flex_host.py flex_kernel.hw_emu.xclbin --build ..")
    assert "--timeout 0 " in run
    assert run.endswith("MODE=hw_emu")
    shutil.copy(tools / "python3", tmp_path / "host" / "flex_host")
    *_, run = make(VIEW, tmp_path, tools, "run-cpp", "INPUT=x", "OUTPUT=y")
    assert "--output y STEPS=" in run
    [message] = make(VIEW, tmp_path, tools, "run", "TARGET=hw_emu")[-1:]
    assert "make run INPUT=x.npz OUTPUT=y.npz" in message


def test_make_packs_an_sd_card(tmp_path: Path, tools: Path) -> None:
    arguments = ("ROOTFS=r.ext4", "IMAGE=Image", "SYSROOT=/sdk")
    *_, host, package = make(BOARD, tmp_path, tools, "package", *arguments)
    assert host.startswith("aarch64-linux-gnu-g++ --sysroot=/sdk -std=c++17")
    assert "--package.rootfs r.ext4 --package.kernel_image Image" in package
    assert "SYSROOT=/path/to/sysroot" in make(BOARD, tmp_path, tools, "host")[-1]


def test_make_clean_leaves_what_flexcc_wrote(tmp_path: Path, tools: Path) -> None:
    make(VIEW, tmp_path, tools, "help")
    written = sorted(tmp_path.rglob("*"))
    for name in ("csim.exe", "flex_kernel.hw.xo", "flex_kernel.hw_emu.xclbin", "v++_link.log"):
        (tmp_path / "hls" / name).touch()
    (tmp_path / "hls" / "flex_project").mkdir()
    make(VIEW, tmp_path, tools, "clean")
    assert sorted(tmp_path.rglob("*")) == written


def test_make_lists_its_targets(tmp_path: Path, tools: Path) -> None:
    names = [line.split()[0] for line in make(VIEW, tmp_path, tools, "help")]
    assert names == [
        *("help", "csim", "csim-hls", "synth", "kernel", "link", "host", "package"),
        *("emconfig", "run", "run-cpp", "clean"),
    ]


TCL_COMMANDS = (
    *("open_project", "set_top", "add_files", "open_solution", "set_part", "create_clock"),
    *("set_clock_uncertainty", "csim_design", "csynth_design", "export_design", "exit"),
)


def tcl(folder: Path, **variables: str) -> list[list[str]]:
    """The vendor's commands that the script calls."""
    tkinter = pytest.importorskip("tkinter")
    interpreter = tkinter.Tcl()
    called: list[list[str]] = []
    for command in TCL_COMMANDS:
        interpreter.createcommand(
            command, lambda *words, name=command: called.append([name, *words])
        )
    for name, value in variables.items():
        interpreter.setvar(f"env({name})", value)
    interpreter.evalfile(str(folder / "build.tcl"))
    return called


def test_script_synthesises_with_the_library_and_simulates_with_stand_ins(tmp_path: Path) -> None:
    (tmp_path / "build.tcl").write_bytes(vitis_files(VIEW)["build.tcl"])
    called = tcl(tmp_path, FLEX_STEPS="csim synth export", FLEX_BEFORE="b", FLEX_AFTER="a",
                 FLEX_XO="k.xo")  # fmt: skip
    assert [words[0] for words in called] == [
        *("open_project", "set_top", "add_files", "add_files", "open_solution", "set_part"),
        *("create_clock", "set_clock_uncertainty", "csim_design", "csynth_design"),
        *("export_design", "exit"),
    ]
    kernel = called[2]
    sources, simulation = (kernel[kernel.index(f) + 1] for f in ("-cflags", "-csimflags"))
    assert sources == f"-std=c++17 -I{tmp_path} -I{tmp_path}/lib"
    assert simulation == f"{sources} -I{tmp_path}/csim"
    assert called[8][-1] == "b a"
    assert called[10][1:] == ["-format", "xo", "-output", "k.xo"]


def test_script_names_a_step_that_it_does_not_know(tmp_path: Path) -> None:
    (tmp_path / "build.tcl").write_bytes(vitis_files(VIEW)["build.tcl"])
    with pytest.raises(Exception, match="no step cosim: csim, synth, export"):
        tcl(tmp_path, FLEX_STEPS="cosim")
