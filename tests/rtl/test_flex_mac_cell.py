# SPDX-License-Identifier: Apache-2.0
"""flex_mac_cell: packed and unpacked chains of full and shorter length."""

from pathlib import Path

import pytest

from sim.runner import simulate

pytestmark = pytest.mark.rtl


@pytest.mark.parametrize(("lanes", "packed"), [(8, 1), (8, 0), (4, 0), (3, 1), (1, 0)])
def test_flex_mac_cell(tmp_path: Path, lanes: int, packed: int) -> None:
    env = {"LANES": str(lanes), "PACKED": str(packed)}
    parameters = {"Lanes": lanes, "Packed": packed}
    assert simulate("flex_mac_cell", tmp_path, parameters, env=env) == 1
