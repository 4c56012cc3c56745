# SPDX-License-Identifier: Apache-2.0
"""flex_ring_slicer with words shorter than, as long as and longer than beats."""

from pathlib import Path

import pytest

from sim.runner import simulate

pytestmark = pytest.mark.rtl


@pytest.mark.parametrize(("beat_bytes", "word_bytes"), [(32, 4), (16, 16), (8, 64)])
def test_flex_ring_slicer(tmp_path: Path, beat_bytes: int, word_bytes: int) -> None:
    parameters = {"DataBytes": beat_bytes, "WordBytes": word_bytes}
    env = {"DATA_BYTES": str(beat_bytes), "WORD_BYTES": str(word_bytes)}
    assert simulate("flex_ring_slicer", tmp_path, parameters, env=env) == 7
