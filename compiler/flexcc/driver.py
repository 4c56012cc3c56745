# SPDX-License-Identifier: Apache-2.0
"""The whole flow, from an ONNX file to a build folder that is proven by simulation."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flexcc import dse, passes
from flexcc.backend.planner import build_plan
from flexcc.backend.writer import check_destination, output_folder
from flexcc.build import Build, build_files
from flexcc.dse.explain import layer_reasons
from flexcc.dse.front import Front, explore_front
from flexcc.dse.memory import beats_per_cycle
from flexcc.dse.placement import place_design
from flexcc.errors import InputError, MismatchError
from flexcc.execute import first_core_tiles, verify
from flexcc.figures import build_report, host_report, with_verification
from flexcc.front_text import front_files, reasons_text
from flexcc.frontend import fix_input_shapes, load_model
from flexcc.frontend.calibration import Samples, load_calibration, random_calibration
from flexcc.frontend.network import Network, Place, import_network
from flexcc.ir.affine import quantize_array
from flexcc.ir.graph import Graph
from flexcc.options import (
    Backend,
    Executor,
    ExploreOptions,
    MemoryOptions,
    Options,
    QuantizeOptions,
    SourceOptions,
)
from flexcc.output_file import check_output_file, write_file
from flexcc.progress import Progress
from flexcc.quantization import assignment_text, quantize
from flexcc.report import Report, report_json
from flexcc.report_text import report_html
from flexcc.targets.device import Device, load_device

__all__ = [
    "Explored",
    "compile_model",
    "explore_model",
    "integer_graph",
    "quantize_model",
    "require_equal",
]

logger = logging.getLogger(__name__)

_LAYERS_EXPLAINED = 16


def compile_model(options: Options, progress: Progress | None = None) -> Report:
    """Compiles a model into the folder `options.output` and returns its figures.

    The folder appears whole or not at all. That of a failed verification is written, too, for
    study; `require_equal` tells.

    Raises:
        InputError: the model, the data or an option cannot be used.
        DoesNotFitError: no legal mapping fits the target.
        MismatchError: the simulated accelerator stopped with an error, or never.
    """
    progress = progress or Progress()
    _check_options(options)
    device = load_device(options.target)

    progress.step("reading the model")
    source = _read_model(options)
    progress.step("quantising")
    model = _quantize(source, options)

    progress.step("exploring mappings")
    computed = dse.insert_zeros(model.graph) if options.insert_zeros else model.graph
    array = options.array
    shape = None if array is None else (array.m, array.p, array.n)
    wanted = [] if options.insert_zeros else [r for r in dse.Reshape if r not in options.disabled]
    exploration = dse.explore(
        computed,
        device,
        shape,
        wanted,
        cores=options.cores,
        clock_mhz=options.clock_mhz,
        keep_zeros=options.insert_zeros,
        without=options.without,
        on_chip=options.on_chip,
    )
    graph = exploration.graph

    clock_mhz = device.clock_mhz if options.clock_mhz is None else options.clock_mhz
    progress.step("planning")
    build = Build(
        model=options.model.stem,
        target=device.name,
        graph=graph,
        mapping=exploration.mapping,
        plan=build_plan(graph, exploration.mapping),
        host=model.network.host,
    )
    report = build_report(
        build,
        model.graph,
        exploration,
        device,
        clock_mhz=clock_mhz,
        host=host_report(model.network),
    )
    inputs = graph.pack_inputs(model.samples) if options.verify else {}
    if Backend.HLS in options.verify:
        found = verify(build, inputs, Executor.HLS, progress).verification
        report = replace(report, verify=replace(report.verify, hls=found))
    if Backend.RTL in options.verify:
        memory = _board_memory(device, clock_mhz) if options.board_memory else None
        run = verify(build, inputs, Executor.RTL, progress, memory)
        report = with_verification(report, run.verification, run.measured, first_core_tiles(build))

    progress.step("writing the build")
    with output_folder(options.output) as folder:
        for name, content in build_files(build).items():
            folder.write(name, content)
        folder.write("model.qdq.onnx", model.onnx)
        folder.write("report.json", report_json(report))
        folder.write("report.html", report_html(report))
    return report


def _board_memory(device: Device, clock_mhz: float) -> MemoryOptions:
    """The board's channels, in which pages lie in turn."""
    return MemoryOptions(
        channels=device.memory_channels,
        beats_per_1000_cycles=round(1000 * beats_per_cycle(device, clock_mhz)),
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Explored:
    """What an exploration found, and why the best design is the best."""

    front: Front
    reasons: str


def integer_graph(options: SourceOptions, progress: Progress | None = None) -> Graph:
    """The graph of a model in integers, as designs are explored for it.

    Raises:
        InputError: the model, the data or an option cannot be used.
    """
    progress = progress or Progress()
    _check_calibration(options)
    progress.step("reading the model")
    source = _read_model(options)
    progress.step("quantising")
    return _integers(options, source)


def explore_model(options: ExploreOptions, progress: Progress | None = None) -> Explored:
    """Explores the designs of a model, and writes tables and a plot if a folder is given.

    Raises:
        InputError: the model, the data or an option cannot be used.
        DoesNotFitError: no design keeps the limits.
    """
    progress = progress or Progress()
    if options.output is not None:
        check_destination(options.output)
    device = load_device(options.target)
    graph = integer_graph(options, progress)

    progress.step("exploring designs")
    array = options.array
    front = explore_front(
        graph,
        device,
        [r for r in dse.Reshape if r not in options.disabled],
        objective=options.objective,
        limits=options.limits,
        array=None if array is None else (array.m, array.p, array.n),
        cores=options.cores,
    )
    reasons = reasons_text(
        front,
        layer_reasons(front.best, _LAYERS_EXPLAINED),
        device=device,
        objective=options.objective,
        model=options.model.stem,
        placement=place_design(front.best, options.limits.device(device).memory_channels),
    )
    if options.output is not None:
        title = f"{options.model.stem} on {device.name}: designs"
        with output_folder(options.output) as folder:
            for name, content in front_files(front, reasons, title).items():
                folder.write(name, content)
    return Explored(front=front, reasons=reasons)


def quantize_model(options: QuantizeOptions, progress: Progress | None = None) -> str:
    """Writes the QDQ form of a float model to the file `options.output`, whole or not at all.

    Of a model that is cut, it is the part between the host's. Returns what there is to say about
    the choice of bits, empty if they were not chosen.

    Raises:
        InputError: the model, the data or an option cannot be used.
    """
    progress = progress or Progress()
    check_output_file(options.output)
    _check_calibration(options)
    progress.step("reading the model")
    network = import_network(_read_model(options))
    _tell_host_parts(network)
    graph = passes.lower(network.graph)
    if _is_integer(graph):
        raise InputError(f"{options.model} is quantised already; use it as it is")
    progress.step("quantising")
    samples = _calibration(network, graph, options)
    quantized = quantize(graph, samples, options.quantization)
    write_file(options.output, quantized.exported.model.SerializeToString(deterministic=True))
    return "" if quantized.assignment is None else assignment_text(quantized.assignment)


def require_equal(report: Report) -> None:
    """Raises MismatchError when a verification of the report failed."""
    for name, found in (("RTL", report.verify.rtl), ("HLS", report.verify.hls)):
        difference = None if found is None else found.first_difference
        if difference is not None:
            place = difference.tensor
            if difference.channel is not None:
                place += f" channel {difference.channel} row {difference.row}"
                place += f" column {difference.column}"
            raise MismatchError(
                f"the {name} differs from the integer reference, first in {place} of image "
                f"{difference.image}: expected {difference.expected}, found {difference.actual}"
            )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Quantized:
    """An integer graph, its ONNX file, and inputs [K, C, H, W] by ONNX name to verify with."""

    network: Network
    graph: Graph
    onnx: bytes
    samples: Mapping[str, NDArray[np.int8]]


def _check_options(options: Options) -> None:
    check_destination(options.output)
    if Backend.HLS in options.verify and options.cores > 1:
        raise InputError("--verify hls needs --cores 1: the HLS kernel has one core")
    _check_calibration(options)


def _check_calibration(options: SourceOptions) -> None:
    if options.calibration is not None and options.random_calibration:
        raise InputError("--calibration and --random-calibration exclude each other; choose one")


def _read_model(options: SourceOptions) -> Any:
    """The ONNX model with the shapes that were asked for."""
    return fix_input_shapes(load_model(options.model), options.input_shapes)


def _quantize(model: Any, options: Options) -> _Quantized:
    """The integer graph of an ONNX model, which is quantised unless it is already."""
    network = import_network(model)
    _tell_host_parts(network)
    graph = passes.lower(network.graph)
    if _is_integer(graph):
        if options.calibration is not None or options.random_calibration:
            raise InputError(
                f"{options.model} is quantised already and takes no calibration; leave "
                "--calibration away"
            )
        return _Quantized(
            network=network,
            graph=graph,
            onnx=model.SerializeToString(deterministic=True),
            samples=_random_integers(graph, options),
        )
    samples = _calibration(network, graph, options)
    quantized = quantize(graph, samples, options.quantization)
    integer = passes.lower(quantized.graph)
    return _Quantized(
        network=network,
        graph=integer,
        onnx=quantized.exported.model.SerializeToString(deterministic=True),
        samples=_some_samples(graph, integer, samples, options),
    )


def _integers(options: SourceOptions, model: Any) -> Graph:
    """The integer graph alone."""
    network = import_network(model)
    graph = passes.lower(network.graph)
    if _is_integer(graph):
        return graph
    samples = _calibration(network, graph, options)
    return passes.lower(quantize(graph, samples, options.quantization).graph)


def _tell_host_parts(network: Network) -> None:
    for place, when in ((Place.HEAD, "before"), (Place.TAIL, "behind")):
        there = [f"{node.name} ({node.op})" for node in network.nodes if node.place is place]
        if there:
            logger.warning("%s the accelerator, the host runs %s", when, ", ".join(there))


def _calibration(network: Network, graph: Graph, options: SourceOptions) -> Samples:
    """The samples that were asked for, by tensor name."""
    if options.calibration is not None:
        return load_calibration(options.calibration, graph, host=network.host)
    if options.random_calibration:
        logger.warning(
            "scales come from random inputs: speed and equality are right, accuracy is meaningless"
        )
        return random_calibration(graph, options.seed)
    raise InputError(
        f"{options.model} is a float model and needs sample inputs to become integer; give "
        "--calibration FILE.npz, or --random-calibration if accuracy does not matter"
    )


def _is_integer(graph: Graph) -> bool:
    return all(type_.quantization is not None for type_ in graph.tensors.values())


def _some_samples(
    source: Graph, graph: Graph, samples: Mapping[str, NDArray[np.float32]], options: Options
) -> dict[str, NDArray[np.int8]]:
    """As many samples as are verified, an even spread, quantised."""
    count = options.verify_images if options.verify else 1
    available = len(next(iter(samples.values())))
    if count > available:
        raise InputError(
            f"--verify-images {count}: there are {available} calibration samples; ask for at most "
            f"{available} images"
        )
    chosen = np.linspace(0, available - 1, count).astype(int)
    result = {}
    for old, new in zip(source.inputs, graph.inputs, strict=True):
        quantization = graph.tensors[new.tensor].quantization
        assert quantization is not None
        result[new.onnx_name] = quantize_array(samples[old.tensor][chosen], quantization)
    return result


def _random_integers(graph: Graph, options: Options) -> dict[str, NDArray[np.int8]]:
    random = np.random.default_rng(options.seed)
    types = {port.onnx_name: graph.tensors[port.tensor] for port in graph.inputs}
    return {
        name: random.integers(
            -128, 128, (options.verify_images, t.channels, t.height, t.width), np.int8
        )
        for name, t in types.items()
    }
