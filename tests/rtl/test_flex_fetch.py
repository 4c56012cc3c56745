# SPDX-License-Identifier: Apache-2.0
"""flex_fetch with one word a beat and with several."""

from pathlib import Path

import pytest

from sim.runner import simulate

pytestmark = pytest.mark.rtl


@pytest.mark.parametrize(("beat_bytes", "sums"), [(8, False), (32, True), (128, True)])
def test_flex_fetch(tmp_path: Path, beat_bytes: int, sums: bool) -> None:
    parameters = {"DataBytes": beat_bytes, "Sums": int(sums)}
    env = {"DATA_BYTES": str(beat_bytes), "SUMS": str(int(sums))}
    assert simulate("flex_fetch", tmp_path, parameters, env=env) == 20 + sums
