# SPDX-License-Identifier: Apache-2.0
"""flex_column_buffer: banks from one to sixteen, powers of two and not, write lanes."""

from pathlib import Path

import pytest

from sim.runner import simulate

pytestmark = pytest.mark.rtl


@pytest.mark.parametrize(
    ("p", "n", "depth", "lane_bytes"),
    [(1, 8, 16, 8), (3, 16, 8, 4), (4, 4, 32, 1), (7, 8, 16, 8), (16, 8, 16, 8)],
)
def test_flex_column_buffer(tmp_path: Path, p: int, n: int, depth: int, lane_bytes: int) -> None:
    parameters = {"P": p, "N": n, "Depth": depth, "LaneBytes": lane_bytes}
    env = {"P": str(p), "N": str(n), "DEPTH": str(depth), "LANE_BYTES": str(lane_bytes)}
    assert simulate("flex_column_buffer", tmp_path, parameters, env=env) == 7
