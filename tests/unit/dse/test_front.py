# SPDX-License-Identifier: Apache-2.0
"""Explored designs: the front, objectives, limits, bounds, and the words that explain them."""

import json
import random
import re
from dataclasses import replace

import pytest

from flexcc.dse.explain import layer_reasons
from flexcc.dse.front import Front, explore_front
from flexcc.dse.latency import START_CYCLES
from flexcc.dse.memory import bytes_per_cycle
from flexcc.dse.objective import Limit, Limits, Objective
from flexcc.dse.placement import place_design
from flexcc.dse.shapes import all_shapes
from flexcc.dse.solution import estimate, shared_cycles
from flexcc.errors import DoesNotFitError, InputError
from flexcc.front_text import front_files, front_rows, reasons_text
from flexcc.ir.graph import Graph
from flexcc.targets import load_device
from tests.networks import random_network

ZCU104 = load_device("zcu104")
GOALS = (Objective.THROUGHPUT, Objective.AREA, Objective.EFFICIENCY)


@pytest.fixture(scope="module")
def graph() -> Graph:
    return random_network(random.Random(5), 4)


@pytest.fixture(scope="module")
def front(graph: Graph) -> Front:
    return explore_front(graph, ZCU104)


def test_the_best_is_the_fastest_but_for_a_fiftieth(front: Front) -> None:
    fastest = min(design.cycles for design in front.designs)
    assert fastest <= front.best.cycles <= 1.02 * fastest
    near = [design for design in front.designs if design.cycles <= 1.02 * fastest]
    assert front.best.dsp == min(design.dsp for design in near)


def test_no_design_outdoes_one_of_the_front(front: Front) -> None:
    assert len(front.front) > 1
    for design in front.front:
        assert not [
            other
            for other in front.designs
            if other.interval < design.interval and other.dsp <= design.dsp
        ]


def test_no_design_undercuts_its_bound(front: Front) -> None:
    for design in front.designs:
        assert design.cycles >= design.bound.cycles
        assert design.estimate.cycles >= design.bound.array
        assert design.gap >= 0
        assert front.bound is not None
        assert design.solution.cost >= front.bound
        # All layers together keep no engine busier than the sum of their own busiest ones.
        assert design.bound.layers >= design.bound.cycles - START_CYCLES


def test_designs_keep_their_limits(graph: Graph) -> None:
    limits = Limits(dsp=Limit.parse("20%"), bram36=Limit.parse("60"), ddr_banks=1, clock_mhz=150.0)
    found = explore_front(graph, ZCU104, limits=limits)
    for design in found.designs:
        assert design.dsp <= 0.2 * ZCU104.dsp
        assert design.bram36 <= 60
        assert design.lut is not None
        assert design.ff is not None
        assert design.dsp < design.lut < design.ff
        assert design.clock_mhz == 150.0
    carried = bytes_per_cycle(limits.device(ZCU104), 150.0)
    assert carried == 16
    best = found.best
    # One port at a time has the channel; engines hide most of that.
    assert 1 <= best.cycles / shared_cycles(best.estimate.stages, carried) < 1.05


def test_objectives_differ(graph: Graph, front: Front) -> None:
    found = {goal: explore_front(graph, ZCU104, objective=goal, effort=6).best for goal in GOALS}
    assert found[Objective.THROUGHPUT].copies > 1
    assert found[Objective.THROUGHPUT].interval < front.best.interval
    assert found[Objective.AREA].dsp < front.best.dsp
    assert found[Objective.EFFICIENCY].efficiency >= front.best.efficiency


def test_the_smallest_that_is_fast_enough(graph: Graph, front: Front) -> None:
    allowed = 3 * front.best.milliseconds
    limits = Limits(max_ms=allowed)
    best = explore_front(graph, ZCU104, objective=Objective.AREA, limits=limits, effort=6).best
    assert best.milliseconds <= allowed
    assert best.dsp < front.best.dsp


def test_no_smaller_array_is_fast_enough(graph: Graph) -> None:
    fastest = explore_front(graph, ZCU104, limits=Limits(dsp=Limit.parse("9%")), cores=1).best
    limits = Limits(dsp=Limit.parse("9%"), max_ms=1.5 * fastest.milliseconds)
    best = explore_front(graph, ZCU104, objective=Objective.AREA, limits=limits, cores=1).best
    keys = []
    shapes = all_shapes(limits.device(ZCU104), sums=True, taps=0)
    for array in {(shape.m, shape.p, shape.n) for shape in shapes}:
        try:
            alone = explore_front(graph, ZCU104, limits=limits, array=array, cores=1)
        except DoesNotFitError:
            continue
        keys += [design.key(Objective.AREA) for design in alone.designs]
    assert len(keys) > 2
    assert best.key(Objective.AREA) <= 1.02 * min(keys)


def test_exploring_repeats_itself(graph: Graph, front: Front) -> None:
    again = explore_front(graph, ZCU104)
    assert list(front_rows(again, every=True)) == list(front_rows(front, every=True))


