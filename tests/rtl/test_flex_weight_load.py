# SPDX-License-Identifier: Apache-2.0
"""flex_weight_load with ring words shorter than, as long as and longer than beats."""

from pathlib import Path

import pytest

from sim.runner import simulate

pytestmark = pytest.mark.rtl

# Rows, lanes, chains, bytes of a beat, words and passes of the rings, record bytes, cocotb tests.
CASES = [
    (8, 8, 2, 64, 64, 4, 16, 23),  # weights 64 bytes, parameters 32
    (4, 4, 1, 64, 32, 2, 16, 24),  # weights 16, parameters 16
    (16, 16, 4, 32, 16, 8, 32, 23),  # weights 256, parameters 128
    (4, 2, 4, 8, 128, 2, 16, 23),  # weights 8, parameters 64: one word a pass
]


@pytest.mark.parametrize(
    (
        "rows",
        "lanes",
        "chains",
        "beat_bytes",
        "weight_words",
        "param_passes",
        "record_bytes",
        "tests",
    ),
    CASES,
)
def test_flex_weight_load(
    tmp_path: Path,
    rows: int,
    lanes: int,
    chains: int,
    beat_bytes: int,
    weight_words: int,
    param_passes: int,
    record_bytes: int,
    tests: int,
) -> None:
    parameters = {
        "M": rows,
        "N": lanes,
        "Q": chains,
        "DataBytes": beat_bytes,
        "WeightWords": weight_words,
        "ParamPasses": param_passes,
        "RecordBytes": record_bytes,
    }
    env = {
        "M": str(rows),
        "N": str(lanes),
        "Q": str(chains),
        "DATA_BYTES": str(beat_bytes),
        "WEIGHT_WORDS": str(weight_words),
        "PARAM_PASSES": str(param_passes),
        "RECORD_BYTES": str(record_bytes),
    }
    assert simulate("flex_weight_load", tmp_path, parameters, env=env) == tests
