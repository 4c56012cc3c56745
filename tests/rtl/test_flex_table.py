# SPDX-License-Identifier: Apache-2.0
"""flex_table with one lane and several."""

from pathlib import Path

import pytest

from sim.runner import simulate

pytestmark = pytest.mark.rtl


@pytest.mark.parametrize(("p", "q", "lanes"), [(3, 2, 4), (1, 1, 1)])
def test_flex_table(tmp_path: Path, p: int, q: int, lanes: int) -> None:
    parameters = {"P": p, "Q": q, "Lanes": lanes, "OutAddrWidth": 8}
    env = {"P": str(p), "Q": str(q), "LANES": str(lanes), "OUT_ADDR_WIDTH": "8"}
    assert simulate("flex_table", tmp_path, parameters, env=env) == 7
