# SPDX-License-Identifier: Apache-2.0
"""flex_systolic_array: packed and not, P odd, N from 4 to 32, drains of one row to all rows."""

from pathlib import Path

import pytest

from sim.runner import simulate

pytestmark = pytest.mark.rtl

SHAPES = [
    # M, P, N, Q, Packed, AccWidth, Wide
    (8, 4, 8, 2, 1, 32, 0),
    (4, 3, 16, 4, 1, 40, 1),
    (16, 1, 4, 1, 0, 32, 1),
    (8, 5, 4, 8, 0, 32, 0),
    (4, 2, 32, 1, 1, 32, 0),
]


def environment(
    m: int, p: int, n: int, q: int, packed: int, acc_width: int, wide: int
) -> dict[str, str]:
    values = {"M": m, "P": p, "N": n, "Q": q, "PACKED": packed, "ACC_WIDTH": acc_width}
    values["WIDE"] = wide
    return {name: str(value) for name, value in values.items()}


def parameters(
    m: int, p: int, n: int, q: int, packed: int, acc_width: int, wide: int
) -> dict[str, int]:
    return {"M": m, "P": p, "N": n, "Q": q, "Packed": packed, "AccWidth": acc_width, "Wide": wide}


@pytest.mark.parametrize("shape", SHAPES)
def test_flex_systolic_array(
    tmp_path: Path, shape: tuple[int, int, int, int, int, int, int]
) -> None:
    env = environment(*shape)
    assert simulate("flex_systolic_array", tmp_path, parameters(*shape), env=env) == 6


def test_flex_systolic_array_complains_about_early_blocks(tmp_path: Path) -> None:
    env = environment(*SHAPES[0]) | {"TOO_EARLY": "1"}
    with pytest.raises(AssertionError, match="LastStepsApart"):
        simulate("flex_systolic_array", tmp_path, parameters(*SHAPES[0]), env=env)
