# SPDX-License-Identifier: Apache-2.0
"""The explorer against chance: 2,000 random legal mappings, none of them faster."""

import random
from dataclasses import replace

import pytest

from designs.whole.chance import cycles_of, draw, stored
from designs.whole.exploration import network_graph
from flexcc.dse import Reshape
from flexcc.dse.buffers import largest_buffers
from flexcc.dse.forms import Forms
from flexcc.dse.front import explore_front
from flexcc.dse.memory import bytes_per_cycle
from flexcc.dse.shapes import all_shapes, share_of
from flexcc.dse.solution import assemble
from flexcc.dse.tile_search import TileSearch
from flexcc.errors import DoesNotFitError
from flexcc.ir.graph import Graph
from flexcc.targets import load_device
from tests.networks import random_network

_ARRAYS, _OF_EACH = 50, 40
_SEED = 1


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
            cycles.append(cycles_of(solution, device))
    return cycles


@pytest.mark.parametrize(
    ("network", "target"),
    [
        ("mnist_conv_u250", "ulx3s-85f"),
        pytest.param("vgg16", "u250", marks=pytest.mark.slow),
        pytest.param("unet", "u250", marks=pytest.mark.slow),
        pytest.param("resnet50", "u250", marks=pytest.mark.slow),
        pytest.param("openpose", "u250", marks=pytest.mark.slow),
        pytest.param("enet", "u250", marks=pytest.mark.slow),
        pytest.param("enet", "ulx3s-85f", marks=pytest.mark.slow),
    ],
)
def test_none_of_a_whole_network_is_faster(network: str, target: str) -> None:
    """Against the stored exploration, on any array, number of cores and form."""
    found = draw(network, target)
    assert found.legal >= 40, "chance has no array"
    assert found.least is not None
    assert found.least >= found.explored
    known = {(item.network, item.target): item for item in stored()}
    assert replace(found, seconds=known[network, target].seconds) == known[network, target]


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
    graph = network_graph("mnist_conv_u250")
    _check(graph, target, 1, seed=1)
