# SPDX-License-Identifier: Apache-2.0
"""The command line: arguments to options; everything else is the driver's."""

import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import click

import flexcc
from flexcc import bitstream, console, driver, execute, inspection, memory_files, synthesis
from flexcc.dse import Reshape, Technique
from flexcc.dse.objective import Limits
from flexcc.errors import FlexccError, InputError
from flexcc.explore_options import array_shape, explore_options, on_chip_bytes
from flexcc.options import (
    Backend,
    Executor,
    ExploreOptions,
    LayerRange,
    MemoryOptions,
    Options,
    QuantizeOptions,
    RunOptions,
    TraceOptions,
)
from flexcc.program.formats import MAX_CORES
from flexcc.progress import Progress
from flexcc.report import report_json
from flexcc.source_options import (
    INPUT_FILE,
    calibration_options,
    input_shape_option,
    source_options,
)
from flexcc.targets.device import available_targets, load_device

__all__ = ["main", "run"]

EXIT_UNUSABLE = 2
EXIT_BUG = 70
EXIT_INTERRUPTED = 130
EXIT_TERMINATED = 143
EXIT_BROKEN_PIPE = 141


class _CompileByDefault(click.Group):
    """`flexcc MODEL ...` means `flexcc compile MODEL ...`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in ("--help", "-h", "--version"):
            args = ["compile", *args]
        return super().parse_args(ctx, args)


def _layers(_ctx: click.Context, param: click.Parameter, value: str | None) -> LayerRange | None:
    if value is None:
        return None
    try:
        return LayerRange.parse(value)
    except ValueError as error:
        raise click.BadParameter(str(error), param=param) from None


def _cycles(
    _ctx: click.Context, param: click.Parameter, value: str | None
) -> tuple[int, int] | None:
    if value is None:
        return None
    try:
        first, last = (int(part) for part in value.split(".."))
    except ValueError:
        raise click.BadParameter(f"{value!r} is no range like 0..20000", param=param) from None
    if not 0 <= first < last:
        raise click.BadParameter(f"{value!r} holds no cycles", param=param)
    return first, last


def _backends(
    _ctx: click.Context, param: click.Parameter, value: str | None
) -> tuple[Backend, ...]:
    names = {backend.value: backend for backend in Backend}
    parts = [] if value is None else value.split(",")
    for part in parts:
        if part not in names:
            raise click.BadParameter(f"{part!r} is none of {', '.join(names)}", param=param)
    return tuple(dict.fromkeys(names[part] for part in parts))


_OUTPUT_FILE = click.Path(path_type=Path)
_POSITIVE = click.IntRange(min=1)


def _verbosity(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "-v", "--verbose", count=True, help="Tell more on stderr; twice: everything."
    )(command)


def _tool_options(output: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """What the commands share that send a build through tools; `output` describes the folder."""

    def add(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(
            (
                click.argument("build", type=click.Path(file_okay=False, path_type=Path)),
                click.option(
                    "--output",
                    "-o",
                    type=click.Path(file_okay=False, path_type=Path),
                    required=True,
                    help=output,
                ),
                click.option("--json", "as_json", is_flag=True, help="Print figures as JSON."),
                _verbosity,
            )
        ):
            command = option(command)
        return command

    return add


@contextmanager
def _reporting(verbose: int, *, wanted: bool) -> Iterator[Progress]:
    """Progress and, if asked for, more on stderr."""
    errors = console.ErrorConsole()
    errors.log_to(verbose)
    with console.progress(errors.console, wanted=wanted) as progress:
        yield progress


def _mapping_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say what a model is mapped to, in the order of the help text."""
    for option in reversed(
        (
            click.option("--target", required=True, help="Board; `flexcc targets` lists them."),
            click.option(
                "--array",
                callback=array_shape,
                metavar="M,P,N",
                help="Array shape; default: explored.",
            ),
            click.option(
                "--cores",
                type=click.IntRange(1, MAX_CORES),
                default=1,
                show_default=True,
                help="Cores that share every image, each a band of its rows.",
            ),
            click.option(
                "--disable",
                "disabled",
                type=click.Choice([reshape.value for reshape in Reshape]),
                callback=lambda _ctx, _param, values: tuple(map(Reshape, dict.fromkeys(values))),
                multiple=True,
                help="Leave out a rewrite that fills the array, to measure what it gains.",
            ),
            click.option(
                "--without",
                type=click.Choice([technique.value for technique in Technique]),
                callback=lambda _ctx, _param, values: tuple(map(Technique, dict.fromkeys(values))),
                multiple=True,
                help="Leave out a technique, to measure what it gains: tiles of a layer's own "
                "size, fused layers, or reshapes and concatenations that copy nothing.",
            ),
            click.option(
                "--clock",
                "clock_mhz",
                type=click.FloatRange(min=0, min_open=True),
                metavar="MHZ",
                help="Clock that figures in ms assume; default: the board's.",
            ),
            click.option(
                "--on-chip",
                callback=on_chip_bytes,
                default="off",
                show_default=True,
                metavar="BYTES|auto|off",
                help="UltraRAM for tensors that one layer writes and others read; auto: 80 % of "
                "that of the dies the cores are in.",
            ),
            click.option(
                "--insert-zeros",
                is_flag=True,
                help="Baseline for measurements: dilated and transposed layers multiply zeros.",
            ),
        )
    ):
        command = option(command)
    return command


