# SPDX-License-Identifier: Apache-2.0
"""flex_delay: a wire, one register, long ones, with and without reset."""

from pathlib import Path

import pytest

from sim.runner import simulate

pytestmark = pytest.mark.rtl


@pytest.mark.parametrize(
    ("width", "cycles", "with_reset"), [(8, 0, False), (1, 1, True), (33, 7, True), (70, 5, False)]
)
def test_flex_delay(tmp_path: Path, width: int, cycles: int, with_reset: bool) -> None:
    parameters = {"Width": width, "Cycles": cycles, "Reset": with_reset}
    env = {"CYCLES": str(cycles), "RESET": str(int(with_reset))}
    assert simulate("flex_delay", tmp_path, parameters, env=env) == 1
