# SPDX-License-Identifier: Apache-2.0
"""flex_load with more and fewer banks than pixels of a beat, powers of two and others."""

from pathlib import Path

import pytest

from sim.runner import simulate

pytestmark = pytest.mark.rtl


@pytest.mark.parametrize(
    ("banks", "pixel_bytes", "beat_bytes", "act_words", "column_phases", "cores", "wide"),
    [
        (4, 8, 64, 256, 4, 1, 1),
        (3, 16, 64, 256, 4, 2, 0),
        (7, 4, 32, 128, 2, 4, 1),
        (1, 4, 16, 512, 4, 3, 0),
        (16, 8, 64, 128, 3, 1, 0),
        (5, 32, 32, 128, 4, 4, 0),
    ],
)
def test_flex_load(
    tmp_path: Path,
    banks: int,
    pixel_bytes: int,
    beat_bytes: int,
    act_words: int,
    column_phases: int,
    cores: int,
    wide: int,
) -> None:
    parameters = {
        "P": banks,
        "N": pixel_bytes,
        "DataBytes": beat_bytes,
        "ActWords": act_words,
        "ColumnPhases": column_phases,
        "Cores": cores,
        "Wide": wide,
    }
    env = {
        "P": str(banks),
        "N": str(pixel_bytes),
        "DATA_BYTES": str(beat_bytes),
        "ACT_WORDS": str(act_words),
        "COLUMN_PHASES": str(column_phases),
        "CORES": str(cores),
        "WIDE": str(wide),
    }
    assert simulate("flex_load", tmp_path, parameters, env=env) == 21
