# SPDX-License-Identifier: Apache-2.0
"""Ports that share memory channels wait for each other; runs take as long as they do simulated."""

import pytest

from designs.whole.board import BOARDS, stored
from flexcc.dse.contention import Channels, StageBeats, beat_wait, contended_cycles
from flexcc.dse.latency import TileCycles, TileWork, timeline
from tests.networks import ACCELERATORS

ACCELERATOR = ACCELERATORS[0]
FOUR = Channels(number=4, rate=0.85)


def test_a_port_alone_gets_what_one_channel_gives() -> None:
    assert beat_wait(1000, 1000, cycles=2000, channels=FOUR) == pytest.approx(1 / 0.85)


def test_the_beats_of_others_are_waited_for() -> None:
    # 1,000 beats of others in 1,000 cycles keep each of 4 channels busy with 0.25 beats a cycle.
    assert beat_wait(1000, 2000, cycles=1000, channels=FOUR) == pytest.approx(1 / 0.6)
    assert beat_wait(1000, 90_000, cycles=1000, channels=FOUR) == pytest.approx(4 / 0.85)


def _works(**changes: int) -> list[TileWork]:
    cycles = {"load": 100, "skip": 0, "array": 100, "first_weights": 0, "weights": 0, "store": 10}
    tile = TileCycles(**{**cycles, "halves": 1, **changes})
    return [TileWork(stage=0, cycles=tile, waits=(0,)) for _ in range(50)]


def _contended(works: list[TileWork], load: int, store: int) -> float:
    beats = StageBeats(load=load, skip=0, weights=0, store=store)
    return contended_cycles(works, timeline(works, ACCELERATOR), ACCELERATOR, [beats], FOUR)


def test_engines_that_do_not_move_a_beat_a_cycle_lose_nothing() -> None:
    works = _works(array=400)
    alone = max(timeline(works, ACCELERATOR))
    assert _contended(works, 50 * 100, 50 * 10) == pytest.approx(alone, rel=0.005)


def test_a_load_that_is_the_longest_takes_its_beats_waits() -> None:
    works = _works(load=1000, array=10)
    alone, shared = max(timeline(works, ACCELERATOR)), _contended(works, 50 * 1000, 0)
    assert shared == pytest.approx(alone / 0.85, rel=0.02)
    more = _contended(works, 50 * 1000, 50 * 500)
    assert more > 1.1 * shared


@pytest.mark.parametrize("network", BOARDS)
def test_whole_boards_take_what_they_are_estimated_to(network: str) -> None:
    figures = stored(network)
    assert abs(figures.estimated / figures.cycles - 1) <= 0.05
