# SPDX-License-Identifier: Apache-2.0
"""flex_fetch with one word a beat and with several, with window layers and without."""

from pathlib import Path

import pytest

from sim.runner import simulate

pytestmark = pytest.mark.rtl


@pytest.mark.parametrize(
    ("beat_bytes", "sums", "channel_words"), [(8, False, 6), (32, True, 0), (128, True, 4)]
)
def test_flex_fetch(tmp_path: Path, beat_bytes: int, sums: bool, channel_words: int) -> None:
    parameters = {
        "DataBytes": beat_bytes,
        "Sums": int(sums),
        "WindowChannelWords": channel_words,
    }
    env = {
        "DATA_BYTES": str(beat_bytes),
        "SUMS": str(int(sums)),
        "WINDOW_CHANNEL_WORDS": str(channel_words),
    }
    assert simulate("flex_fetch", tmp_path, parameters, env=env) == 20 + sums
