# SPDX-License-Identifier: Apache-2.0
"""Executes builds: on the numpy reference, the interpreter, the HLS kernel, the RTL, a board."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flexcc import reference
from flexcc.arrays import Batch, read_arrays, read_batch, write_arrays, write_outputs
from flexcc.backend.image import Difference as ImageDifference
from flexcc.backend.image import expected_image, first_difference, read_tensor
from flexcc.backend.plan import Plan
from flexcc.build import Build, load_build
from flexcc.errors import InputError, MismatchError
from flexcc.figures import layer_cycles, run_report
from flexcc.frontend.host import Host
from flexcc.ir.affine import dequantize_array, quantize_array
from flexcc.ir.graph import Graph
from flexcc.layer_range import part_of
from flexcc.machine import Image, Machine, Ran, machine
from flexcc.measured import ArrayCycles, Measured
from flexcc.options import Executor, MemoryOptions, RunOptions
from flexcc.output_file import check_output_file
from flexcc.progress import Progress
from flexcc.report import Difference, RunSummary, Verification

__all__ = ["VerifiedRun", "first_core_tiles", "read_inputs", "run_build", "verify"]

_REFERENCE_CHUNK = 256
# Images that one process simulates: few, for progress and memory; some, as it takes time to start.
_SIMULATED_CHUNK_BYTES, _LEAST_CHUNK, _CHUNKS = 256 << 20, 16, 20


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedRun:
    """A comparison over several images, and what the longest of them measured."""

    verification: Verification
    measured: Measured | None

    @property
    def cycles(self) -> int | None:
        """The cycles of the longest run."""
        return None if self.measured is None else self.measured.cycles


def run_build(options: RunOptions, progress: Progress) -> RunSummary:
    """Executes a build as `options` say and writes the outputs.

    Raises:
        InputError: the build or the inputs are unusable, or the output cannot be written.
        MismatchError: a byte differs with `options.check` or of `options.layers`; nothing is
            written.
    """
    _check_options(options)
    check_output_file(options.output)
    progress.step("loading the build")
    build = load_build(options.build)
    known, batch = read_inputs(build, options, progress)
    if options.layers is not None:
        part = part_of(build, options.layers)
        build, known = part.build, None
        ran = _machine_outputs(part.build, batch, options, progress, before=part.before)
    elif options.on is Executor.REFERENCE:
        ran = _Outputs(tensors=_reference_outputs(build, batch, progress))
    else:
        ran = _machine_outputs(build, batch, options, progress)
    outputs, measured = ran.tensors, ran.measured
    if options.layers is not None:
        images = [{n: values[i] for n, values in outputs.items()} for i in range(batch.images)]
        write_arrays(options.output, images, batch.axis)
    elif build.host is None or known is None:
        write_outputs(options.output, build.graph, outputs, batch.axis, raw=options.raw)
    else:
        images = _after(build.graph, build.host, known, outputs)
        write_arrays(options.output, images, batch.axis)
    return RunSummary(
        on=options.on.value,
        images=batch.images,
        output=str(options.output),
        cycles=ran.cycles,
        compared_bytes=ran.compared_bytes,
        run=None if measured is None else run_report(measured),
        layers=None if measured is None else _by_layer(build, measured),
    )


def read_inputs(
    build: Build, options: RunOptions, progress: Progress
) -> tuple[list[dict[str, NDArray[Any]]] | None, Batch]:
    """What is known of each image in front of the accelerator, if the host computes there.

    With it the accelerator's inputs.

    Raises:
        InputError: the file of inputs is unusable.
    """
    if build.host is None:
        return None, read_batch(options.input, build.graph, raw=options.raw)
    return _before(build.graph, build.host, options, progress)


def verify(
    build: Build,
    inputs: Mapping[str, NDArray[np.int8]],
    on: Executor,
    progress: Progress,
    memory: MemoryOptions | None = None,
    *,
    optimise: bool = False,
) -> VerifiedRun:
    """Compares whole memory images on `inputs`, [images, C, H, W] by tensor name.

    Stops after the first image that differs. `optimise` is for many long runs of one accelerator:
    a simulator that takes longer to build and runs faster.
    """
    runner = machine(build, on, memory or MemoryOptions(), progress, optimise=optimise)
    images = len(next(iter(inputs.values())))
    compared, longest, difference = 0, None, None
    done = 0
    for run in _runs(build, inputs, runner, progress, f"simulating on {on.value}", check=True):
        done, compared = done + 1, compared + run.compared_bytes
        longest = _longer(longest, run.ran)
        if run.difference is not None:
            difference = _reported(done - 1, run.difference)
            break
    assert done == images or difference is not None
    return VerifiedRun(
        verification=Verification(
            equal=difference is None,
            images=done,
            compared_bytes=compared,
            first_difference=difference,
        ),
        measured=None if longest is None else longest.measured,
    )


def first_core_tiles(build: Build) -> list[int]:
    """The tiles of each layer that the first core computes."""
    return [len(stage.order[0]) for stage in build.plan.stages]


def _by_layer(build: Build, measured: Measured) -> dict[str, ArrayCycles]:
    """The array's cycles by the layers of the build, in order; of the first core."""
    names = (stage.name for stage in build.plan.stages)
    return dict(zip(names, layer_cycles(measured, first_core_tiles(build)), strict=True))


