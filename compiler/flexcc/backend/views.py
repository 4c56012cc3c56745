# SPDX-License-Identifier: Apache-2.0
"""The frozen dataclasses that templates see: every text and number is ready to be placed."""

from dataclasses import dataclass

__all__ = [
    "ArrayView",
    "BoardView",
    "BusView",
    "HlsView",
    "HostView",
    "KernelView",
    "LayerRow",
    "PortView",
    "ReportView",
    "SystemView",
    "VitisView",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemView:
    """What `rtl/flex_system.sv.j2` sees; `parameters` are names and literals for flex_top.

    The two ranges are packed dimensions, padded to eight characters. `suffixes` tell the memory
    ports of the cores apart; one core needs none. `loader` is what openFPGALoader calls
    the board, empty if it gets no bitstream; `card` tells whether hls/ has a project for a card.
    """

    version: str
    model: str
    target: str
    data_bytes: int
    sums: int
    parameters: tuple[tuple[str, str], ...]
    suffixes: tuple[str, ...]
    data_range: str
    strb_range: str
    loader: str
    card: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardView:
    """What `rtl/flex_ulx3s.sv.j2` sees: parameters of flex_board and the dividers of the PLL."""

    version: str
    model: str
    target: str
    clock_mhz: int
    pll_input_divider: int
    pll_feedback_divider: int
    pll_output_divider: int
    pll_phase: int
    parameters: tuple[tuple[str, str], ...]
    memory_bytes: int
    clocks_per_bit: int
    gap_cycles: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BusView:
    """A bus of the packed kernel: library and name of its kind, logical and physical ports."""

    name: str
    kind: str
    mode: str
    ports: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelView:
    """What `rtl/package_kernel.tcl.j2` sees: sources, buses, those with a clock, registers.

    A register has a name, an offset and the memory port whose address it holds.
    """

    version: str
    model: str
    target: str
    part: str
    sources: tuple[str, ...]
    interfaces: tuple[BusView, ...]
    clocked: tuple[str, ...]
    registers: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HlsView:
    """What the templates of the kernel see: type, name and value of each parameter, as in C++.

    `skip_argument` is what the kernel hands on as the port of second tensors, which it has with
    sums; a burst has up to `burst_beats` beats.
    """

    version: str
    model: str
    target: str
    parameters: tuple[tuple[str, str, str], ...]
    has_sums: bool
    skip_argument: str
    burst_beats: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerRow:
    """One row of the layer table; `share_percent` is the width of its bar."""

    name: str
    op: str
    macs: str
    cycles: str
    busiest: str
    tiles: str
    weights: str
    share_percent: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportView:
    """What `report/report.html.j2` sees: rows of label and text, and tables.

    The tables on cycles have no rows when nothing was measured.
    """

    version: str
    model: str
    target: str
    summary: tuple[tuple[str, str], ...]
    resources: tuple[tuple[str, str], ...]
    layers: tuple[LayerRow, ...]
    array_header: tuple[str, ...]
    array_rows: tuple[tuple[str, ...], ...]
    engine_header: tuple[str, ...]
    engine_rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrayView:
    """An input or output of the model; `name` is a C++ string literal."""

    name: str
    shape: str
    elements: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PortView:
    """A tensor that the host writes or reads; `array` is the number of the model's array.

    The axes and parts are lists of initialisers, `scale` a float literal, `wide` a bool literal:
    16 bits, the first half of the parts holds the upper bytes.
    """

    array: int
    channels: int
    channel_stride: int
    row_stride: int
    column_stride: int
    y: str
    x: str
    scale: str
    zero_point: int
    wide: str
    parts: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HostView:
    """What `host/flex_model.hpp.j2` sees; sizes and addresses in bytes.

    `sides` are the inputs and the outputs: a word for each, its arrays and ports.
    """

    version: str
    model: str
    target: str
    weights_address: int
    weights_bytes: int
    weights_crc32: str
    program_address: int
    program_bytes: int
    program_crc32: str
    beat_bytes: int
    lanes: int
    sums: str
    sides: tuple[tuple[str, tuple[ArrayView, ...], tuple[PortView, ...]], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class VitisView:
    """What the files around the kernel see: testbench, scripts, connections.

    `ports` are the kernel's with the tag of their memory, `slr` the die it is placed in, "" where
    there is one; `embedded` boards run the host themselves. The program is counted in beats.
    """

    version: str
    vitis_version: str
    model: str
    target: str
    platform: str
    part: str
    clock_mhz: str
    period_ns: str
    ports: tuple[tuple[str, str], ...]
    slr: str
    embedded: bool
    host_cpu: str
    has_sums: bool
    memory_bytes: int
    program_first: int
    program_beats: int
