# SPDX-License-Identifier: Apache-2.0
"""Whole networks in the simulated RTL: every byte, and the cycles that are stored."""

from dataclasses import replace
from typing import Any

import pytest

from designs.trained import whole as trained
from designs.trained.models import VARIABLE
from designs.whole.board import BOARDS
from designs.whole.board import measure as measure_board
from designs.whole.board import stored as stored_board
from designs.whole.cores import SHARED, measure_shared, stored_shared
from designs.whole.exploration import explore
from designs.whole.exploration import stored as stored_explorations
from designs.whole.networks import WHOLE, load_whole, measure, stored_report
from designs.whole.verified import Verified
from flexcc.progress import Progress


@pytest.mark.slow
@pytest.mark.rtl
@pytest.mark.parametrize("name", WHOLE)
def test_whole_network(name: str) -> None:
    _check(measure(load_whole(name), Progress()), stored_report(name), "designs.whole.networks")


def _check(found: Verified, guard: dict[str, Any], module: str) -> None:
    remedy = f"run `python -m {module}`, `python -m designs.results` and review what changes"
    assert found.compared_bytes == guard["verify"]["rtl"]["compared_bytes"]
    assert found.cycles == pytest.approx(guard["cycles"]["measured"], rel=0.002), remedy


def _with_model(name: str) -> Any:
    """A network, skipped where its model is not at hand."""
    reason = f"{name}.onnx is neither in models/ nor in ${VARIABLE}"
    return pytest.param(name, marks=pytest.mark.skipif(not trained.at_hand(name), reason=reason))


@pytest.mark.slow
@pytest.mark.rtl
@pytest.mark.parametrize("name", [_with_model(name) for name in trained.RUNS])
def test_trained_network(name: str) -> None:
    found = trained.measure(trained.load_run(name), Progress())
    _check(found, trained.stored_report(name), "designs.trained.whole")


@pytest.mark.slow
@pytest.mark.rtl
@pytest.mark.parametrize("name", SHARED)
def test_cores_share_an_image(name: str) -> None:
    _, *stored = stored_shared(name)
    assert list(measure_shared(load_whole(name), Progress())) == stored


@pytest.mark.slow
@pytest.mark.rtl
@pytest.mark.parametrize("name", BOARDS)
def test_cores_share_a_memory(name: str) -> None:
    assert measure_board(name, Progress()) == stored_board(name)


def test_an_exploration_finds_what_is_stored() -> None:
    """Of the smallest network; all but the time repeats itself."""
    [stored] = [item for item in stored_explorations() if item.network == "mnist_conv_u250"]
    assert replace(explore(stored.network, stored.target), seconds=stored.seconds) == stored
