# SPDX-License-Identifier: Apache-2.0
"""flex_pool for one, three and four pixels per cycle."""

from pathlib import Path

import pytest

from sim.runner import simulate

pytestmark = pytest.mark.rtl


@pytest.mark.parametrize(("n", "pixels"), [(4, 1), (8, 3), (16, 4)])
def test_flex_pool(tmp_path: Path, n: int, pixels: int) -> None:
    env = {"N": str(n), "PIXELS": str(pixels)}
    assert simulate("flex_pool", tmp_path, {"N": n, "Pixels": pixels}, env=env) == 2
