# SPDX-License-Identifier: Apache-2.0
"""flex_link at the pins of its line: bits of five cycles."""

from pathlib import Path

import pytest

from sim.runner import simulate

pytestmark = pytest.mark.rtl


def test_flex_link(tmp_path: Path) -> None:
    parameters = {"ClocksPerBit": 5, "GapCycles": 600, "MemoryBytes": 8192}
    env = {"CLOCKS_PER_BIT": "5", "GAP_CYCLES": "600", "MEMORY_BYTES": "8192"}
    assert simulate("flex_link", tmp_path, parameters, env=env) == 7
