# SPDX-License-Identifier: Apache-2.0
"""flex_drain_chain: chains of one, some and many rows; blocks too close to each other."""

from pathlib import Path

import pytest

from sim.runner import simulate

pytestmark = pytest.mark.rtl


@pytest.mark.parametrize(("rows", "width"), [(1, 32), (4, 64), (16, 33)])
def test_flex_drain_chain(tmp_path: Path, rows: int, width: int) -> None:
    env = {"ROWS": str(rows), "WIDTH": str(width)}
    parameters = {"Rows": rows, "Width": width}
    assert simulate("flex_drain_chain", tmp_path, parameters, env=env) == 3


def test_flex_drain_chain_complains_about_early_blocks(tmp_path: Path) -> None:
    env = {"ROWS": "4", "WIDTH": "64", "TOO_EARLY": "1"}
    with pytest.raises(AssertionError, match="Drained"):
        simulate("flex_drain_chain", tmp_path, {"Rows": 4, "Width": 64}, env=env)
