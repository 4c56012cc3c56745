# SPDX-License-Identifier: Apache-2.0
"""flex_axi_write_split: wide and narrow beats, few and many bursts under way."""

from pathlib import Path

import pytest

from sim.runner import simulate

pytestmark = pytest.mark.rtl


@pytest.mark.parametrize(("data_bytes", "window_bits", "most"), [(64, 13, 64), (16, 20, 3)])
def test_flex_axi_write_split(tmp_path: Path, data_bytes: int, window_bits: int, most: int) -> None:
    parameters = {"DataBytes": data_bytes, "WindowBits": window_bits, "MaxOutstanding": most}
    env = {"DATA_BYTES": str(data_bytes), "WINDOW_BITS": str(window_bits)}
    assert simulate("flex_axi_write_split", tmp_path, parameters, env=env) == 12
