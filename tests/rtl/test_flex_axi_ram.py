# SPDX-License-Identifier: Apache-2.0
"""flex_axi_ram: narrow and wide beats, a depth that is no power of two."""

from pathlib import Path

import pytest

from sim.runner import simulate

pytestmark = pytest.mark.rtl


@pytest.mark.parametrize(("data_bytes", "words"), [(8, 200), (32, 64)])
def test_flex_axi_ram(tmp_path: Path, data_bytes: int, words: int) -> None:
    parameters = {"DataBytes": data_bytes, "Words": words}
    env = {"DATA_BYTES": str(data_bytes), "WORDS": str(words)}
    assert simulate("flex_axi_ram", tmp_path, parameters, env=env) == 4
