# SPDX-License-Identifier: Apache-2.0
"""Memory images as files: what simulations outside of flexcc start from and must end with."""

from pathlib import Path

from flexcc import reference
from flexcc.backend.image import expected_image
from flexcc.build import load_build
from flexcc.execute import read_inputs
from flexcc.options import RunOptions
from flexcc.output_file import check_output_file, write_file
from flexcc.progress import Progress

__all__ = ["write_memory_files"]


def write_memory_files(
    build: Path, inputs: Path, before: Path, after: Path, progress: Progress
) -> int:
    """Writes all memory before and after a run on the first image; returns its bytes.

    Raises:
        InputError: the build or the inputs are unusable, or a file cannot be written.
    """
    for path in (before, after):
        check_output_file(path)
    progress.step("loading the build")
    loaded = load_build(build)
    _, batch = read_inputs(loaded, RunOptions(build=build, input=inputs, output=after), progress)
    progress.step("running the integer reference")
    values = {name: array[0] for name, array in batch.tensors.items()}
    image = loaded.image(values)
    tensors = reference.run(loaded.graph, {name: array[None] for name, array in values.items()})
    expected = expected_image(loaded.plan, image, {n: array[0] for n, array in tensors.items()})
    write_file(before, image.tobytes())
    write_file(after, expected.tobytes())
    return len(image)
