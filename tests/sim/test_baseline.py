# SPDX-License-Identifier: Apache-2.0
"""The plain core, which versatility is measured against, does compute plain convolutions."""

from pathlib import Path

import pytest

from sim.baseline import SOURCES
from sim.runner import simulate

pytestmark = pytest.mark.rtl


@pytest.mark.parametrize("columns", [7, 8])
def test_counters_issue_the_steps_of_the_lists(tmp_path: Path, columns: int) -> None:
    parameters = {"P": columns, "ActWords": 1024, "WeightWords": 64, "DrainCycles": 4}
    env = {
        "COLUMNS": str(columns),
        "ACT_WORDS": "1024",
        "WEIGHT_WORDS": "64",
        "PARAM_PASSES": "4",
        "DRAIN_CYCLES": "4",
    }
    passed = simulate(
        "flex_sequencer",
        tmp_path,
        parameters,
        bench="sim.baseline.bench",
        env=env,
        extra_sources=SOURCES,
    )
    assert passed == 4
