# SPDX-License-Identifier: Apache-2.0
"""flex_column_buffer for powers of two and other numbers of banks, whole words and lanes."""

from pathlib import Path

import pytest

from sim.runner import simulate

pytestmark = pytest.mark.rtl


@pytest.mark.parametrize(
    ("p", "n", "lane_bytes"), [(1, 4, 4), (3, 16, 4), (4, 8, 2), (7, 8, 8), (16, 4, 1)]
)
def test_flex_column_buffer(tmp_path: Path, p: int, n: int, lane_bytes: int) -> None:
    parameters = {"P": p, "N": n, "Depth": 32, "LaneBytes": lane_bytes}
    env = {"P": str(p), "N": str(n), "DEPTH": "32", "LANE_BYTES": str(lane_bytes)}
    assert simulate("flex_column_buffer", tmp_path, parameters, env=env) == 2
