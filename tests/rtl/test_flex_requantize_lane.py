# SPDX-License-Identifier: Apache-2.0
"""flex_requantize_lane for one and several pixels."""

from pathlib import Path

import pytest

from sim.runner import simulate

pytestmark = pytest.mark.rtl


@pytest.mark.parametrize("pixels", [1, 3])
def test_flex_requantize_lane(tmp_path: Path, pixels: int) -> None:
    env = {"PIXELS": str(pixels)}
    assert simulate("flex_requantize_lane", tmp_path, {"Pixels": pixels}, env=env) == 3
