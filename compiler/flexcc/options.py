# SPDX-License-Identifier: Apache-2.0
"""What a compilation is asked to do."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from flexcc.dse.objective import Limits, Objective
from flexcc.dse.reshape import Reshape
from flexcc.dse.technique import Technique
from flexcc.quantization.options import QuantizationOptions

__all__ = [
    "ArrayShape",
    "Backend",
    "Executor",
    "ExploreOptions",
    "LayerRange",
    "MemoryOptions",
    "Options",
    "RunOptions",
    "TraceOptions",
]


class Backend(Enum):
    """An implementation whose results can be proven equal to the integer reference."""

    RTL = "rtl"
    HLS = "hls"


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrayShape:
    """`m` output channels x `p` output pixels x `n` input channels: MAC per cycle."""

    m: int
    p: int
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceOptions:
    """An ONNX model and how it becomes integer.

    A float model needs `calibration` (an .npz of input arrays) or `random_calibration`; a model
    with QuantizeLinear/DequantizeLinear nodes takes neither. `input_shapes` replaces the shapes of
    inputs, by ONNX name.
    """

    model: Path
    calibration: Path | None = None
    random_calibration: bool = False
    seed: int = 1
    input_shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    quantization: QuantizationOptions = field(default_factory=QuantizationOptions)


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantizeOptions(SourceOptions):
    """One quantisation of a float model into the QDQ model file `output`."""

    output: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Options(SourceOptions):
    """One compilation, as asked for.

    `target` is the name of a device file. Every image is shared by `cores` cores. What is None is
    the explorer's or the device's choice.
    `verify_images` inputs are compared for each of `verify`; with `board_memory` all ports of the
    simulated RTL share the board's memory channels. `insert_zeros` maps the network as an
    array without tap lists would need it, not reshaped. `disabled` rewrites are left out, to
    measure what they gain, and `without` which whole techniques. `on_chip` bytes hold tensors, None
    for as many as are near the cores.
    """

    target: str
    output: Path
    array: ArrayShape | None = None
    cores: int = 1
    clock_mhz: float | None = None
    verify: tuple[Backend, ...] = ()
    verify_images: int = 1
    board_memory: bool = False
    insert_zeros: bool = False
    disabled: tuple[Reshape, ...] = ()
    without: tuple[Technique, ...] = ()
    on_chip: int | None = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ExploreOptions(SourceOptions):
    """One exploration: what `objective` is best within `limits` on the board `target`.

    `array` and `cores` are the explorer's choice where they are None. `output` is the folder for
    tables and plot, if they are wanted.
    """

    target: str
    objective: Objective = Objective.LATENCY
    limits: Limits = field(default_factory=Limits)
    array: ArrayShape | None = None
    cores: int | None = None
    disabled: tuple[Reshape, ...] = ()
    output: Path | None = None


class Executor(Enum):
    """What can execute a build."""

    REFERENCE = "reference"
    INTERPRETER = "interpreter"
    HLS = "hls"
    RTL = "rtl"
    BOARD = "board"


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryOptions:
    """The simulated memory: `stalls` is the seed of random back-pressure, None for none.

    With `beats_per_1000_cycles` all ports share `channels`, each of which moves so many of them;
    else a port moves one a cycle each way.
    """

    stalls: int | None = None
    latency_cycles: int | None = None
    channels: int = 1
    beats_per_1000_cycles: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerRange:
    """The layers from `first` to `last`, both included, in the order of execution."""

    first: str
    last: str

    @staticmethod
    def parse(text: str) -> "LayerRange":
        """Reads `A..B`, or `A` for one layer.

        Raises:
            ValueError: `text` is neither.
        """
        first, dots, last = text.partition("..")
        if not first or (dots and not last):
            raise ValueError(f"{text!r} is no range of layers like conv1..conv3")
        return LayerRange(first=first, last=last if dots else first)


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceOptions:
    """Waveforms of the first image's cycles `first` to `last`, from its start, in FST `file`."""

    file: Path
    first: int = 0
    last: int = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """One execution of a build on a file of inputs.

    `raw` means the integers of the accelerator instead of floats, in and out. `check` compares
    the whole memory with the integer reference after every image. Of `layers` alone, which start
    from the reference's results of those before them, all that is stored is compared and put out.
    `port` is the serial device of a board.
    """

    build: Path
    input: Path
    output: Path
    on: Executor = Executor.REFERENCE
    raw: bool = False
    check: bool = False
    layers: LayerRange | None = None
    memory: MemoryOptions = MemoryOptions()
    trace: TraceOptions | None = None
    port: Path | None = None
