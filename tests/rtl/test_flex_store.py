# SPDX-License-Identifier: Apache-2.0
"""flex_store for beats of 1 to 16 pixels and blocks wider and narrower than an output word."""

from pathlib import Path

import pytest

from sim.runner import simulate

pytestmark = pytest.mark.rtl


@pytest.mark.parametrize(
    ("m", "p", "n", "data_bytes", "output_phases"),
    [
        (8, 4, 8, 64, True),
        (16, 3, 4, 16, True),
        (4, 7, 16, 16, True),
        (8, 16, 4, 64, True),
        (8, 1, 32, 128, True),
        (16, 7, 8, 128, True),
        (4, 4, 16, 64, False),
    ],
)
def test_flex_store(
    tmp_path: Path, m: int, p: int, n: int, data_bytes: int, output_phases: bool
) -> None:
    out_words = 256
    parameters = {
        "M": m,
        "P": p,
        "N": n,
        "DataBytes": data_bytes,
        "OutWords": out_words,
        "OutputPhases": int(output_phases),
    }
    env = {
        "M": str(m),
        "P": str(p),
        "N": str(n),
        "DATA_BYTES": str(data_bytes),
        "OUT_WORDS": str(out_words),
        "OUTPUT_PHASES": str(int(output_phases)),
    }
    # Without phases there are neither such tiles nor wrong numbers of phases.
    tests = 23 if output_phases else 18
    assert simulate("flex_store", tmp_path, parameters, env=env) == tests
