# SPDX-License-Identifier: Apache-2.0
"""flex_axi_read: the default, narrow beats with LUT RAM, wide beats with bursts of a page."""

from pathlib import Path

import pytest

from sim.runner import simulate

pytestmark = pytest.mark.rtl


@pytest.mark.parametrize(
    ("data_bytes", "max_burst", "fifo_beats"), [(64, 64, 512), (8, 5, 50), (128, 256, 300)]
)
def test_flex_axi_read(tmp_path: Path, data_bytes: int, max_burst: int, fifo_beats: int) -> None:
    parameters = {"DataBytes": data_bytes, "MaxBurst": max_burst, "FifoBeats": fifo_beats}
    env = {
        "DATA_BYTES": str(data_bytes),
        "MAX_BURST": str(max_burst),
        "FIFO_BEATS": str(fifo_beats),
    }
    assert simulate("flex_axi_read", tmp_path, parameters, env=env) == 23
