# SPDX-License-Identifier: Apache-2.0
"""flex_store_requests for beats of several pixels and of one."""

from pathlib import Path

import pytest

from sim.runner import simulate

pytestmark = pytest.mark.rtl


@pytest.mark.parametrize(("n", "data_bytes"), [(4, 64), (16, 16)])
def test_flex_store_requests(tmp_path: Path, n: int, data_bytes: int) -> None:
    env = {"N": str(n), "DATA_BYTES": str(data_bytes)}
    parameters = {"N": n, "DataBytes": data_bytes}
    assert simulate("flex_store_requests", tmp_path, parameters, env=env) == 9
