# SPDX-License-Identifier: Apache-2.0
"""flex_requantize with blocks as wide as an output word, wider and narrower."""

from pathlib import Path

import pytest

from sim.runner import simulate

pytestmark = pytest.mark.rtl


@pytest.mark.parametrize(
    ("m", "p", "n", "q", "param_passes", "output_phases"),
    [
        (8, 4, 8, 2, 4, True),
        (16, 3, 4, 4, 2, True),
        (4, 2, 16, 1, 8, True),
        (8, 1, 8, 8, 1, True),
        (4, 1, 8, 2, 1, False),
    ],
)
def test_flex_requantize(
    tmp_path: Path, m: int, p: int, n: int, q: int, param_passes: int, output_phases: bool
) -> None:
    parameters = {
        "M": m,
        "P": p,
        "N": n,
        "Q": q,
        "AccWidth": 32,
        "ParamPasses": param_passes,
        "OutAddrWidth": 8,
        "OutputPhases": int(output_phases),
    }
    env = {
        "M": str(m),
        "P": str(p),
        "N": str(n),
        "Q": str(q),
        "ACC_WIDTH": "32",
        "PARAM_PASSES": str(param_passes),
        "OUT_ADDR_WIDTH": "8",
        "OUTPUT_PHASES": str(int(output_phases)),
    }
    assert simulate("flex_requantize", tmp_path, parameters, env=env) == 3
