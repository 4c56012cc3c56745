# SPDX-License-Identifier: Apache-2.0
"""The explorer against chance: 2,000 random legal mappings, none of them faster."""

import random

import pytest

from designs.whole.exploration import network_graph, stored
from flexcc.dse import Reshape
from flexcc.dse.array_bounds import Needs
from flexcc.dse.buffers import largest_buffers
from flexcc.dse.forms import Forms
from flexcc.dse.front import explore_front
from flexcc.dse.memory import bytes_per_cycle
from flexcc.dse.shapes import all_shapes, share_of
from flexcc.dse.solution import Solution, assemble, board_cycles, estimate
from flexcc.dse.space import first_shortage, legal_modes
from flexcc.dse.tile_search import Candidate, TileSearch, choices_of
from flexcc.errors import DoesNotFitError
from flexcc.ir.graph import Graph
from flexcc.program.formats import MAX_CORES
from flexcc.targets import Device, load_device
from flexcc.tiles import Stage, tiling
from tests.networks import random_network

_ARRAYS, _OF_EACH = 50, 40
_SEED = 1


def _cycles(solution: Solution, device: Device) -> int:
    """As those of designs: in the queues of the board's memory channels."""
    return round(board_cycles(solution, estimate(solution).stages, device.memory_channels))


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
            cycles.append(_cycles(solution, device))
    return cycles


def _random_tiles(search: TileSearch, stage: Stage, choose: random.Random) -> Candidate | None:
    """Legal tiles of a random size in a random weight mode; None if a few trials find none."""
    a, lists = search.accelerator, search.lists_of(stage)
    modes = legal_modes(lists, weight_words=a.weight_words, param_passes=a.param_passes)
    choices = list(choices_of(stage, a, lists))
    for _ in range(50):
        width, heights = choose.choice(choices)
        cut = tiling(
            stage,
            a,
            tile_rows=choose.choice(heights),
            tile_cols=width,
            bundle=lists.taps.bundle,
            lists=lists,
        )
        mode = choose.choice(modes)
        if first_shortage(cut, mode) is None:
            return search.candidate(cut, mode)
    return None


def _best_of_random(graph: Graph, target: str, seed: int, most: float) -> tuple[float, int]:
    """The least cycles of 2,000 random mappings, if below `most`, and how many were played.

    Arrays that take longer for the products alone are counted and not played.
    """
    choose = random.Random(seed)
    device = load_device(target)
    carried = bytes_per_cycle(device, device.clock_mhz)
    networks = [
        forms
        for reshapes in ((), tuple(Reshape))
        for forms in Forms(
            graph, reshapes, device.memory_bytes, keep_zeros=False, without=()
        ).alternatives()
    ]
    shapes = [
        (cores, shape)
        for cores in range(1, MAX_CORES + 1)
        for shape in networks[0].shapes(share_of(device, cores))
    ]
    least, counted, played = most, 0, 0
    while counted < _ARRAYS * _OF_EACH:
        cores, shape = choose.choice(shapes)
        forms = choose.choice(networks)
        if Needs(forms, float("inf")).bound(shape, cores) >= most:
            counted += _OF_EACH
            continue
        share = share_of(device, cores)
        shape = forms.given_shape((shape.m, shape.p, shape.n), share)
        form = forms.graph(m=shape.m, p=shape.p, n=shape.n)
        stages = forms.stages(form)
        try:
            search = TileSearch(largest_buffers(stages, shape, share, cores), carried)
        except DoesNotFitError:
            continue
        for _ in range(_OF_EACH):
            counted += 1
            tiles = [_random_tiles(search, stage, choose) for stage in stages]
            legal = [item for item in tiles if item is not None]
            if len(legal) == len(tiles):
                played += 1
                solution = assemble(form, shape, search.accelerator, legal, carried)
                least = min(least, _cycles(solution, device))
    return least, played


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
    (found,) = (
        item.cycles for item in stored() if (item.network, item.target) == (network, target)
    )
    least, played = _best_of_random(network_graph(network), target, _SEED, float(found))
    assert played, f"seed {_SEED}: no array is large enough"
    assert least >= found, f"seed {_SEED}: {played} of 2,000 mappings played"


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
