# SPDX-License-Identifier: Apache-2.0
"""flex_delay_line: registers, the shortest ring, a longer one."""

from pathlib import Path

import pytest

from sim.runner import simulate

pytestmark = pytest.mark.rtl


@pytest.mark.parametrize(("width", "cycles"), [(8, 2), (64, 4), (70, 18)])
def test_flex_delay_line(tmp_path: Path, width: int, cycles: int) -> None:
    parameters = {"Width": width, "Cycles": cycles}
    env = {"CYCLES": str(cycles)}
    assert simulate("flex_delay_line", tmp_path, parameters, env=env) == 1
