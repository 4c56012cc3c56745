# SPDX-License-Identifier: Apache-2.0
"""flex_store_prepare for one bank, an odd number of banks and a power of two."""

from pathlib import Path

import pytest

from sim.runner import simulate

pytestmark = pytest.mark.rtl


@pytest.mark.parametrize(("p", "raw_pixels", "addr_width"), [(1, 1, 10), (7, 4, 12), (16, 8, 17)])
def test_flex_store_prepare(tmp_path: Path, p: int, raw_pixels: int, addr_width: int) -> None:
    parameters = {"P": p, "RawPixels": raw_pixels, "AddrWidth": addr_width}
    env = {"P": str(p), "RAW_PIXELS": str(raw_pixels), "ADDR_WIDTH": str(addr_width)}
    assert simulate("flex_store_prepare", tmp_path, parameters, env=env) == 6