def _before(
    graph: Graph, host: Host, options: RunOptions, progress: Progress
) -> tuple[list[dict[str, NDArray[Any]]], Batch]:
    """What is known of each image in front of the accelerator, and its integer inputs."""
    if options.raw:
        raise InputError(
            "--raw gives and takes the accelerator's integers, but parts of this model run on the "
            "host with real numbers; leave --raw away"
        )
    arrays, axis = read_arrays(options.input, host.inputs)
    images = 1 if axis.images is None else axis.images
    known = []
    for [index] in progress.track(images, 1, "running the host part before"):
        known.append(host.before({name: array[index] for name, array in arrays.items()}))
    integers = {}
    for port in {port.onnx_name: port for port in graph.inputs}.values():
        kind = graph.tensors[port.tensor].unpacked
        assert kind.quantization is not None
        values = np.stack([image[port.onnx_name] for image in known])
        if np.isnan(values).any():
            raise InputError(f"{options.input}: '{port.onnx_name}' holds NaN; remove it")
        shape = (images, kind.channels, kind.height, kind.width)
        integers[port.onnx_name] = quantize_array(
            port.from_onnx(values).reshape(shape), kind.quantization
        )
    return known, Batch(axis=axis, images=images, tensors=graph.pack_inputs(integers))


def _after(
    graph: Graph,
    host: Host,
    known: Sequence[Mapping[str, NDArray[Any]]],
    outputs: Mapping[str, NDArray[np.int8]],
) -> list[dict[str, NDArray[Any]]]:
    """The outputs of the whole model, image by image."""
    images = []
    for index, values in enumerate(known):
        made = {}
        for port in graph.outputs:
            kind = graph.tensors[port.tensor]
            assert kind.quantization is not None
            shaped = port.to_onnx(kind.unpack(outputs[port.tensor][index : index + 1]))
            made[port.onnx_name] = dequantize_array(
                shaped.reshape(port.onnx_shape), kind.quantization
            )
        images.append(host.after({**values, **made}))
    return images


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Run:
    """One image on a machine; compared with the reference if asked for."""

    ran: Ran
    compared_bytes: int = 0
    difference: ImageDifference | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Outputs:
    """Tensors, [images, C, H, W] by name; what the longest image took, and bytes compared."""

    tensors: dict[str, NDArray[np.int8]]
    cycles: int | None = None
    measured: Measured | None = None
    compared_bytes: int | None = None


