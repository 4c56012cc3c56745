# SPDX-License-Identifier: Apache-2.0
"""What a terminal shows of long steps, and a pipe does not."""

import io
import re

import pytest
from rich.console import Console

from flexcc.console import TerminalProgress, progress
from flexcc.progress import Progress


def simulate(reports: Progress) -> None:
    """One image, of which it tells the tiles."""
    for _ in reports.track(1, 1, "simulating"):
        for done in (3, 8):
            reports.detail(f"{done} of 10 tiles")
            if isinstance(reports, TerminalProgress):
                reports.refresh()
    reports.step("writing")


def test_a_terminal_shows_how_far_a_step_is() -> None:
    text = io.StringIO()
    with progress(Console(force_terminal=True, width=80, file=text), wanted=True) as reports:
        simulate(reports)
    shown = re.findall(r"simulating[^\x1b\n]*?(?=\s\s|\x1b|\n)", text.getvalue())
    assert any("simulating, 3 of 10 tiles" in line for line in shown)
    assert any("simulating, 8 of 10 tiles" in line for line in shown)
    # The step that is over tells its title alone.
    assert "tiles" not in shown[-1]


@pytest.mark.parametrize("wanted", [True, False])
def test_a_pipe_gets_nothing(wanted: bool) -> None:
    text = io.StringIO()
    with progress(Console(force_terminal=not wanted, file=text), wanted=wanted) as reports:
        simulate(reports)
    assert not text.getvalue()
