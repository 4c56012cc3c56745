# SPDX-License-Identifier: Apache-2.0
"""flex_csr for two array shapes and several cores."""

from pathlib import Path

import pytest

from sim.runner import simulate

pytestmark = pytest.mark.rtl


@pytest.mark.parametrize(
    ("m", "p", "n", "packed", "cores"), [(8, 8, 8, 1, 1), (32, 7, 16, 0, 3), (8, 2, 4, 1, 4)]
)
def test_flex_csr(tmp_path: Path, m: int, p: int, n: int, packed: int, cores: int) -> None:
    parameters = {"M": m, "P": p, "N": n, "Packed": packed, "Cores": cores}
    env = {name.upper(): str(value) for name, value in parameters.items()}
    assert simulate("flex_csr", tmp_path, parameters, env=env) == 8
