# SPDX-License-Identifier: Apache-2.0
"""flex_on_chip_ram: one bank and several, more words than a power of two, up to four readers."""

from pathlib import Path

import pytest

from sim.runner import simulate

pytestmark = pytest.mark.rtl


@pytest.mark.parametrize(
    ("data_bytes", "words", "banks", "readers", "writers"),
    [(64, 96, 2, 2, 1), (16, 100, 1, 1, 1), (16, 140, 4, 4, 2), (32, 120, 4, 3, 3)],
)
def test_flex_on_chip_ram(
    tmp_path: Path, data_bytes: int, words: int, banks: int, readers: int, writers: int
) -> None:
    parameters = {
        "DataBytes": data_bytes,
        "Words": words,
        "Banks": banks,
        "Readers": readers,
        "Writers": writers,
    }
    env = {
        "DATA_BYTES": str(data_bytes),
        "WORDS": str(words),
        "READERS": str(readers),
        "WRITERS": str(writers),
    }
    assert simulate("flex_on_chip_ram", tmp_path, parameters, env=env) == 5
