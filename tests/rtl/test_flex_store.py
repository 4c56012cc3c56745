# SPDX-License-Identifier: Apache-2.0
"""flex_store for beats of 1 to 16 pixels and blocks wider and narrower than an output word."""

from pathlib import Path

import pytest

from sim.runner import simulate

pytestmark = pytest.mark.rtl


@pytest.mark.parametrize(
    ("m", "p", "n", "data_bytes"),
    [
        (8, 4, 8, 64),
        (16, 3, 4, 16),
        (4, 7, 16, 16),
        (8, 16, 4, 64),
        (8, 1, 32, 128),
        (16, 7, 8, 128),
    ],
)
def test_flex_store(tmp_path: Path, m: int, p: int, n: int, data_bytes: int) -> None:
    out_words = 256
    parameters = {"M": m, "P": p, "N": n, "DataBytes": data_bytes, "OutWords": out_words}
    env = {
        "M": str(m),
        "P": str(p),
        "N": str(n),
        "DATA_BYTES": str(data_bytes),
        "OUT_WORDS": str(out_words),
    }
    assert simulate("flex_store", tmp_path, parameters, env=env) == 23
