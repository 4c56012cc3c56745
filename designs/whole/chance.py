# SPDX-License-Identifier: Apache-2.0
"""The explorer against chance: random legal mappings of whole networks, none of them faster.

`python -m designs.whole.chance [NETWORK...]` draws those of the networks that are explored
(default: all) and writes `chance.json` beside this file.
"""

import json
import random
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console

from designs.whole import exploration
from designs.whole.exploration import CASES, network_graph
from flexcc.console import progress
from flexcc.dse import Reshape
from flexcc.dse.array_bounds import Needs
from flexcc.dse.buffers import largest_buffers
from flexcc.dse.forms import Forms
from flexcc.dse.latency import REQUEST_CYCLES, array_latency, stage_passes
from flexcc.dse.memory import bytes_per_cycle
from flexcc.dse.shapes import share_of
from flexcc.dse.solution import Solution, assemble, board_cycles, estimate
from flexcc.dse.space import first_shortage, legal_modes
from flexcc.dse.tile_search import Candidate, TileSearch, choices_of
from flexcc.dse.traffic import pixel_groups, stage_traffic
from flexcc.errors import DoesNotFitError
from flexcc.program.formats import MAX_CORES
from flexcc.progress import Progress
from flexcc.targets import Device, load_device
from flexcc.tiles import Stage, tiling

__all__ = ["Chance", "cycles_of", "draw", "main", "section", "stored"]

_DRAWN, _OF_EACH = 2000, 40
"""Mappings, and how many of them on each array."""
_TRIES = 50
_SEED = 1
_STORED = Path(__file__).with_name("chance.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Chance:
    """The least cycles of random mappings, and of the design that was explored.

    Of those drawn `legal` are legal and on arrays that are not slower than the design for the
    products alone, and `played` those whose engines' work leaves them a chance to be the least.
    None is the least if there are none.
    """

    network: str
    target: str
    seconds: float
    drawn: int
    legal: int
    played: int
    least: int | None
    explored: int


def cycles_of(solution: Solution, device: Device) -> int:
    """As those of designs: in the queues of the board's memory channels."""
    return round(board_cycles(solution, estimate(solution).stages, device.memory_channels))


def _random_tiles(search: TileSearch, stage: Stage, choose: random.Random) -> Candidate | None:
    """Legal tiles of a random size in a random weight mode; None if a few trials find none."""
    a, lists = search.accelerator, search.lists_of(stage)
    modes = legal_modes(lists, weight_words=a.weight_words, param_passes=a.param_passes)
    choices = list(choices_of(stage, a, lists))
    for _ in range(_TRIES):
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


def _at_least(tiles: Sequence[Candidate], carried: float) -> float:
    """Cycles that memory needs for the bytes of these tiles, or the arrays for their steps.

    Of a single core those of every engine, and of both halves of the buffers in turn.
    """
    moved = sum(stage_traffic(item.tiling, item.group.weights).total for item in tiles)
    a = tiles[0].tiling.accelerator
    steps = 0
    engines = dict.fromkeys(("load", "skip", "weights", "store", "window", "output"), 0.0)
    for item in tiles:
        cut, own = item.tiling, item.cycles
        groups = cut.rows.grid * pixel_groups(cut.cols, a.p)
        steps += groups * stage_passes(cut.lists, a).steps
        count = len(cut.rows) * len(cut.cols)
        held = count * len(cut.lists.groups) * array_latency(a)
        engines["load"] += own.load
        engines["skip"] += own.skip
        engines["weights"] += own.weights
        engines["store"] += own.store
        engines["window"] += (own.load + count * REQUEST_CYCLES) / 2
        engines["output"] += (own.array + own.store + held) / 2
    alone = max(engines.values()) if a.cores == 1 else 0.0
    return max(moved / carried, steps / a.cores, alone)


def draw(network: str, target: str) -> Chance:
    """Draws arrays, cores, forms of the network, tiles and weight modes."""
    (explored,) = (
        item.cycles
        for item in exploration.stored()
        if (item.network, item.target) == (network, target)
    )
    begin = time.process_time()
    choose, device = random.Random(_SEED), load_device(target)
    graph, carried = network_graph(network), bytes_per_cycle(device, device.clock_mhz)
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
    least: int | None = None
    drawn = legal = played = 0
    while drawn < _DRAWN:
        cores, shape = choose.choice(shapes)
        forms = choose.choice(networks)
        if Needs(forms, float("inf")).bound(shape, cores) >= explored:
            drawn += _OF_EACH
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
            drawn += 1
            tiles = [_random_tiles(search, stage, choose) for stage in stages]
            found = [item for item in tiles if item is not None]
            if len(found) < len(tiles):
                continue
            legal += 1
            if least is None or _at_least(found, carried) < least:
                played += 1
                solution = assemble(form, shape, search.accelerator, found, carried)
                # Ports that wait for each other make nothing faster.
                if least is None or solution.cycles < least:
                    cycles = cycles_of(solution, device)
                    least = cycles if least is None else min(least, cycles)
    return Chance(
        network=network,
        target=target,
        seconds=round(time.process_time() - begin, 1),
        drawn=drawn,
        legal=legal,
        played=played,
        least=least,
        explored=explored,
    )


def stored() -> tuple[Chance, ...]:
    """What the last drawing wrote."""
    return tuple(Chance(**item) for item in json.loads(_STORED.read_text()))


def section() -> str:
    """The section of docs/results.md."""
    rows = "\n".join(_row(item) for item in stored())
    return f"""\
### Against chance

Random mappings of the same networks: an array and a number of cores of all within the limits, a
form of the network, and for each stage tiles of any size and weight modes, legal ones. Left out are
arrays that take longer than the explored design for the products alone, and stages for which
{_TRIES} draws find nothing legal; played are those none of whose engines works too long already.
`python -m designs.whole.chance` repeats it.

| network | board | drawn | legal | played | least cycles | explored | seconds |
|---|---|---|---|---|---|---|---|
{rows}
"""


def _row(item: Chance) -> str:
    least = "" if item.least is None else f"{item.least:,} (x {item.least / item.explored:.2f})"
    return (
        f"| {item.network} | {item.target} | {item.drawn:,} | {item.legal:,} | {item.played:,} "
        f"| {least} | {item.explored:,} | {item.seconds} |"
    )


def main(reports: Progress, networks: Sequence[str] = ()) -> None:
    """Draws mappings of `networks`, or all, and keeps what came of it."""
    known = {(item.network, item.target): item for item in stored()} if networks else {}
    for network, target in CASES:
        if not networks or network in networks:
            reports.step(f"drawing mappings of {network} on {target}")
            known[network, target] = draw(network, target)
    found = [asdict(known[case]) for case in CASES if case in known]
    _STORED.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    with progress(Console(stderr=True), wanted=True) as reports_:
        main(reports_, sys.argv[1:])
