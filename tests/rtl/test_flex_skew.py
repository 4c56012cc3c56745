# SPDX-License-Identifier: Apache-2.0
"""flex_skew: lanes of a chain, wide lanes, a single one."""

from pathlib import Path

import pytest

from sim.runner import simulate

pytestmark = pytest.mark.rtl


@pytest.mark.parametrize(("lanes", "lane_width"), [(1, 8), (8, 8), (3, 70)])
def test_flex_skew(tmp_path: Path, lanes: int, lane_width: int) -> None:
    env = {"LANES": str(lanes), "LANE_WIDTH": str(lane_width)}
    parameters = {"Lanes": lanes, "LaneWidth": lane_width}
    assert simulate("flex_skew", tmp_path, parameters, env=env) == 1
