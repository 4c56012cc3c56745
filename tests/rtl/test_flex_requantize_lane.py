# SPDX-License-Identifier: Apache-2.0
"""flex_requantize_lane for one and several pixels, one slope and two, 8 and 16 bits."""

from pathlib import Path

import pytest

from sim.runner import simulate

pytestmark = pytest.mark.rtl


@pytest.mark.parametrize(
    ("pixels", "slopes", "wide"),
    [
        (1, False, False),
        (3, False, False),
        (1, True, False),
        (3, True, False),
        (2, False, True),
        (3, True, True),
    ],
)
def test_flex_requantize_lane(tmp_path: Path, pixels: int, slopes: bool, wide: bool) -> None:
    parameters = {"Pixels": pixels, "Slopes": int(slopes), "Wide": int(wide)}
    env = {"PIXELS": str(pixels), "SLOPES": str(int(slopes)), "WIDE": str(int(wide))}
    assert simulate("flex_requantize_lane", tmp_path, parameters, env=env) == 3
