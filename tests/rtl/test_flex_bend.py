# SPDX-License-Identifier: Apache-2.0
"""flex_bend with one and several channels a write."""

from pathlib import Path

import pytest

from sim.runner import simulate

pytestmark = pytest.mark.rtl


@pytest.mark.parametrize(
    ("p", "q", "lanes", "depth", "ahead"), [(3, 2, 4, 8, 14), (1, 4, 1, 16, 3)]
)
def test_flex_bend(tmp_path: Path, p: int, q: int, lanes: int, depth: int, ahead: int) -> None:
    parameters = {
        "P": p,
        "Q": q,
        "Lanes": lanes,
        "OutAddrWidth": 6,
        "ParamDepth": depth,
        "Ahead": ahead,
    }
    env = {
        "P": str(p),
        "Q": str(q),
        "LANES": str(lanes),
        "OUT_ADDR_WIDTH": "6",
        "PARAM_DEPTH": str(depth),
        "AHEAD": str(ahead),
        "SLOPES": "1",
    }
    assert simulate("flex_bend", tmp_path, parameters, env=env) == 2
