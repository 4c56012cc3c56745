# SPDX-License-Identifier: Apache-2.0
"""flex_sum with one and several writes to a word."""

from pathlib import Path

import pytest

from sim.runner import simulate

pytestmark = pytest.mark.rtl


@pytest.mark.parametrize(("p", "n", "q", "split"), [(3, 8, 2, 0), (1, 4, 4, 1), (2, 16, 1, 1)])
def test_flex_sum(tmp_path: Path, p: int, n: int, q: int, split: int) -> None:
    parameters = {"P": p, "N": n, "Q": q, "OutAddrWidth": 6, "SplitProducts": split}
    env = {"P": str(p), "N": str(n), "Q": str(q), "OUT_ADDR_WIDTH": "6"}
    assert simulate("flex_sum", tmp_path, parameters, env=env) == 2
