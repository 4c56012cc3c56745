# SPDX-License-Identifier: Apache-2.0
"""A build folder holds everything that executing it needs, and refuses to be something else."""

import json
import random
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from flexcc.backend.planner import build_plan
from flexcc.backend.writer import output_folder
from flexcc.build import Build, build_files, load_build
from flexcc.errors import InputError
from flexcc.ir.layers import Convolution, Cost
from sim.sources import read_file_list
from sim.verilator import environment
from tests.networks import ACCELERATORS, random_case


def make(seed: int, number: int = 0) -> Build:
    case = random_case(random.Random(seed), 3, ACCELERATORS[number])
    plan = build_plan(case.graph, case.mapping)
    return Build(model="random", target="u250", graph=case.graph, mapping=case.mapping, plan=plan)


def write(build: Build, folder: Path) -> Path:
    with output_folder(folder) as output:
        for name, content in build_files(build).items():
            output.write(name, content)
    return folder


@pytest.mark.parametrize("number", range(0, len(ACCELERATORS), 3))
def test_comes_back_the_same(tmp_path: Path, seed: int, number: int) -> None:
    build = make(seed, number)
    again = load_build(write(build, tmp_path / "build"))
    assert (again.model, again.target) == ("random", "u250")
    assert again.mapping == build.mapping
    assert again.program == build.program
    np.testing.assert_array_equal(again.empty_image, build.empty_image)
    assert build_files(again) == build_files(build)


def test_layers_of_another_cost_come_back(tmp_path: Path, seed: int) -> None:
    """Convolutions over volumes tell what they take in the model."""
    build, cost = make(seed), Cost(macs=12, parameters=3)
    first, *others = build.graph.layers
    assert isinstance(first, Convolution)
    graph = replace(build.graph, layers=(replace(first, cost=cost), *others))
    (again, *_) = load_build(write(replace(build, graph=graph), tmp_path / "build")).graph.layers
    assert isinstance(again, Convolution)
    assert again.cost == cost


def test_host_description_says_where_everything_lies(seed: int) -> None:
    build = make(seed)
    files = build_files(build)
    plan = json.loads(files["plan.json"])
    regions = {region["name"]: region for region in plan["regions"]}
    image = build.empty_image
    assert plan["memory_bytes"] == len(image)
    begin = plan["program"]["address"]
    beats = plan["program"]["beats"] * plan["accelerator"]["beat_bytes"]
    assert image[begin : begin + beats].tobytes() == files["program.bin"]
    assert image[: regions["weights"]["size"]].tobytes() == files["weights.bin"]
    described = {tensor["name"]: tensor for tensor in plan["tensors"]}
    joined = {tensor["name"]: tensor for tensor in plan["joined"]}
    for port in (*build.graph.inputs, *build.graph.outputs):
        assert (described | joined)[port.tensor]["onnx_name"] == port.onnx_name
        if port.tensor in joined:
            parts = [described[part] for part in joined[port.tensor]["parts"]]
            channels = build.graph.tensors[port.tensor].channels
            assert sum(part["channels"] for part in parts) == channels
        else:
            assert described[port.tensor]["address"] == regions[port.tensor]["address"]


@pytest.mark.parametrize("name", ["network.json", "network.npz", "program.bin", "weights.bin"])
def test_a_changed_file_is_named(tmp_path: Path, seed: int, name: str) -> None:
    folder = write(make(seed), tmp_path / "build")
    data = bytearray((folder / name).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / name).write_bytes(data)
    with pytest.raises(InputError, match=rf"{name} was changed"):
        load_build(folder)
    (folder / name).unlink()
    with pytest.raises(InputError, match=rf"{name} cannot be read"):
        load_build(folder)


def test_a_build_of_another_version_is_refused(tmp_path: Path, seed: int) -> None:
    files = build_files(make(seed))
    network = json.loads(files["network.json"])
    network["mapping"]["new_field"] = 1
    other = files | {"network.json": json.dumps(network).encode()}
    program = files | {"program.bin": files["program.bin"] + bytes(64)}
    for number, changed in enumerate((other, program)):
        with output_folder(tmp_path / str(number)) as output:
            for name, content in changed.items():
                output.write(name, content)
        with pytest.raises(InputError, match="another version"):
            load_build(tmp_path / str(number))


def test_a_folder_that_is_no_build_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no flexcc build"):
        load_build(tmp_path)


def test_emitted_rtl_is_complete_and_clean(tmp_path: Path, seed: int) -> None:
    build = replace(make(seed), model="né\n`define")
    folder = write(build, tmp_path / "build") / "rtl"
    assert all(source.is_file() for source in read_file_list(folder / "flex.f"))
    linted = subprocess.run(
        ["make", "-C", folder.parent, "lint"],
        env=environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert linted.returncode == 0, linted.stderr
    assert not linted.stderr
