# SPDX-License-Identifier: Apache-2.0
"""The hosts of a build run frames on stand-in cards: right results, and frames that overlap."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper

import sim.xrt.pyxrt
from flexcc import reference
from flexcc.backend.image import expected_image
from flexcc.build import Build, load_build
from flexcc.ir.affine import quantize_array
from tests.e2e.command import conv_model, flexcc, save
from tests.e2e.test_host_parts import whole_model
from tests.onnx_models import make_model, node

STAND_INS = Path(sim.xrt.pyxrt.__file__).parent
FRAMES = 5
Arrays = dict[str, NDArray[Any]]


def two_ends() -> onnx.ModelProto:
    """Two inputs; a sum, a join and the second branch alone as outputs."""
    rng = np.random.default_rng(2)
    nodes = [
        node("Conv", "x w b", "c", "one", pads=[1, 1, 1, 1]),
        node("Conv", "z v b", "d", "two"),
        node("Add", "c d", "s", "sum"),
        node("Concat", "c d", "j", "join", axis=1),
    ]
    constants = {
        "w": rng.normal(size=(6, 3, 3, 3)),
        "v": rng.normal(size=(6, 2, 1, 1)),
        "b": rng.normal(size=6),
    }
    model = make_model(nodes, constants, shape=(1, 3, 9, 7))
    graph = model.graph
    graph.input.append(helper.make_tensor_value_info("z", TensorProto.FLOAT, [1, 2, 9, 7]))
    del graph.output[:]
    for name in ("s", "j", "d"):
        graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
    return model


def joined_convolutions() -> onnx.ModelProto:
    """A join of two convolutions, and one of them alone: both may have 16 bits."""
    rng = np.random.default_rng(6)
    nodes = [
        node("Conv", "x w", "c", "one", pads=[1, 1, 1, 1]),
        node("Conv", "x v", "d", "two"),
        node("Concat", "c d", "j", "join", axis=1),
    ]
    constants = {"w": rng.normal(size=(6, 3, 3, 3)), "v": rng.normal(size=(10, 3, 1, 1))}
    model = make_model(nodes, constants, shape=(1, 3, 9, 7))
    del model.graph.output[:]
    for name in ("j", "d"):
        model.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
    return model


MODELS: dict[str, tuple[Callable[[], onnx.ModelProto], dict[str, tuple[int, ...]]]] = {
    # Columns of the kernel are folded into lanes: the host packs.
    "folded": (lambda: conv_model(inputs=3, kernel=5, size=13), {"x": (1, 3, 13, 13)}),
    # Channels last, nodes before and behind the accelerator.
    "parts": (whole_model, {"image": (1, 10, 10, 2)}),
    "ends": (two_ends, {"x": (1, 3, 9, 7), "z": (1, 2, 9, 7)}),
    "wide": (joined_convolutions, {"x": (1, 3, 9, 7)}),
}


_PRECISION = {"wide": ("--precision", "auto", "--sqnr", "38")}


def _ports(build: Path) -> list[dict[str, Any]]:
    """What plan.json says of the outputs."""
    ports: list[dict[str, Any]] = json.loads((build / "plan.json").read_text())["ports"]["outputs"]
    return ports


@dataclass(frozen=True, kw_only=True)
class Compiled:
    """A build, frames for it, and what the reference makes of them."""

    folder: Path
    build: Build
    inputs: Arrays
    outputs: Arrays


@pytest.fixture(scope="module", params=sorted(MODELS))
def compiled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Compiled:
    make, shapes = MODELS[request.param]
    folder = tmp_path_factory.mktemp("work")
    save(make(), folder / "model.onnx")
    rng = np.random.default_rng(4)
    inputs: Arrays = {
        name: rng.integers(0, 256, (FRAMES, *shape[1:]), np.uint8)
        if name == "image"
        else rng.normal(size=(FRAMES, *shape[1:])).astype(np.float32)
        for name, shape in shapes.items()
    }
    np.savez(folder / "data.npz", **inputs)  # type: ignore[arg-type]
    made = flexcc(
        "model.onnx", "--target", "u250", "--array", "8,4,8", "-o", "build",
        "--calibration", "data.npz", *_PRECISION.get(request.param, ()), cwd=folder,
    )  # fmt: skip
    assert made.code == 0, made.stderr
    bits = {port["bits"] for port in _ports(folder / "build")}
    assert bits == ({16} if request.param in _PRECISION else {8})
    ran = flexcc("run", "build", "--input", "data.npz", "--output", "y.npz", cwd=folder)
    assert ran.code == 0, ran.stderr
    with np.load(folder / "y.npz") as file:
        outputs = dict(file)
    return Compiled(
        folder=folder, build=load_build(folder / "build"), inputs=inputs, outputs=outputs
    )


@pytest.fixture(scope="module")
def host(compiled: Compiled) -> Iterator[ModuleType]:
    """The Python host of the build, with the stand-in for pyxrt."""
    path = compiled.folder / "build" / "host" / "flex_host.py"
    spec = importlib.util.spec_from_file_location("flex_host", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    sys.modules["pyxrt"] = sim.xrt.pyxrt
    yield module
    del sys.modules["pyxrt"]


def run_python(host: ModuleType, compiled: Compiled, slots: int) -> int:
    xclbin = compiled.folder / "card.xclbin"
    xclbin.write_bytes(b"kernel")
    code: int = host.main(
        [str(xclbin), "--input", str(compiled.folder / "data.npz"),
         "--output", str(compiled.folder / "card.npz"), "--slots", str(slots)]
    )  # fmt: skip
    return code


@pytest.mark.parametrize("slots", [1, 3])
def test_python_host(host: ModuleType, compiled: Compiled, slots: int) -> None:
    sim.xrt.pyxrt.insert_card(compiled.build, ahead=slots - 1, frames=FRAMES)
    code = run_python(host, compiled, slots)
    assert sim.xrt.pyxrt.remove_card() == []
    assert code == 0
    with np.load(compiled.folder / "card.npz") as found:
        assert set(found.files) == set(compiled.outputs)
        for name, expected in compiled.outputs.items():
            np.testing.assert_array_equal(found[name].reshape(expected.shape), expected)


def test_python_host_without_overlap_is_noticed(
    host: ModuleType, compiled: Compiled, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stand-in tells a host that has but one frame under way, whatever its slots."""
    monkeypatch.setattr(sim.xrt.pyxrt, "_PATIENCE_S", 0.1)
    sim.xrt.pyxrt.insert_card(compiled.build, ahead=1, frames=FRAMES)
    assert run_python(host, compiled, 1) == 1
    assert "run 0 waits for the next ones" in sim.xrt.pyxrt.remove_card()


