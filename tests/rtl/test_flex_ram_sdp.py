# SPDX-License-Identifier: Apache-2.0
"""flex_ram_sdp: whole words and lanes, odd depths, collisions allowed and not."""

from pathlib import Path

import pytest

from sim.runner import simulate

pytestmark = pytest.mark.rtl


@pytest.mark.parametrize(
    ("width", "depth", "lane_width"), [(8, 16, 8), (64, 5, 8), (128, 64, 32), (3, 2, 3)]
)
def test_flex_ram_sdp(tmp_path: Path, width: int, depth: int, lane_width: int) -> None:
    parameters = {"Width": width, "Depth": depth, "LaneWidth": lane_width}
    env = {"DEPTH": str(depth), "LANE_WIDTH": str(lane_width)}
    assert simulate("flex_ram_sdp", tmp_path, parameters, env=env) == 2


def test_flex_ram_sdp_allows_collisions(tmp_path: Path) -> None:
    parameters = {"Width": 32, "Depth": 8, "LaneWidth": 8, "AllowCollision": True}
    env = {"DEPTH": "8", "LANE_WIDTH": "8", "COLLIDE": "1"}
    assert simulate("flex_ram_sdp", tmp_path, parameters, env=env) == 2


def test_flex_ram_sdp_complains_about_collisions(tmp_path: Path) -> None:
    parameters = {"Width": 64, "Depth": 5, "LaneWidth": 8}
    env = {"DEPTH": "5", "LANE_WIDTH": "8", "COLLIDE": "1"}
    with pytest.raises(AssertionError, match="NoCollision"):
        simulate("flex_ram_sdp", tmp_path, parameters, env=env)
