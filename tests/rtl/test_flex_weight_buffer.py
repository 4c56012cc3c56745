# SPDX-License-Identifier: Apache-2.0
"""flex_weight_buffer for one and several rows."""

from pathlib import Path

import pytest

from sim.runner import simulate

pytestmark = pytest.mark.rtl


@pytest.mark.parametrize(("m", "n", "depth"), [(1, 4, 16), (8, 8, 64), (16, 4, 64)])
def test_flex_weight_buffer(tmp_path: Path, m: int, n: int, depth: int) -> None:
    parameters = {"M": m, "N": n, "Depth": depth}
    env = {name.upper(): str(value) for name, value in parameters.items()}
    assert simulate("flex_weight_buffer", tmp_path, parameters, env=env) == 2