def test_python_host_notices_wrong_connections(
    host: ModuleType, compiled: Compiled, capsys: pytest.CaptureFixture[str]
) -> None:
    ports = 5 if compiled.build.plan.accelerator.sums else 4
    apart = (1, 1, *[0] * (ports - 3), 2)
    sim.xrt.pyxrt.insert_card(compiled.build, ahead=0, frames=FRAMES, groups=apart)
    assert run_python(host, compiled, 1) == 1
    sim.xrt.pyxrt.remove_card()
    assert "act, skip and out must be connected to one memory" in capsys.readouterr().err


def test_python_host_names_bad_frames(
    host: ModuleType, compiled: Compiled, capsys: pytest.CaptureFixture[str]
) -> None:
    name = next(iter(compiled.inputs))
    np.savez(compiled.folder / "bad.npz", other=np.zeros(3))
    bad = ["card.xclbin", "--output", "y.npz", "--input", str(compiled.folder / "bad.npz")]
    assert host.main(bad) == 1
    assert f"lacks {', '.join(compiled.inputs)}; it has other" in capsys.readouterr().err
    np.savez(compiled.folder / "bad.npz", **{n: np.zeros(3) for n in compiled.inputs})  # type: ignore[arg-type]
    assert host.main(bad) == 1
    assert f"{name!r} has shape (3,), not K times" in capsys.readouterr().err


def body(compiled: Compiled) -> tuple[Arrays, Arrays]:
    """Inputs and outputs of the accelerator alone, of all frames, by ONNX name."""
    build = compiled.build
    if build.host is None:
        return compiled.inputs, compiled.outputs
    frames = [{n: array[i : i + 1] for n, array in compiled.inputs.items()} for i in range(FRAMES)]
    known = [build.host.before(frame) for frame in frames]
    names = {port.onnx_name for port in build.graph.inputs}
    return {name: np.concatenate([frame[name] for frame in known]) for name in names}, {}


def integers(build: Build, arrays: Mapping[str, NDArray[Any]], frame: int) -> Arrays:
    """One frame as the graph's inputs [C, H, W] by tensor name."""
    values = {}
    for port in build.graph.inputs:
        kind = build.graph.tensors[port.tensor].unpacked
        assert kind.quantization is not None
        ordered = port.from_onnx(arrays[port.onnx_name][frame : frame + 1])
        values[port.onnx_name] = quantize_array(ordered, kind.quantization).reshape(
            kind.channels, kind.height, kind.width
        )
    return dict(build.graph.pack_inputs(values))


