# SPDX-License-Identifier: Apache-2.0
"""The frozen dataclasses that templates see: every text and number is ready to be placed."""

from dataclasses import dataclass

__all__ = ["HlsView", "LayerRow", "ReportView", "SystemView"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemView:
    """What `rtl/flex_system.sv.j2` sees; `parameters` are names and literals for flex_top.

    The two ranges are packed dimensions, padded to eight characters. `suffixes` tell the memory
    ports of the cores apart; one core needs none.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class HlsView:
    """What the templates in `hls/` see: parameters of flex_top, truth values as C++ writes them.

    `has_sums` is the truth value of `sums` for the template; `skip_argument` is what the kernel
    hands on as the port of second tensors.
    """

    version: str
    model: str
    target: str
    m: int
    p: int
    n: int
    q: int
    packed: str
    data_bytes: int
    act_words: int
    weight_words: int
    param_passes: int
    out_words: int
    list_entries: int
    slopes: str
    tables: str
    sums: str
    window_taps: int
    window_beats: int
    window_channels: int
    cores: int
    has_sums: bool
    skip_argument: str


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
