# SPDX-License-Identifier: Apache-2.0
"""The account of the array's cycles: what is written, and what is read of it."""

from pathlib import Path

import pytest

from flexcc.measured import ArrayCycles
from sim.harness.account import RunAccount, read_account, tiles_so_far
from sim.runner import simulate


@pytest.mark.rtl
@pytest.mark.parametrize("causes", [1, 6])
def test_flex_sim_account(causes: int, tmp_path: Path) -> None:
    file = tmp_path / "written.txt"
    env = {"CAUSES": str(causes), "ACCOUNT": str(file)}
    plusargs = [f"+account={file}"]
    parameters = {"Causes": causes}
    assert simulate("flex_sim_account", tmp_path, parameters, env=env, plusargs=plusargs) == 1


def test_runs_are_read_tile_by_tile(tmp_path: Path) -> None:
    file = tmp_path / "account.txt"
    assert tiles_so_far(file) == 0
    file.write_text(
        "run\ntile 10 5 4 3 2 8 1 0\ntile 20 0 0 0 0 0 0 6\nend 0 130 0 0 0 0 0 0\n"
        "run\ntile 1 0 0 0 0 0 0 0\n"
    )
    assert tiles_so_far(file) == 3
    first = ArrayCycles(
        steps=10, records=5, window=4, weights=3, parameters=2, second=8, output=1, drain=0, end=0
    )
    second = ArrayCycles(steps=20, drain=6)
    # The second run has not ended.
    assert read_account(file) == [RunAccount(tiles=(first, second), end=ArrayCycles(end=130))]
    assert read_account(file)[0].cycles == 33 + 26 + 130


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("tile 1 2", "shorter"),
        ("till 1 2 3 4 5 6 7 8", "no line of an account"),
        ("tile a 2 3 4 5 6 7 8", "invalid literal"),
    ],
)
def test_other_lines_are_refused(line: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "account.txt"
    file.write_text(f"run\n{line}\n")
    with pytest.raises(ValueError, match=message):
        read_account(file)
