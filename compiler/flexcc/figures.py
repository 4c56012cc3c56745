# SPDX-License-Identifier: Apache-2.0
"""Where the figures of a report come from."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from flexcc.backend.plan import StagePlan
from flexcc.build import Build
from flexcc.dse import Exploration, StageEstimate
from flexcc.frontend.network import Network, Place
from flexcc.ir.graph import Graph
from flexcc.ir.layers import Convolution
from flexcc.ir.macs import is_depthwise, useful_macs
from flexcc.ir.printer import layer_kind, print_packing
from flexcc.ir.types import TensorType
from flexcc.measured import ArrayCycles, Measured, total_cycles
from flexcc.report import (
    ArrayReport,
    EngineCycles,
    Figure,
    HostNode,
    HostReport,
    LayerReport,
    Report,
    ResourceReport,
    RunReport,
    Usage,
    Verification,
    VerifyReport,
)
from flexcc.targets.device import Device

__all__ = ["build_report", "host_report", "layer_cycles", "run_report", "with_verification"]


def build_report(
    build: Build,
    source: Graph,
    exploration: Exploration,
    device: Device,
    *,
    clock_mhz: float,
    host: HostReport | None = None,
) -> Report:
    """The figures known before simulation; `source` is the integer graph before lowering."""
    a = build.plan.accelerator
    convs = [layer for layer in source.layers if isinstance(layer, Convolution)]
    macs = {conv.name: useful_macs(source, conv) for conv in convs}
    depthwise = sum(macs[conv.name] for conv in convs if is_depthwise(conv))
    useful = sum(macs.values()) - depthwise
    kinds = {layer.name: layer_kind(layer) for layer in build.graph.layers}
    used = exploration.resources
    estimates = {estimate.name: estimate for estimate in exploration.estimate.stages}
    report = Report(
        model=build.model,
        target=build.target,
        clock_mhz=clock_mhz,
        clock_source="assumed",
        macs=useful,
        depthwise_macs=depthwise,
        array=ArrayReport(m=a.m, p=a.p, n=a.n, cores=a.cores, macs_per_cycle=a.macs_per_cycle),
        cycles=Figure(estimated=exploration.estimate.cycles, measured=None),
        mac_efficiency=Figure(estimated=None, measured=None),
        latency_ms=None,
        resources=ResourceReport(
            dsp=Usage(used=used.dsp, available=device.dsp),
            bram36=Usage(used=used.bram36, available=device.bram36),
            uram=Usage(used=used.uram, available=device.uram),
            lut=Usage(used=used.lut, available=device.lut),
            ff=Usage(used=used.ff, available=device.ff),
        ),
        host=host or HostReport(before=(), behind=()),
        layers=tuple(
            _layer(build, stage, kinds[stage.name], estimates[stage.name], macs.get(stage.name, 0))
            for stage in build.plan.stages
        ),
        verify=VerifyReport(rtl=None, hls=None),
    )
    return _with_ratios(report)


def host_report(network: Network) -> HostReport:
    """The nodes of a model that run on the host."""
    before, behind = (
        tuple(
            HostNode(name=node.name, op=node.op, reason=node.reason)
            for node in network.nodes
            if node.place is place
        )
        for place in (Place.HEAD, Place.TAIL)
    )
    return HostReport(before=before, behind=behind)


def with_verification(
    report: Report, rtl: Verification, measured: Measured | None, tiles: Sequence[int]
) -> Report:
    """The report after the RTL has been simulated; cycles of a wrong result are no measurement.

    `tiles` are those of each layer that the first core computes: it is measured for all.
    """
    report = replace(report, verify=replace(report.verify, rtl=rtl))
    if measured is None or not rtl.equal:
        return report
    parts = layer_cycles(measured, tiles)
    layers = (
        replace(layer, measured=part) for layer, part in zip(report.layers, parts, strict=True)
    )
    return _with_ratios(
        replace(
            report,
            cycles=replace(report.cycles, measured=measured.cycles),
            layers=tuple(layers),
            run=run_report(measured),
        )
    )


def run_report(measured: Measured) -> RunReport:
    """Where the cycles of a run went, as a report tells it."""
    return RunReport(array=measured.array, engines=measured.engines, beats=measured.beats)


def layer_cycles(measured: Measured, tiles: Sequence[int]) -> Iterator[ArrayCycles]:
    """The array's cycles by layer, given how many tiles each has, in order."""
    if sum(tiles) != len(measured.tiles):
        raise ValueError(f"{len(measured.tiles)} tiles were computed, of {sum(tiles)}")
    first = 0
    for count in tiles:
        yield total_cycles(measured.tiles[first : first + count])
        first += count


def _layer(
    build: Build, stage: StagePlan, kind: str, estimate: StageEstimate, macs: int
) -> LayerReport:
    group, engines = stage.group, estimate.engines
    chain = group.chain
    behind = (
        ("add", chain.sum),
        ("prelu", chain.bend),
        ("table", chain.table),
        ("max_pool2d", chain.pool),
    )
    tensors = build.graph.tensors
    return LayerReport(
        name=stage.name,
        op="+".join([kind, *(name for name, layer in behind if layer is not None)]),
        input_packing=_packing(tensors[stage.input]),
        output_packing=_packing(tensors[stage.output]),
        macs=macs,
        cycles=estimate.cycles,
        engines=EngineCycles(
            load=round(engines.load),
            weights=engines.weights,
            array=engines.array,
            store=engines.store,
        ),
        tiles=len(stage.tiles),
        tile_rows=group.tile_rows,
        tile_cols=group.tile_cols,
        weights=group.weights.value,
    )


def _packing(tensor: TensorType) -> str | None:
    return None if tensor.packing is None else print_packing(tensor)


def _efficiency(macs: int, cycles: float | None, macs_per_cycle: int) -> float | None:
    return macs / (cycles * macs_per_cycle) if cycles else None


def _with_ratios(report: Report) -> Report:
    """The report with everything that follows from its cycles."""
    cycles, per_cycle = report.cycles, report.array.macs_per_cycle
    best = cycles.estimated if cycles.measured is None else cycles.measured
    return replace(
        report,
        mac_efficiency=Figure(
            estimated=_efficiency(report.macs, cycles.estimated, per_cycle),
            measured=_efficiency(report.macs, cycles.measured, per_cycle),
        ),
        latency_ms=None if best is None else best / (report.clock_mhz * 1000),
    )