_HELP = """Compile a trained CNN in ONNX into an FPGA accelerator, and prove it by simulation.

\b
flexcc MODEL.onnx --target u250 -o build/ --calibration data.npz --verify rtl
flexcc run build/ --input x.npz --output y.npz --on rtl

A model without a command is compiled; `flexcc compile --help` lists the options of that.

Exit codes: 0 good, 1 results differ, 2 unusable input, 3 the model does not fit.
"""


@click.group(
    cls=_CompileByDefault, context_settings={"help_option_names": ["-h", "--help"]}, help=_HELP
)
@click.version_option(flexcc.__version__, prog_name="flexcc")
def cli() -> None:
    """The command line."""


@cli.command("compile")
@click.argument("model", type=INPUT_FILE)
@click.option("-o", "--output", type=_OUTPUT_FILE, required=True, help="Folder to write.")
@source_options
@_mapping_options
@click.option(
    "--verify",
    callback=_backends,
    metavar="hls,rtl",
    help="Prove the result by simulating the HLS C++, the RTL, or both.",
)
@click.option(
    "--verify-images", type=_POSITIVE, default=1, show_default=True, help="Inputs to prove it on."
)
@click.option(
    "--board-memory",
    is_flag=True,
    help="All ports of the simulated RTL share the board's memory channels; else each has its own.",
)
@click.option("--json", "as_json", is_flag=True, help="Print report.json on stdout.")
@_verbosity
def compile_command(as_json: bool, verbose: int, **named: Any) -> None:
    """Compile MODEL, an ONNX file, into the folder OUTPUT."""
    options = Options(**named)
    with _reporting(verbose, wanted=not as_json) as progress:
        report = driver.compile_model(options, progress)
    if as_json:
        click.echo(report_json(report), nl=False)
    else:
        console.print_report(report)
    driver.require_equal(report)


@cli.command("explore")
@click.argument("model", type=INPUT_FILE)
@click.option("-o", "--output", type=_OUTPUT_FILE, help="Folder for CSV, JSON, SVG and HTML.")
@source_options
@explore_options
@click.option("--all", "every", is_flag=True, help="List designs that others outdo, too.")
@_verbosity
def explore_command(*, every: bool, verbose: int, **named: Any) -> None:
    """Explore arrays and cores for MODEL: the Pareto front, the best design, and why.

    A limit is a number of units or a share of the board's, like 60%.
    """
    limits = Limits(**{key: named.pop(key) for key in Limits.__dataclass_fields__})
    options = ExploreOptions(limits=limits, **named)
    with _reporting(verbose, wanted=True) as progress:
        explored = driver.explore_model(options, progress)
    console.print_front(explored.front, every=every)
    click.echo(explored.reasons, nl=False)


