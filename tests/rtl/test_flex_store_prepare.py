# SPDX-License-Identifier: Apache-2.0
"""flex_store_prepare for one bank, an odd number of banks and a power of two."""

from pathlib import Path

import pytest

from sim.runner import simulate

pytestmark = pytest.mark.rtl


@pytest.mark.parametrize(
    ("p", "raw_pixels", "beat_pixels", "addr_width"),
    [(1, 1, 4, 10), (7, 4, 16, 12), (16, 8, 8, 17)],
)
def test_flex_store_prepare(
    tmp_path: Path, p: int, raw_pixels: int, beat_pixels: int, addr_width: int
) -> None:
    parameters = {
        "P": p,
        "RawPixels": raw_pixels,
        "BeatPixels": beat_pixels,
        "PoolPixels": min(p, 4),
        "AddrWidth": addr_width,
    }
    env = {
        "P": str(p),
        "BEAT_PIXELS": str(beat_pixels),
        "ADDR_WIDTH": str(addr_width),
    }
    assert simulate("flex_store_prepare", tmp_path, parameters, env=env) == 7
