# SPDX-License-Identifier: Apache-2.0
"""flex_stream_fifo: a single place, odd depths, the deepest LUT RAM, block RAMs."""

from pathlib import Path

import pytest

from sim.runner import simulate

pytestmark = pytest.mark.rtl


@pytest.mark.parametrize(
    ("width", "depth"), [(8, 1), (1, 2), (40, 5), (16, 64), (16, 65), (576, 128)]
)
def test_flex_stream_fifo(tmp_path: Path, width: int, depth: int) -> None:
    env = {"DEPTH": str(depth)}
    assert simulate("flex_stream_fifo", tmp_path, {"Width": width, "Depth": depth}, env=env) == 12