def _runs(
    build: Build,
    inputs: Mapping[str, NDArray[np.int8]],
    runner: Machine,
    progress: Progress,
    title: str,
    *,
    check: bool,
    before: Plan | None = None,
) -> Iterator[_Run]:
    """The machine on each image of `inputs`, [images, C, H, W] by tensor name, in order.

    Memory holds what `before`, if given, has stored.
    """
    images = len(next(iter(inputs.values())))
    chunk = max(1, _SIMULATED_CHUNK_BYTES // len(build.empty_image))
    chunk = min(chunk, max(_LEAST_CHUNK, images // _CHUNKS))
    for indices in progress.track(images, chunk, title):
        picked = [{name: values[i] for name, values in inputs.items()} for i in indices]
        initial = [build.image(values) for values in picked]
        if before is not None:
            initial = [
                expected_image(before, image, _reference(build, values))
                for image, values in zip(initial, picked, strict=True)
            ]
        results = runner(initial)
        for values, image, ran in zip(picked, initial, results, strict=True):
            yield _compared(build, values, image, ran) if check else _Run(ran=ran)


def _reference(build: Build, inputs: Mapping[str, NDArray[np.int8]]) -> dict[str, NDArray[np.int8]]:
    """All tensors of one image, [C, H, W] by name."""
    tensors = reference.run(build.graph, {name: values[None] for name, values in inputs.items()})
    return {name: values[0] for name, values in tensors.items()}


def _compared(
    build: Build,
    inputs: Mapping[str, NDArray[np.int8]],
    before: Image,
    ran: Ran,
) -> _Run:
    expected = expected_image(build.plan, before, _reference(build, inputs))
    return _Run(
        ran=ran,
        compared_bytes=len(expected),
        difference=first_difference(build.plan, expected, ran.memory),
    )


def _longer(one: Ran | None, other: Ran) -> Ran:
    return other if one is None or (other.cycles or 0) > (one.cycles or 0) else one


def _reported(image: int, difference: ImageDifference) -> Difference:
    return Difference(
        image=image,
        tensor=difference.name,
        channel=difference.channel,
        row=difference.row,
        column=difference.column,
        expected=difference.expected,
        actual=difference.actual,
    )


def _check_options(options: RunOptions) -> None:
    memory = options.memory
    simulated = memory.stalls is not None or memory.latency_cycles is not None
    if simulated and options.on is not Executor.RTL:
        raise InputError(
            f"--stalls and --latency describe the memory of the simulated RTL, not of "
            f"{options.on.value}; add --on rtl"
        )
    for option, given in (("--check", options.check), ("--layers", options.layers is not None)):
        if given and options.on is Executor.REFERENCE:
            raise InputError(
                f"{option} compares with the reference; add --on rtl, hls or interpreter"
            )
    if options.trace is not None:
        if options.on is not Executor.RTL:
            raise InputError(
                f"--trace shows signals of the RTL, not of {options.on.value}; add --on rtl"
            )
        check_output_file(options.trace.file)
    if options.on is Executor.BOARD and options.port is None:
        raise InputError("--on board needs the board's serial device; add --port /dev/ttyUSB0")
    if options.on is not Executor.BOARD and options.port is not None:
        raise InputError(f"--port is a board's, not of {options.on.value}; add --on board")


def _reference_outputs(
    build: Build, batch: Batch, progress: Progress
) -> dict[str, NDArray[np.int8]]:
    parts: dict[str, list[NDArray[np.int8]]] = {name: [] for name in build.plan.outputs}
    for indices in progress.track(batch.images, _REFERENCE_CHUNK, "running the reference"):
        chosen = slice(indices.start, indices.stop)
        inputs = {name: values[chosen] for name, values in batch.tensors.items()}
        tensors = reference.run(build.graph, inputs)
        for name, chunks in parts.items():
            chunks.append(tensors[name])
    return {name: np.concatenate(chunks) for name, chunks in parts.items()}


def _machine_outputs(
    build: Build,
    batch: Batch,
    options: RunOptions,
    progress: Progress,
    before: Plan | None = None,
) -> _Outputs:
    """What a machine makes of a batch.

    Of a part of the layers, which goes on where `before` has ended, all that it stores is put out
    and compared.
    """
    names = build.plan.outputs
    if before is not None:
        names = tuple(name for stage in build.plan.stages for name in stage.stored)
    parts: dict[str, list[NDArray[np.int8]]] = {name: [] for name in names}
    longest: Ran | None = None
    compared, check = 0, options.check or before is not None
    runner = machine(
        build, options.on, options.memory, progress, trace=options.trace, port=options.port
    )
    title = f"running on {options.on.value}"
    runs = _runs(build, batch.tensors, runner, progress, title, check=check, before=before)
    for index, run in enumerate(runs):
        if run.difference is not None:
            raise MismatchError(
                f"image {index}: {options.on.value} and the reference differ, first in "
                f"{run.difference}; nothing was written"
            )
        longest, compared = _longer(longest, run.ran), compared + run.compared_bytes
        for name, values in parts.items():
            values.append(read_tensor(build.plan, run.ran.memory, name))
    assert longest is not None
    return _Outputs(
        tensors={name: np.stack(values) for name, values in parts.items()},
        cycles=longest.cycles,
        measured=longest.measured,
        compared_bytes=compared if check else None,
    )
