# SPDX-License-Identifier: Apache-2.0
"""flex_sequencer at several depths, drain lengths and ring sizes."""

from pathlib import Path

import pytest

from sim.runner import simulate

pytestmark = pytest.mark.rtl


@pytest.mark.parametrize(
    ("act_words", "weight_words", "list_entries", "param_passes", "drain_cycles", "tables", "wide"),
    [(256, 64, 64, 4, 4, False, True), (1024, 16, 32, 8, 1, True, False)],
)
def test_flex_sequencer(
    tmp_path: Path,
    act_words: int,
    weight_words: int,
    list_entries: int,
    param_passes: int,
    drain_cycles: int,
    tables: bool,
    wide: bool,
) -> None:
    parameters = {
        "ActWords": act_words,
        "WeightWords": weight_words,
        "ListEntries": list_entries,
        "DrainCycles": drain_cycles,
        "Tables": int(tables),
        "Wide": int(wide),
    }
    env = {
        "ACT_WORDS": str(act_words),
        "WEIGHT_WORDS": str(weight_words),
        "LIST_ENTRIES": str(list_entries),
        "PARAM_PASSES": str(param_passes),
        "DRAIN_CYCLES": str(drain_cycles),
        "TABLES": str(int(tables)),
        "WIDE": str(int(wide)),
    }
    assert simulate("flex_sequencer", tmp_path, parameters, env=env) == 6