def test_memory_is_shared_by_stages_one_after_the_other(front: Front) -> None:
    stages = estimate(front.best.solution).stages
    assert shared_cycles(stages, float("inf")) == sum(stage.cycles for stage in stages)
    total = sum(stage.traffic.total for stage in stages)
    assert shared_cycles(stages, 1e-3) == pytest.approx(total * 1e3)
    u250 = load_device("u250")
    assert bytes_per_cycle(u250, 300.0) == pytest.approx(4 * 64 * 0.85)
    assert bytes_per_cycle(u250, 200.0) == 4 * 64
    assert bytes_per_cycle(replace(u250, memory_channels=1), 600.0) == pytest.approx(64 * 0.425)


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (Limits(max_ms=1e-6), r"nothing on zcu104 is fast enough: the fastest of \d+ designs"),
        (
            Limits(dsp=Limit.parse("8")),
            (
                r"no array fits: multipliers: \d+ needed for the smallest, 8 within the limits on "
                "zcu104; raise --max-dsp or choose a larger device"
            ),
        ),
        (
            Limits(bram36=Limit.parse("2")),
            (
                r"nothing fits on zcu104, of \d+ arrays tried:\n  array \d+,\d+,\d+: block RAM: "
                r"\d+ needed for the smallest buffers, 1 available on zcu104; choose a smaller arr"
            ),
        ),
    ],
)
def test_why_nothing_fits(graph: Graph, limits: Limits, message: str) -> None:
    with pytest.raises(DoesNotFitError) as caught:
        explore_front(graph, ZCU104, limits=limits)
    assert re.match(message, str(caught.value)), str(caught.value)
    assert len(str(caught.value).splitlines()) <= 10


def test_more_banks_than_there_are() -> None:
    with pytest.raises(InputError, match="zcu104 has 4 memory channels, not 5; ask for at most 4"):
        Limits(ddr_banks=5).device(ZCU104)


@pytest.mark.parametrize("text", ["0", "-1", "101%", "0%", "x", "5.5"])
def test_limits_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"out of range|invalid literal"):
        Limit.parse(text)


def test_the_explanation_names_every_decision(front: Front) -> None:
    reasons = layer_reasons(front.best, 3)
    assert len(reasons) == min(3, len(front.best.estimate.stages))
    placement = place_design(front.best, ZCU104.memory_channels)
    text = reasons_text(
        front,
        reasons,
        device=ZCU104,
        objective=Objective.LATENCY,
        model="model",
        placement=placement,
    )
    lines = text.splitlines()
    assert len(lines) < 25
    a = front.best.solution.accelerator
    assert re.match(
        rf"model on zcu104 for latency: .* of {a.m},{a.p},{a.n}.*, [\d,]+ cyc", lines[0]
    )
    assert re.fullmatch(r"\d+ arrays looked at, \d+ mapped, \d+ without a legal mapping", lines[1])
    assert re.fullmatch(
        r"bound of this array's engines: [\d,]+ cycles of \w+; gap [\d.]+%", lines[2]
    )
    assert re.fullmatch(
        r"bound of all arrays by closed forms: [\d,]+ cycles; least found [\d,]+, "
        r"gap [\d.]+%; this design [\d,]+",
        lines[3],
    )
    assert re.fullmatch(
        r"next best: .*: [+-][\d,]+ cycles, [+-][\d,]+ DSP, [+-][\d,]+ BRAM36", lines[4]
    )
    assert re.fullmatch(
        r"with each tensor whole in one of 4 memory channels: "
        r"[\d,]+ cycles \(CP-SAT; bound [\d,]+\)",
        lines[5],
    )
    layer = (
        r"  \S+ +[\d,]+ cycles, \w+ works [\d,]+; tiles \d+x\d+, (next \d+x\d+: [+][\d,]+|no .*)"
    )
    for line, reason in zip(lines[7:], reasons, strict=False):
        assert re.fullmatch(layer, line), line
        assert (reason.other is None) == (reason.other_cycles is None)
    assert lines[-1].startswith(f"build it: flexcc ... --target zcu104 --array {a.m},{a.p},{a.n}")


def test_files_of_a_front(front: Front) -> None:
    files = front_files(front, "because <of it>", "a & b")
    assert set(files) == {"designs.csv", "designs.json", "front.svg", "front.html"}
    records = json.loads(files["designs.json"])["designs"]
    assert [record["cycles"] for record in records] == [design.cycles for design in front.designs]
    assert [record["kind"] for record in records].count("best") == 1
    rows = files["designs.csv"].decode().splitlines()
    assert len(rows) == 1 + len(records)
    svg = files["front.svg"].decode()
    assert svg.count("<circle") == len(records)
    assert "a &amp; b" in svg
    page = files["front.html"].decode()
    assert svg in page
    assert "because &lt;of it&gt;" in page
    assert front_files(front, "because <of it>", "a & b") == files
