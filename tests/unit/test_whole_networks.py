# SPDX-License-Identifier: Apache-2.0
"""The figures of whole networks: the page says what is stored, which keeps its promise."""

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from designs.models import NETWORKS
from designs.trained import whole as trained
from designs.trained.whole_table import section as trained_section
from designs.whole import chance, hls, simulation
from designs.whole.ablation import ABLATED, stored_ablation
from designs.whole.ablation import section as ablation_section
from designs.whole.board import BOARDS, load_board
from designs.whole.board import section as boards_section
from designs.whole.board import stored as stored_board
from designs.whole.cores import SHARED, stored_shared
from designs.whole.cores import section as cores_section
from designs.whole.exploration import CASES
from designs.whole.exploration import section as explorations_section
from designs.whole.exploration import stored as stored_explorations
from designs.whole.networks import WHOLE, Whole, load_whole, stored_report
from designs.whole.on_chip import RUNS as ON_CHIP
from designs.whole.on_chip import section as on_chip_section
from designs.whole.on_chip import stored as stored_on_chip
from designs.whole.tables import section
from flexcc.measured import ArrayCycles
from flexcc.targets import load_device

ROOT = Path(__file__).parents[2]
_TRAINED = {"mnist_conv", "enet", "unet_pupil", "centerface_512", "openpose_mobilenet_thin"}
REMEDY = "run `python -m designs.whole.networks` and `python -m designs.results`"


def test_there_are_whole_networks() -> None:
    assert "vgg16" in WHOLE
    assert set(WHOLE) <= set(NETWORKS)


def test_the_page_states_the_stored_figures() -> None:
    page = (ROOT / "docs" / "results.md").read_text()
    assert section() in page, REMEDY
    assert cores_section() in page, REMEDY
    assert boards_section() in page, REMEDY
    assert on_chip_section() in page, REMEDY
    assert explorations_section() in page, REMEDY
    assert chance.section() in page, REMEDY
    assert trained_section() in page, REMEDY
    assert hls.section() in page, "run `python -m designs.results`"
    assert ablation_section() in page, REMEDY
    assert simulation.section() in page, REMEDY


@pytest.mark.parametrize("name", SHARED)
def test_cores_scale(name: str) -> None:
    one, *shared = stored_shared(name)
    assert one.cores == 1
    assert tuple(item.cores for item in shared) == load_whole(name).cores
    for item in shared:
        assert one.cycles / item.cycles >= 0.95 * item.cores, REMEDY
        assert item.estimated == pytest.approx(item.cycles, rel=0.05)


def test_every_technique_gains() -> None:
    for name in ABLATED:
        own = [item for item in stored_ablation() if item.network == name]
        everything, *others, nothing = own
        assert all(item.estimated >= everything.estimated for item in others)
        assert nothing.estimated > 1.1 * everything.estimated
    for item in stored_ablation():
        assert item.measured == pytest.approx(item.estimated, rel=0.1)


def test_simulations_are_fast() -> None:
    simulated = simulation.stored()
    assert simulated.keys() == simulation.LIMITS.keys()
    for name, limit in simulation.LIMITS.items():
        remedy = f"run `python -m designs.results {name}/simulation`"
        assert simulated[name].processor_seconds < limit, remedy


def test_a_trained_network_runs_whole() -> None:
    assert set(trained.RUNS) >= _TRAINED | {"openpose_mobilenet_thin-auto"}


@pytest.mark.parametrize("name", [*WHOLE, *(f"trained {name}" for name in trained.RUNS)])
def test_a_network_keeps_its_promise(name: str) -> None:
    """All bytes equal, an array of 1,024 MAC a cycle or more, used no worse than said."""
    own = name.removeprefix("trained ")
    whole: Whole | trained.Run
    if own == name:
        report, whole = stored_report(own), load_whole(own)
    else:
        report, whole = trained.stored_report(own), trained.load_run(own)
    assert report["verify"]["rtl"]["equal"] is True
    array = report["array"]
    assert (array["m"], array["p"], array["n"]) == whole.array
    assert array["macs_per_cycle"] >= 1024
    assert report["mac_efficiency"]["measured"] >= whole.least, REMEDY
    assert report["cycles"]["estimated"] == pytest.approx(report["cycles"]["measured"], rel=0.1)


def test_the_hls_kernel_runs_what_the_rtl_runs() -> None:
    """Every byte at the same arrays, in the time that is promised."""
    simulated = hls.stored()
    assert set(WHOLE) | {f"trained/{name}" for name in _TRAINED} <= set(simulated)
    for name, figures in simulated.items():
        own = name.removeprefix("trained/")
        run = load_whole(own) if own == name else trained.load_run(own)
        remedy = f"run `python -m designs.results hls/{name}`"
        assert figures.array == run.array, remedy
        assert figures.compared_bytes > 0
        assert figures.run_seconds < hls.LIMITS.get(name, np.inf), remedy
    assert set(hls.LIMITS) <= set(WHOLE)


@pytest.mark.parametrize("name", WHOLE)
def test_a_goal_is_reached_or_it_is_said_why_not(name: str) -> None:
    whole = load_whole(name)
    missed = stored_report(name)["mac_efficiency"]["measured"] < whole.goal
    assert bool(whole.missed) == missed


@pytest.mark.parametrize("name", WHOLE)
def test_every_cycle_has_a_name(name: str) -> None:
    report = stored_report(name)
    cycles, run = report["cycles"]["measured"], report["run"]
    assert sum(run["array"].values()) == cycles
    for counts in run["engines"].values():
        assert sum(counts.values()) == cycles
    for field in fields(ArrayCycles):
        if field.name != "end":
            parts = (layer["measured"].get(field.name, 0) for layer in report["layers"])
            assert sum(parts) == run["array"].get(field.name, 0)


@pytest.mark.parametrize("name", BOARDS)
def test_a_board_is_fast_enough(name: str) -> None:
    """Within its goal and 80 % of the multipliers, and estimated well."""
    board, figures = load_board(name), stored_board(name)
    assert figures.cycles < board.most_cycles
    assert figures.dsp <= 0.8 * load_device(board.target).dsp
    assert figures.estimated == pytest.approx(figures.cycles, rel=0.05)


def test_explorations_take_seconds() -> None:
    found = stored_explorations()
    assert tuple((item.network, item.target) for item in found) == CASES
    for item in found:
        assert item.seconds < 30
        assert item.engines <= item.cycles
        assert item.bound <= item.least <= 1.05 * item.bound


def test_chance_finds_nothing_faster() -> None:
    found = chance.stored()
    assert tuple((item.network, item.target) for item in found) == CASES
    for item, explored in zip(found, stored_explorations(), strict=True):
        assert item.drawn == 2000
        assert item.legal
        assert item.least is not None
        assert item.least >= item.explored == explored.cycles


def test_tensors_on_chip_cost_no_cycles() -> None:
    figures = stored_on_chip()
    assert "enet" in figures
    assert set(figures) <= set(ON_CHIP)
    for found in figures.values():
        assert found.cycles <= found.before
        assert found.near > found.shared
