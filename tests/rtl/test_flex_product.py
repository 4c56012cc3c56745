# SPDX-License-Identifier: Apache-2.0
"""flex_product for the factors of requantisers and sums, in one part and in two."""

from pathlib import Path

import pytest

from sim.runner import simulate

pytestmark = pytest.mark.rtl


@pytest.mark.parametrize(
    ("a", "b", "split"),
    [(27, 18, 0), (27, 18, 1), (27, 8, 1), (25, 8, 0), (25, 8, 1), (25, 12, 1), (18, 18, 1)],
)
def test_flex_product(tmp_path: Path, a: int, b: int, split: int) -> None:
    env = {"A": str(a), "B": str(b), "SPLIT": str(split)}
    assert simulate("flex_product", tmp_path, {"A": a, "B": b, "Split": split}, env=env) == 1
