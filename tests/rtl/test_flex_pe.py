# SPDX-License-Identifier: Apache-2.0
"""flex_pe: one and several chains, packed and not, a wider accumulator."""

from pathlib import Path

import pytest

from sim.runner import simulate

pytestmark = pytest.mark.rtl


@pytest.mark.parametrize(
    ("n", "packed", "acc_width"), [(8, 1, 32), (32, 1, 32), (4, 0, 32), (16, 0, 40)]
)
def test_flex_pe(tmp_path: Path, n: int, packed: int, acc_width: int) -> None:
    env = {"N": str(n), "PACKED": str(packed), "ACC_WIDTH": str(acc_width)}
    parameters = {"N": n, "Packed": packed, "AccWidth": acc_width}
    assert simulate("flex_pe", tmp_path, parameters, env=env) == 3
