# SPDX-License-Identifier: Apache-2.0
"""flex_requantize with blocks as wide as an output word, wider and narrower."""

from pathlib import Path

import pytest

from sim.runner import simulate

pytestmark = pytest.mark.rtl


@pytest.mark.parametrize(
    ("m", "p", "n", "q", "param_passes", "output_phases", "slopes", "wide", "bend_cycles"),
    [
        (8, 4, 8, 2, 4, True, False, False, 0),
        (8, 4, 8, 2, 4, True, True, True, 0),
        (8, 2, 8, 2, 4, True, True, False, 14),
        (4, 2, 8, 2, 4, True, True, True, 14),
        (16, 3, 4, 4, 2, True, False, True, 0),
        (4, 2, 16, 1, 8, True, True, False, 0),
        (8, 1, 8, 8, 1, True, False, False, 0),
        (4, 1, 8, 2, 1, False, False, False, 0),
    ],
)
def test_flex_requantize(
    tmp_path: Path,
    m: int,
    p: int,
    n: int,
    q: int,
    param_passes: int,
    output_phases: bool,
    slopes: bool,
    wide: bool,
    bend_cycles: int,
) -> None:
    parameters = {
        "M": m,
        "P": p,
        "N": n,
        "Q": q,
        "AccWidth": 40 if wide else 32,
        "ParamPasses": param_passes,
        "OutAddrWidth": 8,
        "OutputPhases": int(output_phases),
        "Slopes": int(slopes),
        "Wide": int(wide),
        "BendCycles": bend_cycles,
    }
    env = {
        "M": str(m),
        "P": str(p),
        "N": str(n),
        "Q": str(q),
        "ACC_WIDTH": "40" if wide else "32",
        "PARAM_PASSES": str(param_passes),
        "OUT_ADDR_WIDTH": "8",
        "OUTPUT_PHASES": str(int(output_phases)),
        "SLOPES": str(int(slopes)),
        "WIDE_BLOCKS": str(int(wide)),
        "BEND_CYCLES": str(bend_cycles),
    }
    assert simulate("flex_requantize", tmp_path, parameters, env=env) == 3
