# SPDX-License-Identifier: Apache-2.0
"""Explorations of whole networks: how long they take, and how close to its bound the best comes.

`python -m designs.whole.exploration [NETWORK...]` explores those of `CASES` (default: all) and
writes `exploration.json` beside this file.
"""

import json
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console

from designs.design import FOLDER
from designs.models import NETWORKS, write_network
from flexcc.console import progress
from flexcc.driver import integer_graph
from flexcc.dse import Reshape
from flexcc.dse.front import explore_front
from flexcc.ir.graph import Graph
from flexcc.options import SourceOptions
from flexcc.progress import Progress
from flexcc.targets import load_device

__all__ = ["CASES", "Exploration", "explore", "main", "network_graph", "section", "stored"]

CASES = (
    *((name, "u250") for name in ("enet", "unet", "openpose", "vgg16", "resnet50")),
    *((name, "ulx3s-85f") for name in ("mnist_conv_u250", "enet")),
)
"""Networks and boards."""
_STORED = Path(__file__).with_name("exploration.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Exploration:
    """The design that is best for latency, and the processor seconds that finding it took.

    `closed` is the sum of its stages' closed forms, `least` the least found for tiles on any array,
    and none is below `bound`. No mapping on its array takes fewer cycles than `engines`, those of
    the `busiest`.
    """

    network: str
    target: str
    seconds: float
    arrays: int
    mapped: int
    cores: int
    array: tuple[int, int, int]
    cycles: int
    closed: int
    least: int
    bound: int
    engines: int
    busiest: str


def network_graph(network: str) -> Graph:
    """The integer graph of a network of designs/."""
    with tempfile.TemporaryDirectory() as folder:
        model = FOLDER / network / "model.onnx"
        if network in NETWORKS:
            model = Path(folder) / f"{network}.onnx"
            write_network(network, model)
        return integer_graph(SourceOptions(model=model, random_calibration=True))


def explore(network: str, target: str) -> Exploration:
    """Explores a network of designs/ on a board; one process, one thread."""
    graph = network_graph(network)
    begin = time.process_time()
    front = explore_front(graph, load_device(target), tuple(Reshape))
    seconds = time.process_time() - begin
    best = front.best
    assert front.bound is not None, "latency has a bound"
    assert front.least is not None
    a = best.solution.accelerator
    return Exploration(
        network=network,
        target=target,
        seconds=round(seconds, 1),
        arrays=front.shapes,
        mapped=len(front.designs),
        cores=best.cores,
        array=(a.m, a.p, a.n),
        cycles=best.cycles,
        closed=round(best.solution.cost),
        least=round(front.least),
        bound=round(front.bound),
        engines=round(best.bound.cycles),
        busiest=best.bound.engine,
    )


def stored() -> tuple[Exploration, ...]:
    """What the last exploration wrote."""
    return tuple(
        Exploration(**{**item, "array": tuple(item["array"])})
        for item in json.loads(_STORED.read_text())
    )


def section() -> str:
    """The section of docs/results.md."""
    rows = "\n".join(_row(item) for item in stored())
    return f"""\
## Explorations

`flexcc explore` for latency, everything else left to it: seconds of one processor from the integer
graph to the best design. The search minimises the sum of closed forms: `least` is the least found,
no tiles on any array within the limits make it less than the bound, and the gap is between these.
The cycles are those of the timeline, which decides between designs that are nearly as good;
`closed` is the sum of the design that it decides for. Of all arrays few are mapped. No
mapping of the design's own array takes fewer of them than its busiest engine, or the memory, works.
`python -m designs.whole.exploration` repeats it.

| network | board | seconds | of arrays | design | cycles, closed | least, bound | gap | busiest |
|---|---|---|---|---|---|---|---|---|
{rows}
"""


def _row(item: Exploration) -> str:
    shape = " x ".join(map(str, item.array))
    return (
        f"| {item.network} | {item.target} | {item.seconds} | {item.arrays:,}, {item.mapped} "
        f"| {item.cores} of {shape} | {item.cycles:,}, {item.closed:,} "
        f"| {item.least:,}, {item.bound:,} | {item.least / item.bound - 1:.1%} "
        f"| {item.engines:,} {item.busiest} |"
    )


def main(reports: Progress, networks: Sequence[str] = ()) -> None:
    """Explores the cases of `networks`, or all, and keeps what came of it."""
    known = {(item.network, item.target): item for item in stored()} if networks else {}
    for network, target in CASES:
        if not networks or network in networks:
            reports.step(f"exploring {network} on {target}")
            known[network, target] = explore(network, target)
    found = [asdict(known[case]) for case in CASES]
    _STORED.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    with progress(Console(stderr=True), wanted=True) as reports_:
        main(reports_, sys.argv[1:])
