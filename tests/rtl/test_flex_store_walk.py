# SPDX-License-Identifier: Apache-2.0
"""flex_store_walk for several buffer widths, beats and planes per half."""

from pathlib import Path

import pytest

from sim.runner import simulate
from sim.store_program import Shape

pytestmark = pytest.mark.rtl


@pytest.mark.parametrize(
    ("m", "p", "n", "data_bytes"),
    [(8, 4, 8, 64), (16, 3, 4, 16), (4, 7, 16, 16), (8, 16, 4, 64), (8, 1, 16, 32)],
)
def test_flex_store_walk(tmp_path: Path, m: int, p: int, n: int, data_bytes: int) -> None:
    shape = Shape(m=m, p=p, n=n, data_bytes=data_bytes, out_words=256)
    parameters = {
        "P": p,
        "BeatPixels": shape.beat_pixels,
        "PlanesPerHalf": shape.planes_per_half,
        "OutWords": shape.out_words,
        "RawPixels": shape.raw_pixels,
        "PoolPixels": shape.pool_pixels,
    }
    env = {
        "M": str(m),
        "P": str(p),
        "N": str(n),
        "DATA_BYTES": str(data_bytes),
        "OUT_WORDS": str(shape.out_words),
    }
    assert simulate("flex_store_walk", tmp_path, parameters, env=env) == 10
