# SPDX-License-Identifier: Apache-2.0
"""flex_store_mask for one, three and sixteen pixels."""

from pathlib import Path

import pytest

from sim.runner import simulate

pytestmark = pytest.mark.rtl


@pytest.mark.parametrize("pixels", [1, 3, 16])
def test_flex_store_mask(tmp_path: Path, pixels: int) -> None:
    env = {"PIXELS": str(pixels)}
    assert simulate("flex_store_mask", tmp_path, {"Pixels": pixels}, env=env) == 1
