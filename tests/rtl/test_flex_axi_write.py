# SPDX-License-Identifier: Apache-2.0
"""flex_axi_write: the default, narrow beats with LUT RAM, wide beats with bursts of a page."""

from pathlib import Path

import pytest

from sim.runner import simulate

pytestmark = pytest.mark.rtl


@pytest.mark.parametrize(
    ("data_bytes", "max_burst", "fifo_beats", "max_outstanding"),
    [(64, 64, 512, 64), (8, 5, 50, 16), (128, 256, 300, 40)],
)
def test_flex_axi_write(
    tmp_path: Path, data_bytes: int, max_burst: int, fifo_beats: int, max_outstanding: int
) -> None:
    parameters = {
        "DataBytes": data_bytes,
        "MaxBurst": max_burst,
        "FifoBeats": fifo_beats,
        "MaxOutstanding": max_outstanding,
    }
    env = {
        "DATA_BYTES": str(data_bytes),
        "MAX_BURST": str(max_burst),
        "FIFO_BEATS": str(fifo_beats),
        "MAX_OUTSTANDING": str(max_outstanding),
    }
    assert simulate("flex_axi_write", tmp_path, parameters, env=env) == 21
