# SPDX-License-Identifier: Apache-2.0
"""Figures of a report as people read them."""

from dataclasses import asdict

from flexcc import __version__
from flexcc.account_text import ENGINE_HEADER, account_rows, array_header, engine_rows, losses_text
from flexcc.backend.render import render
from flexcc.backend.views import LayerRow, ReportView
from flexcc.report import Figure, LayerReport, Report, Usage, Verification

__all__ = [
    "busiest_text",
    "figure_text",
    "known",
    "latency_text",
    "operation_text",
    "report_html",
    "summary_rows",
    "tiles_text",
    "usage_text",
    "verification_text",
]


def summary_rows(report: Report) -> tuple[tuple[str, str], ...]:
    """Label and text of what matters most, verifications last."""
    array = report.array
    rows = [
        ("array", f"{array.m} x {array.p} x {array.n}, {array.macs_per_cycle} MAC per cycle"),
        ("useful MAC", f"{report.macs:,}"),
        ("cycles", figure_text(report.cycles, "{:,.0f}")),
        ("MAC efficiency", figure_text(report.mac_efficiency, "{:.1%}")),
        ("latency", latency_text(report)),
        ("DSP", usage_text(report.resources.dsp)),
    ]
    losses = losses_text(report)
    if losses is not None:
        rows.append(("cycles of the array", losses))
    for when, nodes in (("before", report.host.before), ("behind", report.host.behind)):
        if nodes:
            there = ", ".join(f"{node.name} ({node.op})" for node in nodes)
            rows.append((f"on the host {when}", there))
    for name, found in (("RTL", report.verify.rtl), ("HLS", report.verify.hls)):
        if found is not None:
            rows.append((f"{name} against reference", verification_text(found)))
    return tuple(rows)


def operation_text(layer: LayerReport) -> str:
    """What a layer does, and the packings of the tensors it reads and writes."""
    packings = (("from", layer.input_packing), ("to", layer.output_packing))
    return " ".join([layer.op, *(f"{word} {text}" for word, text in packings if text)])


def tiles_text(layer: LayerReport) -> str:
    """Number and size of a layer's tiles."""
    return f"{layer.tiles} of {layer.tile_rows} x {layer.tile_cols}"


def latency_text(report: Report) -> str:
    """Latency and the clock it rests on."""
    latency = known(report.latency_ms, "{:.3f} ms")
    return f"{latency} at {report.clock_source} {report.clock_mhz:g} MHz"


def busiest_text(layer: LayerReport) -> str:
    """The engine that works longest for a layer, and how long."""
    cycles = asdict(layer.engines)
    name = max(cycles, key=lambda engine: cycles[engine])
    return f"{name} {cycles[name]:,}"


def usage_text(usage: Usage) -> str:
    """How much of a resource is used; `not known` where no formula gives it."""
    if usage.used is None:
        return f"not known, of {usage.available:,}"
    share = f" ({usage.used / usage.available:.1%})" if usage.available else ""
    return f"{usage.used:,} of {usage.available:,}{share}"


def verification_text(verification: Verification) -> str:
    """What a comparison with the integer reference found."""
    images = "image" if verification.images == 1 else "images"
    over = f"{verification.compared_bytes:,} bytes of {verification.images} {images}"
    if verification.equal:
        return f"equal in all {over}"
    return f"different within {over}"


def known(value: float | None, form: str) -> str:
    """`value` formatted by `form`; a dash when it is not known."""
    return "-" if value is None else form.format(value)


def figure_text(figure: Figure, form: str) -> str:
    """A quantity, measured before estimated."""
    estimated = known(figure.estimated, form)
    if figure.measured is None:
        return f"{estimated} estimated"
    return f"{known(figure.measured, form)} measured, {estimated} estimated"


def report_html(report: Report) -> str:
    """The page `report.html`."""
    total = sum(layer.cycles or 0 for layer in report.layers)
    resources = (
        ("DSP", report.resources.dsp),
        ("BRAM36", report.resources.bram36),
        ("URAM", report.resources.uram),
        ("LUT", report.resources.lut),
        ("FF", report.resources.ff),
    )
    view = ReportView(
        version=__version__,
        model=report.model,
        target=report.target,
        summary=summary_rows(report),
        resources=tuple((name, usage_text(usage)) for name, usage in resources),
        layers=tuple(_layer_row(layer, total) for layer in report.layers),
        array_header=array_header(),
        array_rows=account_rows(report),
        engine_header=ENGINE_HEADER,
        engine_rows=() if report.run is None else engine_rows(report.run),
    )
    return render("report/report.html.j2", view)


def _layer_row(layer: LayerReport, total: int) -> LayerRow:
    return LayerRow(
        name=layer.name,
        op=operation_text(layer),
        macs=f"{layer.macs:,}",
        cycles=known(layer.cycles, "{:,}"),
        busiest=busiest_text(layer),
        tiles=tiles_text(layer),
        weights=layer.weights,
        share_percent=f"{100 * (layer.cycles or 0) / total:.1f}" if total else "0",
    )
