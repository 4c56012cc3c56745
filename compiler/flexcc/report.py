# SPDX-License-Identifier: Apache-2.0
"""The figures of a build: `report.json`, whose keys `docs/report.md` explains.

What is not known is None: nothing in a report is guessed.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from flexcc.measured import ArrayCycles, EngineCounts

__all__ = [
    "ArrayReport",
    "Difference",
    "EngineCycles",
    "Figure",
    "HostNode",
    "HostReport",
    "LayerReport",
    "Report",
    "ResourceReport",
    "RunReport",
    "RunSummary",
    "Usage",
    "Verification",
    "VerifyReport",
    "report_json",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrayReport:
    """Shape of the systolic arrays; `macs_per_cycle` is m * p * n * cores."""

    m: int
    p: int
    n: int
    cores: int
    macs_per_cycle: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One quantity, estimated by the explorer and measured in the simulated RTL."""

    estimated: float | None
    measured: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Units of a resource that the accelerator needs and that the device has."""

    used: int | None
    available: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceReport:
    """One usage per kind of resource."""

    dsp: Usage
    bram36: Usage
    uram: Usage
    lut: Usage
    ff: Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineCycles:
    """Estimated cycles that each engine works for a layer; the largest bounds the layer."""

    load: int
    weights: int
    array: int
    store: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerReport:
    """A fusion group: its useful MAC, and the estimated cycles that it adds to the run.

    The packings are those of the tensors read and stored, as `flexcc inspect` prints them.
    `measured` are the array's cycles from the last step of the layer before to its own.
    """

    name: str
    op: str
    input_packing: str | None
    output_packing: str | None
    macs: int
    cycles: int | None
    engines: EngineCycles
    tiles: int
    tile_rows: int
    tile_cols: int
    weights: str
    measured: ArrayCycles | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HostNode:
    """A node of the model that runs on the host; `reason` is why, if not for its neighbours."""

    name: str
    op: str
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HostReport:
    """What the host runs before and behind the accelerator, in order."""

    before: tuple[HostNode, ...]
    behind: tuple[HostNode, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """The first byte in which an execution differs from the reference, by its place."""

    image: int
    tensor: str
    channel: int | None
    row: int | None
    column: int | None
    expected: int
    actual: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """Whole memory images compared with the integer reference, over `images` inputs."""

    equal: bool
    images: int
    compared_bytes: int
    first_difference: Difference | None


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyReport:
    """One comparison per backend; None where it was not asked for."""

    rtl: Verification | None
    hls: Verification | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReport:
    """Where the cycles of a simulated run went.

    `array` splits them by what the array did or waited for; `engines` are the accelerator's
    counters by engine, `beats` what each memory port moved.
    """

    array: ArrayCycles
    engines: Mapping[str, EngineCounts]
    beats: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The figures of one build, for one image."""

    schema_version: int = 1
    model: str
    target: str
    clock_mhz: float
    clock_source: str
    macs: int
    depthwise_macs: int
    array: ArrayReport
    cycles: Figure
    mac_efficiency: Figure
    latency_ms: float | None
    resources: ResourceReport
    host: HostReport
    layers: tuple[LayerReport, ...]
    run: RunReport | None = None
    verify: VerifyReport


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """One execution of a build: the file written, and cycles of an image where they were counted.

    Of several images the one that took longest is told: `run` says where its cycles went, `layers`
    the same by name. `compared_bytes` were compared with the reference, and equal; None when it was
    not asked for.
    """

    on: str
    images: int
    output: str
    cycles: int | None
    compared_bytes: int | None
    run: RunReport | None
    layers: Mapping[str, ArrayCycles] | None


def report_json(report: Report | RunSummary) -> str:
    """The text of `report.json`, or of a run's figures."""
    return json.dumps(asdict(report), indent=2, allow_nan=False) + "\n"
