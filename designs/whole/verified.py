# SPDX-License-Identifier: Apache-2.0
"""A whole network compiled and simulated, every byte compared, and the figures that all keep."""

from dataclasses import dataclass, replace

from flexcc import compile_model
from flexcc.driver import require_equal
from flexcc.options import Backend, Options
from flexcc.progress import Progress
from flexcc.report import Report

__all__ = ["Verified", "verified"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """A run of the simulated RTL that left every byte as it must be."""

    report: Report
    cycles: int
    estimated: int
    compared_bytes: int


def verified(options: Options, reports: Progress) -> Verified:
    """Compiles a network and simulates it on one image.

    Raises:
        FlexccError: it cannot be compiled, or a byte differs.
    """
    report = compile_model(replace(options, verify=(Backend.RTL,)), reports)
    require_equal(report)
    cycles, rtl = report.cycles, report.verify.rtl
    assert cycles.measured is not None
    assert cycles.estimated is not None
    assert rtl is not None
    return Verified(
        report=report,
        cycles=round(cycles.measured),
        estimated=round(cycles.estimated),
        compared_bytes=rtl.compared_bytes,
    )
