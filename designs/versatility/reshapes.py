# SPDX-License-Identifier: Apache-2.0
"""Measures what reshaping layers of few channels gains, on chains of layers of E-Net."""

from collections.abc import Sequence
from dataclasses import dataclass

from designs.versatility.chains import Square, chain, pixels
from designs.versatility.figures import Gain, ReshapeFigures
from designs.versatility.harness import TARGET, Job, array_of, common_accelerator, run
from flexcc import dse
from flexcc.progress import Progress
from flexcc.targets.device import load_device

__all__ = ["CHAINS", "Chain", "measure_reshapes"]

_ARRAY = (16, 4, 16)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """Neighbouring layers `name` of E-Net, and what happens to them."""

    name: str
    reshape: str
    source: tuple[int, int, int]
    squares: tuple[Square, ...]


CHAINS = (
    Chain(
        name="init.conv",
        reshape="kernel elements in lanes",
        source=(3, 288, 288),
        squares=(Square(name="init.conv", kernel=3, outputs=13, stride=2),),
    ),
    Chain(
        name="5.0.c1, 5.0.t2, 5.0.c3",
        reshape="space to depth",
        source=(64, 72, 72),
        squares=(
            Square(name="5.0.c1", kernel=1, outputs=4),
            Square(name="5.0.t2", kernel=3, outputs=4, stride=2, transposed=True),
            Square(name="5.0.c3", kernel=1, outputs=16),
        ),
    ),
    Chain(
        name="5.1.c1, 5.1.c2, 5.1.c3",
        reshape="space to depth",
        source=(16, 144, 144),
        squares=(
            Square(name="5.1.c1", kernel=1, outputs=4),
            Square(name="5.1.c2", kernel=3, outputs=4),
            Square(name="5.1.c3", kernel=1, outputs=16),
        ),
    ),
    Chain(
        name="fullconv",
        reshape="phases as channels",
        source=(16, 144, 144),
        squares=(Square(name="fullconv", kernel=2, outputs=3, stride=2, transposed=True),),
    ),
)
"""Those of the table, in its order."""


def measure_reshapes(progress: Progress, chains: Sequence[Chain] = CHAINS) -> ReshapeFigures:
    """Runs `chains` as they are and reshaped in the simulated RTL and compares every byte.

    One accelerator, whose buffers suit all of `CHAINS`, serves every run.

    Raises:
        MismatchError: a byte differs from the reference.
    """
    progress.step("mapping chains of layers")
    jobs = {item.name: _jobs(item) for item in CHAINS}
    accelerator = common_accelerator(job for pair in jobs.values() for job in pair)
    gains = []
    for item in chains:
        plain, reshaped = (run(job, accelerator, progress) for job in jobs[item.name])
        gains.append(Gain(name=item.name, reshape=item.reshape, plain=plain, reshaped=reshaped))
    return ReshapeFigures(array=array_of(accelerator), chains=tuple(gains))


def _jobs(item: Chain) -> tuple[Job, Job]:
    return _job(item, wanted=False), _job(item, wanted=True)


def _job(item: Chain, *, wanted: bool) -> Job:
    """The chain as it is, or as the explorer reshapes it."""
    graph = chain(item.name, item.source, item.squares, seed=1)
    exploration = dse.explore(
        graph,
        load_device(TARGET),
        _ARRAY,
        tuple(dse.Reshape) if wanted else (),
        without=() if wanted else (dse.Technique.LAYOUT,),
    )
    (image,) = exploration.graph.pack_inputs({"x": pixels(graph, seed=2)}).values()
    name = f"{item.name}, reshaped" if wanted else item.name
    return Job(name=name, exploration=exploration, image=image)
