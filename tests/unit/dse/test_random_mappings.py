# SPDX-License-Identifier: Apache-2.0
"""The explorer against chance: 2,000 random legal mappings, none of them faster."""

import random

import pytest

from designs.design import load_design
from flexcc.driver import integer_graph
from flexcc.dse import Reshape
from flexcc.dse.buffers import largest_buffers
from flexcc.dse.forms import Forms
from flexcc.dse.front import explore_front
from flexcc.dse.memory import bytes_per_cycle
from flexcc.dse.shapes import all_shapes, share_of
from flexcc.dse.solution import assemble, estimate, shared_cycles
from flexcc.dse.tile_search import TileSearch
from flexcc.errors import DoesNotFitError
from flexcc.ir.graph import Graph
from flexcc.options import SourceOptions
from flexcc.targets import load_device
from tests.networks import random_network

_ARRAYS, _OF_EACH = 50, 40


def _random_cycles(graph: Graph, target: str, cores: int, seed: int) -> list[float]:
    """Cycles of random mappings: arrays, forms of the network, tiles and weight modes."""
    choose = random.Random(seed)
    device = load_device(target)
    share, carried = share_of(device, cores), bytes_per_cycle(device, device.clock_mhz)
    plain, packed = (
        Forms(graph, reshapes, device.memory_bytes, keep_zeros=False, without=())
        for reshapes in ((), tuple(Reshape))
    )
    shapes = list(all_shapes(share, sums=plain.sums, taps=0))
    cycles: list[float] = []
    while len(cycles) < _ARRAYS * _OF_EACH:
        shape = choose.choice(shapes)
        form = choose.choice((plain, packed)).graph(m=shape.m, p=shape.p, n=shape.n)
        stages = plain.stages(form)
        try:
            search = TileSearch(largest_buffers(stages, shape, share, cores), carried)
        except DoesNotFitError:
            continue
        choices = [list(search.every(stage)) for stage in stages]
        if not all(choices):
            continue
        for _ in range(_OF_EACH):
            tiles = [choose.choice(every) for every in choices]
            solution = assemble(form, shape, search.accelerator, tiles, carried)
            cycles.append(shared_cycles(estimate(solution).stages, carried))
    return cycles


def _check(graph: Graph, target: str, cores: int, seed: int) -> None:
    found = explore_front(graph, load_device(target), tuple(Reshape), cores=cores)
    cycles = _random_cycles(graph, target, cores, seed)
    assert len(cycles) == 2000
    assert min(design.cycles for design in found.designs) <= min(cycles)
    # Chance is no straw man: it comes close to what is found.
    assert min(cycles) < 2 * found.best.cycles


@pytest.mark.parametrize(("seed", "target", "cores"), [(3, "zcu104", 1), (8, "ulx3s-85f", 1)])
def test_no_random_mapping_is_faster(seed: int, target: str, cores: int) -> None:
    _check(random_network(random.Random(seed), 3), target, cores, seed)


@pytest.mark.parametrize("target", ["ulx3s-85f", "u250"])
def test_none_of_mnist_conv_is_faster(target: str) -> None:
    model = load_design("mnist_conv_u250").folder / "model.onnx"
    graph = integer_graph(SourceOptions(model=model, random_calibration=True))
    _check(graph, target, 1, seed=1)