@cli.command("quantize")
@click.argument("model", type=INPUT_FILE)
@click.option("-o", "--output", type=_OUTPUT_FILE, required=True, help="QDQ model to write.")
@source_options
@_verbosity
def quantize_command(verbose: int, **named: Any) -> None:
    """Quantise MODEL, a float ONNX file, into the QDQ model OUTPUT, which ONNX Runtime runs too.

    With --precision auto, tells which tensors have 16 bits and why.
    """
    options = QuantizeOptions(**named)
    with _reporting(verbose, wanted=True) as progress:
        text = driver.quantize_model(options, progress)
    if text:
        click.echo(text)


@cli.command("run")
@click.argument("build", type=click.Path(file_okay=False, path_type=Path))
@click.option("--input", type=INPUT_FILE, required=True, help="Inputs: an .npz keyed by name.")
@click.option("--output", type=_OUTPUT_FILE, required=True, help="Outputs: an .npz keyed by name.")
@click.option(
    "--on",
    type=click.Choice([executor.value for executor in Executor]),
    callback=lambda _ctx, _param, value: Executor(value),
    default=Executor.REFERENCE.value,
    show_default=True,
    help="reference: numpy; interpreter: the program, instruction by instruction; "
    "hls: the HLS C++ in a plain compiler; rtl: the hardware in Verilator; board: the hardware.",
)
@click.option(
    "--port",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="DEVICE",
    help="The board's serial device, such as /dev/ttyUSB0 (board).",
)
@click.option("--raw", is_flag=True, help="Integers in and out instead of floats.")
@click.option("--check", is_flag=True, help="Compare the whole memory with the reference.")
@click.option(
    "--layers",
    callback=_layers,
    metavar="A..B",
    help="Only these layers, from the reference's results of those before; puts out and compares "
    "what they store.",
)
@click.option("--stalls", type=int, metavar="SEED", help="Random memory back-pressure (rtl).")
@click.option("--latency", type=click.IntRange(min=0), metavar="N", help="Memory latency (rtl).")
@click.option(
    "--trace",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE.fst",
    help="Write waveforms of the first image (rtl).",
)
@click.option(
    "--trace-cycles",
    callback=_cycles,
    metavar="FIRST..LAST",
    help="Cycles to write, from the start on; default: 0..20000.",
)
@click.option("--json", "as_json", is_flag=True, help="Print figures as JSON on stdout.")
@_verbosity
def run_command(
    *,
    as_json: bool,
    verbose: int,
    stalls: int | None,
    latency: int | None,
    trace: Path | None,
    trace_cycles: tuple[int, int] | None,
    **named: Any,
) -> None:
    """Execute BUILD, a compiled folder, on the images of a file.

    Arrays carry the names and shapes of the ONNX model's inputs and outputs; a leading dimension
    more, or a batch dimension other than one, means several images.
    """
    memory = MemoryOptions(stalls=stalls, latency_cycles=latency)
    if trace_cycles is not None and trace is None:
        raise InputError("--trace-cycles says which cycles --trace writes; add --trace FILE.fst")
    window = None if trace is None else TraceOptions(file=trace)
    if window is not None and trace_cycles is not None:
        first, last = trace_cycles
        window = replace(window, first=first, last=last)
    options = RunOptions(memory=memory, trace=window, **named)
    with _reporting(verbose, wanted=not as_json) as progress:
        summary = execute.run_build(options, progress)
    if as_json:
        click.echo(report_json(summary), nl=False)
    else:
        console.print_summary(summary)


