# SPDX-License-Identifier: Apache-2.0
"""flex_requantize_lane for one and several pixels, one slope and two, 8 and 16 bits."""

from pathlib import Path

import pytest

from sim.runner import simulate

pytestmark = pytest.mark.rtl


@pytest.mark.parametrize(
    ("pixels", "slopes", "wide", "split"),
    [
        (1, False, False, False),
        (3, False, False, True),
        (1, True, False, True),
        (3, True, False, False),
        (2, False, True, True),
        (3, True, True, False),
    ],
)
def test_flex_requantize_lane(
    tmp_path: Path, pixels: int, slopes: bool, wide: bool, split: bool
) -> None:
    parameters = {
        "Pixels": pixels,
        "Slopes": int(slopes),
        "Wide": int(wide),
        "SplitProducts": int(split),
    }
    env = {"PIXELS": str(pixels), "SLOPES": str(int(slopes)), "WIDE": str(int(wide))}
    assert simulate("flex_requantize_lane", tmp_path, parameters, env=env) == 3
