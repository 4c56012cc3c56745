# SPDX-License-Identifier: Apache-2.0
"""flex_vsa at three array shapes: packed and not, P odd, N below and above M."""

from pathlib import Path

import pytest

from sim.runner import simulate

pytestmark = pytest.mark.rtl


@pytest.mark.parametrize(
    ("m", "p", "n", "q", "packed", "weight_words"),
    [(8, 4, 8, 2, 1, 64), (4, 3, 16, 4, 1, 32), (8, 5, 4, 1, 0, 64)],
)
def test_flex_vsa(
    tmp_path: Path, m: int, p: int, n: int, q: int, packed: int, weight_words: int
) -> None:
    sizes = {"M": m, "P": p, "N": n, "Q": q}
    parameters = sizes | {
        "Packed": packed,
        "ActWords": 64,
        "WeightWords": weight_words,
        "ListEntries": 64,
    }
    env = {name: str(value) for name, value in sizes.items()} | {
        "PACKED": str(packed),
        "ACT_WORDS": "64",
        "WEIGHT_WORDS": str(weight_words),
    }
    assert simulate("flex_vsa", tmp_path, parameters, env=env) == 4
