# SPDX-License-Identifier: Apache-2.0
"""flex_round for totals of the least width and of sums."""

from pathlib import Path

import pytest

from sim.runner import simulate

pytestmark = pytest.mark.rtl


@pytest.mark.parametrize(("values", "width"), [(1, 27), (3, 35), (2, 52)])
def test_flex_round(tmp_path: Path, values: int, width: int) -> None:
    env = {"VALUES": str(values), "WIDTH": str(width)}
    parameters = {"Values": values, "Width": width}
    assert simulate("flex_round", tmp_path, parameters, env=env) == 2