@cli.command("synth")
@_tool_options("Folder for the figures and, for a board with open tools, the netlist.")
def synth_command(*, build: Path, output: Path, as_json: bool, verbose: int) -> None:
    """Map BUILD, a compiled folder, on the cells of its FPGA with Yosys, and count them."""
    with _reporting(verbose, wanted=not as_json) as progress:
        report = synthesis.write_synthesis(build, output, progress)
    if as_json:
        click.echo(synthesis.synthesis_json(report), nl=False)
    else:
        click.echo(synthesis.synthesis_text(report))


@cli.command("bitstream")
@_tool_options("Folder for the bitstream, its netlist and its figures.")
def bitstream_command(*, build: Path, output: Path, as_json: bool, verbose: int) -> None:
    """Make a bitstream of BUILD, a compiled folder, with open tools: Yosys, nextpnr, ecppack."""
    with _reporting(verbose, wanted=not as_json) as progress:
        report = bitstream.write_bitstream(build, output, progress)
    if as_json:
        click.echo(bitstream.bitstream_json(report), nl=False)
    else:
        click.echo(
            f"{output}: {report.fmax_mhz:g} MHz at most, {report.lut:,} LUT, {report.ff:,} FF, "
            f"{report.dsp} multipliers, {report.ram18} RAM blocks, sha256 {report.sha256}"
        )


@cli.command("inspect")
@click.argument("path", type=click.Path(path_type=Path))
@click.option(
    "--show",
    "views",
    type=click.Choice([view.value for view in inspection.View]),
    callback=lambda _ctx, _param, values: tuple(map(inspection.View, values)),
    multiple=True,
    help="What to print; default: everything but the program. May be repeated.",
)
@click.option("--explain", metavar="NODE", help="Tell all about one node of an ONNX model.")
@input_shape_option
@calibration_options
@_verbosity
def inspect_command(verbose: int, **named: Any) -> None:
    """Print the representations of PATH: a compiled folder, or an ONNX model.

    Of a model: which nodes run where, what blocks the rest, MAC and parameters; then its graph;
    with --calibration also what each layer loses in integers, as a signal-to-noise ratio.
    """
    console.ErrorConsole().log_to(verbose)
    for text in inspection.describe(**named):
        click.echo(text)


@cli.command("memory")
@click.argument("build", type=click.Path(file_okay=False, path_type=Path))
@click.option("--input", type=INPUT_FILE, required=True, help="Inputs: an .npz keyed by name.")
@click.option("--before", type=_OUTPUT_FILE, required=True, help="Memory before the run.")
@click.option("--after", type=_OUTPUT_FILE, required=True, help="Memory after the run.")
@_verbosity
def memory_command(*, build: Path, input: Path, before: Path, after: Path, verbose: int) -> None:  # noqa: A002
    """Write all memory of BUILD before and after a run on the first image of a file.

    Simulators outside of flexcc start from the one and must end with the other.
    """
    with _reporting(verbose, wanted=True) as progress:
        size = memory_files.write_memory_files(build, input, before, after, progress)
    click.echo(f"{size:,} bytes each in {before} and {after}")


@cli.command("targets")
@_verbosity
def targets_command(verbose: int) -> None:
    """List the boards that --target takes."""
    console.ErrorConsole().log_to(verbose)
    console.print_targets(load_device(name) for name in available_targets())


def _terminate(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(EXIT_TERMINATED)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Runs the command line and exits with its code."""
    signal.signal(signal.SIGTERM, _terminate)
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: Sequence[str]) -> int:
    """Runs the command line and returns its exit code."""
    errors = console.ErrorConsole()
    try:
        code = cli.main(list(arguments), prog_name="flexcc", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except FlexccError as error:
        errors.error(str(error))
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return EXIT_UNUSABLE
    except (click.Abort, KeyboardInterrupt):
        errors.error("interrupted; nothing was written")
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_BROKEN_PIPE
    except Exception as error:
        if any(argument.startswith("-v") or argument == "--verbose" for argument in arguments):
            traceback.print_exc()
        errors.error(
            f"{type(error).__name__}: {error}; this is a bug in flexcc, not in your model; "
            "repeat the command with -v and report what it prints"
        )
        return EXIT_BUG
