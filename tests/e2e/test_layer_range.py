# SPDX-License-Identifier: Apache-2.0
"""`flexcc run --layers`: some layers alone, on what the reference gives the layers before them."""

import json
from pathlib import Path

import numpy as np
import pytest

from designs.design import load_design
from flexcc import reference
from flexcc.backend.image import expected_image
from flexcc.backend.interpreter import interpret
from flexcc.backend.tensors import TensorPlan
from flexcc.build import Build, load_build
from flexcc.layer_range import part_of
from flexcc.measured import ArrayCycles, Measured
from flexcc.options import LayerRange, MemoryOptions
from flexcc.simulation import Image, Simulated
from tests.e2e.command import Result, flexcc

DESIGN = load_design("mnist_conv_u250")
LAYERS = ("Convolution28", "Convolution110", "Times212")


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a build of three layers and two images."""
    folder = tmp_path_factory.mktemp("work")
    with np.load(DESIGN.calibration_file) as data:
        np.savez(folder / "x.npz", x=data["x"][::5000])
    result = flexcc(
        DESIGN.folder / DESIGN.model, "--target", "u250", "--array", "8,7,4", "-o", "build",
        "--calibration", DESIGN.calibration_file, cwd=folder,
    )  # fmt: skip
    assert result.code == 0, result.stderr
    return folder


def execute(work: Path, layers: str, *more: str) -> Result:
    run = ("run", "build", "--input", "x.npz", "--output", "y.npz", "--layers", layers)
    return flexcc(*run, *(more or ("--on", "interpreter", "--json")), cwd=work)


@pytest.mark.parametrize("first", range(3))
@pytest.mark.parametrize("last", range(3))
def test_every_range_stores_what_the_reference_does(work: Path, first: int, last: int) -> None:
    if first > last:
        pytest.skip("no range")
    names = f"{LAYERS[first]}..{LAYERS[last]}" if first != last else LAYERS[first]
    result = execute(work, names)
    assert result.code == 0, result.stderr
    summary = json.loads(result.stdout)
    assert summary["images"] == 2
    assert summary["compared_bytes"] > 0
    build = load_build(work / "build")
    stored = [stage.output for stage in build.plan.stages]
    with np.load(work / "y.npz") as arrays:
        assert sorted(arrays.files) == sorted(stored[first : last + 1])
        assert all(arrays[name].dtype == np.int8 for name in arrays.files)
        assert all(len(arrays[name]) == 2 for name in arrays.files)


def test_only_the_layers_asked_for_run(work: Path) -> None:
    """What the others store is neither written by the part nor cleared."""
    build = load_build(work / "build")
    part = part_of(build, LayerRange(first=LAYERS[1], last=LAYERS[1]))
    plan = part.build.plan
    assert plan.tiles == len(build.plan.stages[1].tiles)
    assert all(tile.load.wait_tiles == 0 for tile in plan.stages[0].tiles)
    later = part_of(build, LayerRange(first=LAYERS[1], last=LAYERS[2])).build.plan
    assert any(tile.load.wait_tiles > 0 for tile in later.stages[1].tiles)
    waits = [tile.load.wait_tiles for tile in later.stages[1].tiles]
    assert max(waits) <= plan.tiles
    with np.load(work / "x.npz") as data:
        [image] = data["x"][:1].astype(np.int8)
    inputs = {name: np.resize(image, part_shape(build, name)) for name in build.plan.inputs}
    before = expected_image(part.before, part.build.image(inputs), tensors_of(build, inputs))
    after, _ = interpret(
        plan.accelerator, before, program_address=plan.program_address,
        program_beats=len(part.build.program) // plan.accelerator.beat_bytes,
    )  # fmt: skip
    changed = {
        stage.output
        for stage in build.plan.stages
        for tensor in [build.plan.tensors[stage.output]]
        if not np.array_equal(part_of_memory(before, tensor), part_of_memory(after, tensor))
    }
    assert changed == {build.plan.stages[1].output}


def part_of_memory(image: Image, tensor: TensorPlan) -> Image:
    return image[tensor.address : tensor.address + tensor.layout.size]


def part_shape(build: Build, name: str) -> tuple[int, int, int]:
    kind = build.plan.tensors[name].type
    return kind.channels, kind.height, kind.width


def tensors_of(
    build: Build, inputs: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.int8]]]
) -> dict[str, np.ndarray[tuple[int, ...], np.dtype[np.int8]]]:
    tensors = reference.run(build.graph, {name: values[None] for name, values in inputs.items()})
    return {name: values[0] for name, values in tensors.items()}


@pytest.mark.parametrize(
    ("layers", "more", "message"),
    [
        ("nix", (), "there is no layer 'nix'; the layers are Convolution28, Convolution110"),
        ("Times212..Convolution28", (), "write Convolution28..Times212"),
        ("Times212", ("--on", "reference"), "--layers compares with the reference"),
        ("..Times212", (), "is no range of layers like conv1..conv3"),
    ],
)
def test_ranges_that_are_none_are_refused(
    work: Path, layers: str, more: tuple[str, ...], message: str
) -> None:
    (work / "y.npz").unlink(missing_ok=True)
    result = execute(work, layers, *more)
    assert result.code == 2
    assert message in " ".join(result.stderr.split())
    assert not (work / "y.npz").exists()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--trace", "w.fst"), "--trace shows signals of the RTL, not of reference; add --on rtl"),
        (("--trace-cycles", "0..10"), "add --trace FILE.fst"),
        (("--trace", "w.fst", "--trace-cycles", "10..10"), "holds no cycles"),
        (("--trace", "w.fst", "--trace-cycles", "x"), "no range like 0..20000"),
        (("--trace", "no/w.fst", "--on", "rtl"), "no/w.fst"),
    ],
)
def test_waveforms_that_cannot_be_are_refused(
    work: Path, more: tuple[str, ...], message: str
) -> None:
    result = flexcc("run", "build", "--input", "x.npz", "--output", "z.npz", *more, cwd=work)
    assert result.code == 2
    assert message in " ".join(result.stderr.split())
    assert not (work / "z.npz").exists()


def test_a_difference_within_the_range_is_found(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A simulator that leaves the memory as it was."""

    def idle(
        build: Build, images: list[Image], _: MemoryOptions, **_options: object
    ) -> list[Simulated]:
        tiles = (ArrayCycles(steps=1),) * build.plan.tiles
        measured = Measured(cycles=len(tiles), tiles=tiles, end=ArrayCycles(), engines={}, beats={})
        return [Simulated(memory=image, measured=measured) for image in images]

    monkeypatch.setattr("flexcc.machine.simulate", idle)
    result = execute(work, "Convolution110..Times212", "--on", "rtl")
    assert result.code == 1
    stored = load_build(work / "build").plan.stages[1].output
    assert f"first in {stored}" in result.stderr