def fill_card(
    folder: Path,
    compiled: Compiled,
    arrays: Arrays,
    groups: tuple[int, ...],
    *,
    with_answers: bool,
) -> None:
    """What the stand-in card of C++ hosts must know; without answers it must compute them."""
    build, plan = compiled.build, compiled.build.plan
    folder.mkdir(parents=True)
    constant = np.zeros(plan.program_address + len(build.program), np.uint8)
    constant[: plan.weights_bytes] = np.frombuffer(build.weights, np.uint8)
    constant[plan.program_address :] = np.frombuffer(build.program, np.uint8)
    constant.tofile(folder / "constant.bin")
    for frame in range(FRAMES):
        inputs = integers(build, arrays, frame)
        image = build.image(inputs)
        tensors = reference.run(build.graph, {n: v[None] for n, v in inputs.items()})
        after = expected_image(plan, image, {n: v[0] for n, v in tensors.items()})
        if not with_answers:
            after = np.zeros_like(after)
        for when, content in (("before", image), ("after", after)):
            content[: plan.program_address].tofile(folder / f"frame{frame}.{when}")
    beat = plan.accelerator.beat_bytes
    facts = [
        FRAMES, 5 if plan.accelerator.sums else 4, plan.program_address // beat,
        len(build.program) // beat, *groups, len(plan.inputs),
    ]  # fmt: skip
    for name in plan.inputs:
        facts += [plan.tensors[name].address, plan.tensors[name].layout.size]
    (folder / "card.txt").write_text(" ".join(map(str, facts)))


