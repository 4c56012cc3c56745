# SPDX-License-Identifier: Apache-2.0
"""flex_axi_burst: narrow and wide beats, bursts shorter and longer than a page."""

from pathlib import Path

import pytest

from sim.runner import simulate

pytestmark = pytest.mark.rtl


@pytest.mark.parametrize(
    ("data_bytes", "max_burst"), [(64, 64), (128, 256), (8, 7), (16, 256), (32, 1)]
)
def test_flex_axi_burst(tmp_path: Path, data_bytes: int, max_burst: int) -> None:
    parameters = {"DataBytes": data_bytes, "MaxBurst": max_burst}
    env = {"DATA_BYTES": str(data_bytes), "MAX_BURST": str(max_burst)}
    assert simulate("flex_axi_burst", tmp_path, parameters, env=env) == 10
