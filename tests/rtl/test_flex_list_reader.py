# SPDX-License-Identifier: Apache-2.0
"""flex_list_reader at two list memory sizes."""

from pathlib import Path

import pytest

from sim.runner import simulate

pytestmark = pytest.mark.rtl


@pytest.mark.parametrize("entries", [32, 512])
def test_flex_list_reader(tmp_path: Path, entries: int) -> None:
    env = {"LIST_ENTRIES": str(entries)}
    assert simulate("flex_list_reader", tmp_path, {"ListEntries": entries}, env=env) == 5
