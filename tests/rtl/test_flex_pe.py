# SPDX-License-Identifier: Apache-2.0
"""flex_pe: one and several chains, packed and not, a wider accumulator, sums that are raised."""

from pathlib import Path

import pytest

from sim.runner import simulate

pytestmark = pytest.mark.rtl


@pytest.mark.parametrize(
    ("n", "packed", "acc_width", "wide"),
    [(8, 1, 32, 0), (32, 1, 32, 0), (4, 0, 32, 1), (16, 0, 40, 0), (8, 1, 40, 1)],
)
def test_flex_pe(tmp_path: Path, n: int, packed: int, acc_width: int, wide: int) -> None:
    env = {"N": str(n), "PACKED": str(packed), "ACC_WIDTH": str(acc_width), "WIDE": str(wide)}
    parameters = {"N": n, "Packed": packed, "AccWidth": acc_width, "Wide": wide}
    assert simulate("flex_pe", tmp_path, parameters, env=env) == 3
