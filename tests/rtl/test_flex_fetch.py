# SPDX-License-Identifier: Apache-2.0
"""flex_fetch with one word a beat and with several."""

from pathlib import Path

import pytest

from sim.runner import simulate

pytestmark = pytest.mark.rtl


@pytest.mark.parametrize("beat_bytes", [8, 32, 128])
def test_flex_fetch(tmp_path: Path, beat_bytes: int) -> None:
    parameters = {"DataBytes": beat_bytes}
    env = {"DATA_BYTES": str(beat_bytes)}
    assert simulate("flex_fetch", tmp_path, parameters, env=env) == 20
