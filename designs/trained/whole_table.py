# SPDX-License-Identifier: Apache-2.0
"""The section of docs/results.md on trained networks that run whole, from their stored reports."""

from designs.trained.whole import RUNS, load_run, stored_report
from designs.whole.tables import figures, header, losses, losses_header, row

__all__ = ["section"]

_COLUMNS = (
    *("network, array", "useful MAC", "cycles", "estimated", "MAC efficiency", "least"),
    *("latency", "bytes compared"),
)


def section() -> str:
    """Its text, from the heading on."""
    reports = {name: stored_report(name) for name in RUNS}
    rows = []
    for name, report in reports.items():
        *common, latency, compared = figures(name, report)
        rows.append(row((*common, f"{load_run(name).least:.0%}", latency, compared)))
    summary = "\n".join(rows)
    lost = "\n".join(row(losses(name, report)) for name, report in reports.items())
    return f"""\
## Trained networks whole

The trained networks ([which](../designs/trained/README.md)) in one run of the simulated RTL each,
on one of the samples that calibrate them: every byte of memory is compared with the integer
reference. `python -m designs.trained.whole` repeats it. All activations have 8 bits, but for the 34
of 131 tensors to which `--precision auto` gives 16 in openpose_mobilenet_thin-auto.

{header(*_COLUMNS)}
{summary}

Where the cycles of the array went, as above:

{losses_header()}
{lost}
"""
