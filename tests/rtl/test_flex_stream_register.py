# SPDX-License-Identifier: Apache-2.0
"""flex_stream_register at several widths."""

from pathlib import Path

import pytest

from sim.runner import simulate

pytestmark = pytest.mark.rtl


@pytest.mark.parametrize("width", [1, 8, 512])
def test_flex_stream_register(tmp_path: Path, width: int) -> None:
    assert simulate("flex_stream_register", tmp_path, {"Width": width}) == 11
