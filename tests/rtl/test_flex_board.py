# SPDX-License-Identifier: Apache-2.0
"""flex_board: the network of digits, sent, run and fetched over the pins of its serial line."""

from pathlib import Path

import pytest

from sim.runner import simulate
from tests.board import board_parameters, compile_mnist, write_job

pytestmark = pytest.mark.rtl


def test_flex_board(tmp_path: Path) -> None:
    build = compile_mnist(tmp_path / "build")
    job = tmp_path / "job"
    write_job(build, job)

    env = {"BOARD_JOB": str(job)}
    assert simulate("flex_board", tmp_path, board_parameters(build), env=env) == 2

    cycles = int((job / "cycles.txt").read_text())
    # One port of memory for all is slower than a port for each, but answers sooner.
    assert 11_000 < cycles < 14_000
