# SPDX-License-Identifier: Apache-2.0
"""flex_weight_buffer: one and many rows; words overwritten before their last row is read."""

from pathlib import Path

import pytest

from sim.runner import simulate

pytestmark = pytest.mark.rtl


@pytest.mark.parametrize(("m", "n", "depth"), [(1, 8, 8), (8, 4, 32), (4, 32, 16)])
def test_flex_weight_buffer(tmp_path: Path, m: int, n: int, depth: int) -> None:
    env = {"M": str(m), "N": str(n), "DEPTH": str(depth)}
    assert simulate("flex_weight_buffer", tmp_path, {"M": m, "N": n, "Depth": depth}, env=env) == 6


def test_flex_weight_buffer_complains_about_collisions(tmp_path: Path) -> None:
    env = {"M": "8", "N": "4", "DEPTH": "32", "OVERWRITE": "1"}
    with pytest.raises(AssertionError, match="NoCollision"):
        simulate("flex_weight_buffer", tmp_path, {"M": 8, "N": 4, "Depth": 32}, env=env)