def compile_host(compiled: Compiled, name: str, *more: str | Path) -> Path:
    """The C++ host of the build, with the stand-ins; `more` are arguments of the compiler."""
    compiler = shutil.which("c++")
    assert compiler is not None
    source = compiled.folder / "build" / "host" / "flex_host.cpp"
    binary = compiled.folder / name
    made = subprocess.run(
        [compiler, "-std=c++17", "-O1", "-I", STAND_INS, *more, source, "-pthread", "-o", binary],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    return binary


@pytest.fixture(scope="module")
def program(compiled: Compiled) -> Path:
    """The C++ host, compiled with warnings as errors."""
    warnings = ("-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror")
    return compile_host(compiled, "flex_host", *warnings)


@pytest.fixture(scope="module")
def whole(compiled: Compiled) -> Path:
    """The C++ host with a card that runs the HLS kernel of the build."""
    hls = compiled.folder / "build" / "hls"
    includes = [f"-I{hls / name}" for name in (".", "lib", "csim")]
    unseen = ("-Wno-unknown-pragmas", "-Wno-unused-label")
    return compile_host(compiled, "flex_whole", *includes, *unseen, STAND_INS / "kernel_card.cpp")


def run_cpp(
    program: Path,
    compiled: Compiled,
    arrays: Arrays,
    folder: Path,
    *,
    slots: int,
    ahead: int,
    groups: tuple[int, ...] = (1, 0, 0),
    files: Path | None = None,
    with_answers: bool = True,
    timeout: int = 60,
) -> subprocess.CompletedProcess[str]:
    fill_card(folder / "card", compiled, arrays, groups, with_answers=with_answers)
    order = list(dict.fromkeys(port.onnx_name for port in compiled.build.graph.inputs))
    frames = [np.concatenate([arrays[n][i].reshape(-1) for n in order]) for i in range(FRAMES)]
    np.concatenate(frames).astype("<f4").tofile(folder / "in.f32")
    (folder / "card.xclbin").write_bytes(b"kernel")
    build = files or compiled.folder / "build"
    return subprocess.run(
        [program, "card.xclbin", "--weights", build / "weights.bin",
         "--program", build / "program.bin", "--input", "in.f32", "--output", "out.f32",
         "--slots", str(slots), "--timeout", str(timeout)],
        cwd=folder, capture_output=True, text=True, check=False, timeout=120,
        env={
            **os.environ,
            "FLEX_FAKE_CARD": str(folder / "card"),
            "FLEX_FAKE_AHEAD": str(ahead),
            "FLEX_FAKE_PATIENCE_MS": "100" if slots <= ahead and timeout == 60 else "10000",
        },
    )  # fmt: skip


@pytest.mark.parametrize("slots", [1, 3])
def test_cpp_host(program: Path, compiled: Compiled, tmp_path: Path, slots: int) -> None:
    require_right(program, compiled, tmp_path, slots, with_answers=True)


def test_cpp_host_with_the_hls_kernel(whole: Path, compiled: Compiled, tmp_path: Path) -> None:
    """From float32 to float32 through host, buffers and the kernel, nothing known beforehand."""
    require_right(whole, compiled, tmp_path, 3, with_answers=False)


def require_right(
    program: Path, compiled: Compiled, folder: Path, slots: int, *, with_answers: bool
) -> None:
    arrays, _ = body(compiled)
    ran = run_cpp(
        program, compiled, arrays, folder, slots=slots, ahead=slots - 1, with_answers=with_answers
    )
    assert ran.returncode == 0, ran.stderr
    assert f"{FRAMES} frames in" in ran.stdout
    found = np.fromfile(folder / "out.f32", "<f4").reshape(FRAMES, -1)
    if compiled.build.host is None:
        flat = [compiled.outputs[port.onnx_name].reshape(FRAMES, -1)
                for port in compiled.build.graph.outputs]  # fmt: skip
        np.testing.assert_array_equal(found, np.concatenate(flat, axis=1))
        return
    for frame in range(FRAMES):
        known = build_known(compiled, arrays, found[frame], frame)
        for name, expected in compiled.outputs.items():
            np.testing.assert_array_equal(known[name].reshape(-1), expected[frame].reshape(-1))


def build_known(
    compiled: Compiled, arrays: Arrays, found: NDArray[np.float32], frame: int
) -> Arrays:
    """The outputs of the whole model from those of the C++ host, which runs the body alone."""
    made, first = {}, 0
    for port in compiled.build.graph.outputs:
        size = int(np.prod(port.onnx_shape))
        made[port.onnx_name] = found[first : first + size].reshape(port.onnx_shape)
        first += size
    assert compiled.build.host is not None
    known = {name: array[frame : frame + 1] for name, array in arrays.items()}
    return compiled.build.host.after({**known, **made})


def test_cpp_host_without_overlap_is_noticed(
    program: Path, compiled: Compiled, tmp_path: Path
) -> None:
    arrays, _ = body(compiled)
    ran = run_cpp(program, compiled, arrays, tmp_path, slots=1, ahead=1)
    assert ran.returncode == 1
    assert "the kernel did not complete" in ran.stderr


def test_cpp_host_waits_no_longer_than_it_is_told(
    program: Path, compiled: Compiled, tmp_path: Path
) -> None:
    arrays, _ = body(compiled)
    ran = run_cpp(program, compiled, arrays, tmp_path, slots=1, ahead=1, timeout=1)
    assert ran.returncode == 1
    assert "the kernel did not complete (state 8)" in ran.stderr
    ran = run_cpp(program, compiled, arrays, tmp_path / "again", slots=2, ahead=1, timeout=0)
    assert ran.returncode == 0, ran.stderr


def test_cpp_host_notices_wrong_connections(
    program: Path, compiled: Compiled, tmp_path: Path
) -> None:
    arrays, _ = body(compiled)
    ran = run_cpp(program, compiled, arrays, tmp_path, slots=1, ahead=0, groups=(1, 0, 2))
    assert ran.returncode == 1
    assert "act, skip and out must be connected to one memory" in ran.stderr


def shorten(content: bytes) -> bytes:
    return content[:-1]


def change_one_bit(content: bytes) -> bytes:
    return content[:100] + bytes([content[100] ^ 1]) + content[101:]


FOREIGN = pytest.mark.parametrize("change", [shorten, change_one_bit])
FILES = pytest.mark.parametrize("name", ["weights.bin", "program.bin"])


def change_file(
    compiled: Compiled, folder: Path, name: str, change: Callable[[bytes], bytes]
) -> None:
    """Copies what hosts read of the build, one file of it as another build would have it."""
    for file in (compiled.folder / "build").glob("*.*"):
        content = file.read_bytes()
        (folder / file.name).write_bytes(change(content) if file.name == name else content)


@FILES
@FOREIGN
def test_cpp_host_refuses_files_of_another_build(
    program: Path,
    compiled: Compiled,
    tmp_path: Path,
    name: str,
    change: Callable[[bytes], bytes],
) -> None:
    change_file(compiled, tmp_path, name, change)
    arrays, _ = body(compiled)
    ran = run_cpp(program, compiled, arrays, tmp_path, slots=1, ahead=0, files=tmp_path)
    assert ran.returncode == 1
    assert f"{name} is of another build" in ran.stderr


@FILES
@FOREIGN
def test_python_host_refuses_files_of_another_build(
    host: ModuleType,
    compiled: Compiled,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
    change: Callable[[bytes], bytes],
) -> None:
    change_file(compiled, tmp_path, name, change)
    data = str(compiled.folder / "data.npz")
    arguments = ["card.xclbin", "--output", "y.npz", "--input", data, "--build", str(tmp_path)]
    assert host.main(arguments) == 1
    assert f"{name} is of another build" in capsys.readouterr().err
