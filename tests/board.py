# SPDX-License-Identifier: Apache-2.0
"""Builds for the ULX3S, as jobs of the bench of flex_board."""

import json
from pathlib import Path

import numpy as np

from designs.design import load_design
from flexcc import compile_model
from flexcc.arrays import read_batch
from flexcc.backend.board import on_chip_bytes
from flexcc.backend.image import memory_map
from flexcc.backend.rtl import rtl_parameters
from flexcc.build import Build, load_build
from flexcc.machine import machine
from flexcc.options import Executor, MemoryOptions
from flexcc.progress import Progress
from flexcc.targets import load_device

__all__ = ["TARGET", "board_parameters", "compile_mnist", "write_job"]

TARGET = "ulx3s-85f"
_CLOCKS_PER_BIT, _GAP_CYCLES = 5, 4096
_DESIGN = load_design("mnist_conv_ulx3s")


def compile_mnist(output: Path) -> Build:
    """The network of digits, compiled for the board into the folder `output`."""
    compile_model(_DESIGN.options(output, ()))
    return load_build(output)


def board_parameters(build: Build) -> dict[str, int]:
    """The parameters of flex_board, with a serial line much faster than a real one."""
    board = load_device(build.target).board
    assert board is not None
    memory = on_chip_bytes(len(build.empty_image), board)
    assert memory is not None
    parameters = rtl_parameters(build.plan.accelerator)
    del parameters["Cores"]
    return {
        **parameters,
        "MemoryBytes": memory,
        "ClocksPerBit": _CLOCKS_PER_BIT,
        "GapCycles": _GAP_CYCLES,
    }


def write_job(build: Build, folder: Path, *, brief: bool = False) -> None:
    """What the bench needs to run the build on a digit: memory before and after, what moves.

    A `brief` one sends no tensor but inputs and outputs and fetches none but the outputs.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with np.load(_DESIGN.calibration_file) as data:
        np.savez(folder / "digit.npz", x=data["x"][:1])
    batch = read_batch(folder / "digit.npz", build.graph, raw=False)
    image = build.image({name: values[0] for name, values in batch.tensors.items()})
    run = machine(build, Executor.INTERPRETER, MemoryOptions(), Progress())
    [ran] = run([image])
    expected = ran.memory
    regions = memory_map(build.plan, len(build.program))
    outputs = {port.tensor for port in build.graph.outputs}
    tensors = [region for region in regions if region.kind == "tensor"]
    fetched = [region for region in tensors if not brief or region.name in outputs]
    assert fetched
    for region in tensors:
        if region not in fetched:
            place = slice(region.address, region.address + region.size)
            expected[place] = image[place]
    job = {
        "program_address": build.plan.program_address,
        "program_beats": build.program_beats,
        "memory_bytes": board_parameters(build)["MemoryBytes"],
        "clocks_per_bit": _CLOCKS_PER_BIT,
        "gap_cycles": _GAP_CYCLES,
        "send": [
            [region.address, region.address + region.size]
            for region in regions
            if region.kind != "tensor" or region in fetched
        ],
        "fetch": [[region.address, region.address + region.size] for region in fetched],
    }
    (folder / "job.json").write_text(json.dumps(job))
    image.tofile(folder / "image.bin")
    expected.tofile(folder / "expected.bin")
