# SPDX-License-Identifier: Apache-2.0
"""flex_load_prepare with more and with fewer banks than pixels of a beat, and with one pixel."""

from pathlib import Path

import pytest

from sim.runner import simulate

pytestmark = pytest.mark.rtl


@pytest.mark.parametrize(
    ("banks", "pixel_bytes", "beat_bytes", "act_words", "wide"),
    [(7, 4, 32, 128, 0), (3, 4, 128, 256, 1), (5, 32, 32, 128, 0)],
)
def test_flex_load_prepare(
    tmp_path: Path, banks: int, pixel_bytes: int, beat_bytes: int, act_words: int, wide: int
) -> None:
    parameters = {"P": banks, "N": pixel_bytes, "DataBytes": beat_bytes, "Wide": wide}
    env = {
        "P": str(banks),
        "N": str(pixel_bytes),
        "DATA_BYTES": str(beat_bytes),
        "ACT_WORDS": str(act_words),
        "WIDE": str(wide),
    }
    assert simulate("flex_load_prepare", tmp_path, parameters, env=env) == 5
