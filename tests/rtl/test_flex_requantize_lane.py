# SPDX-License-Identifier: Apache-2.0
"""flex_requantize_lane for one and several pixels, with one slope and with two."""

from pathlib import Path

import pytest

from sim.runner import simulate

pytestmark = pytest.mark.rtl


@pytest.mark.parametrize(("pixels", "slopes"), [(1, False), (3, False), (1, True), (3, True)])
def test_flex_requantize_lane(tmp_path: Path, pixels: int, slopes: bool) -> None:
    parameters = {"Pixels": pixels, "Slopes": int(slopes)}
    env = {"PIXELS": str(pixels), "SLOPES": str(int(slopes))}
    assert simulate("flex_requantize_lane", tmp_path, parameters, env=env) == 3
