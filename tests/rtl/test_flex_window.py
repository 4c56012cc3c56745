# SPDX-License-Identifier: Apache-2.0
"""flex_window with one and with several pixels a beat, with 9 taps and 1, packed or not."""

from pathlib import Path

import pytest

from sim.runner import simulate

pytestmark = pytest.mark.rtl


@pytest.mark.parametrize(
    ("pixel_bytes", "beat_bytes", "taps", "packed", "slopes", "line_beats", "channels"),
    [
        (8, 64, 9, True, True, 16, 64),
        (4, 8, 9, False, False, 32, 16),
        (16, 16, 9, True, False, 8, 64),
        (8, 32, 1, True, True, 4, 32),
    ],
)
def test_flex_window(
    tmp_path: Path,
    pixel_bytes: int,
    beat_bytes: int,
    taps: int,
    packed: bool,
    slopes: bool,
    line_beats: int,
    channels: int,
) -> None:
    parameters = {
        "N": pixel_bytes,
        "DataBytes": beat_bytes,
        "Taps": taps,
        "Packed": int(packed),
        "Slopes": int(slopes),
        "LineBeats": line_beats,
        "Channels": channels,
    }
    env = {
        "N": str(pixel_bytes),
        "DATA_BYTES": str(beat_bytes),
        "TAPS": str(taps),
        "SLOPES": str(int(slopes)),
        "LINE_BEATS": str(line_beats),
        "CHANNELS": str(channels),
    }
    assert simulate("flex_window", tmp_path, parameters, env=env) == 14
