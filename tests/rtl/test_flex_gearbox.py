# SPDX-License-Identifier: Apache-2.0
"""flex_gearbox: narrowing, widening and equal widths."""

from pathlib import Path

import pytest

from sim.runner import simulate

pytestmark = pytest.mark.rtl


@pytest.mark.parametrize(
    ("in_bytes", "out_bytes"), [(64, 8), (2, 1), (1, 2), (8, 128), (16, 16), (128, 4)]
)
def test_flex_gearbox(tmp_path: Path, in_bytes: int, out_bytes: int) -> None:
    assert simulate("flex_gearbox", tmp_path, {"InBytes": in_bytes, "OutBytes": out_bytes}) == 19
