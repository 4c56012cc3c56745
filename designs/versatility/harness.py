# SPDX-License-Identifier: Apache-2.0
"""Maps small networks to arrays and runs them in the simulated RTL, every byte compared."""

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from designs.versatility.figures import Array, Run
from flexcc import dse
from flexcc.accelerator import Accelerator
from flexcc.backend.planner import build_plan
from flexcc.build import Build
from flexcc.errors import MismatchError
from flexcc.execute import verify
from flexcc.ir.layers import Convolution
from flexcc.ir.macs import useful_macs
from flexcc.options import Executor
from flexcc.progress import Progress

__all__ = ["TARGET", "Job", "array_of", "common_accelerator", "run"]

TARGET = "u250"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Job:
    """A mapped network of one input, and what that holds: [C, H, W], packed as it shall lie."""

    name: str
    exploration: dse.Exploration
    image: NDArray[np.int8]

    @property
    def accelerator(self) -> Accelerator:
        """The accelerator that suits this network alone."""
        return self.exploration.mapping.accelerator


def common_accelerator(jobs: Iterable[Job]) -> Accelerator:
    """The accelerator for all jobs: with the deepest buffers of theirs and the most drain chains.

    More of either leaves a mapping legal. Raises ValueError when the arrays differ.
    """
    first, *others = (job.accelerator for job in jobs)
    depths = ("q", "act_words", "weight_words", "param_passes", "out_words", "list_entries")
    for other in others:
        first = replace(first, **{n: max(getattr(first, n), getattr(other, n)) for n in depths})
        if any(
            getattr(first, field.name) != getattr(other, field.name)
            for field in fields(Accelerator)
            if field.name not in depths
        ):
            raise ValueError(f"the accelerators have different arrays: {first}, {other}")
    return first


def array_of(accelerator: Accelerator) -> Array:
    """The array of an accelerator."""
    a = accelerator
    return Array(m=a.m, p=a.p, n=a.n, q=a.q)


def run(job: Job, accelerator: Accelerator, progress: Progress) -> Run:
    """Runs a job on `accelerator` in the simulated RTL.

    Raises:
        MismatchError: a byte differs from the reference.
    """
    graph = job.exploration.graph
    mapping = replace(job.exploration.mapping, accelerator=accelerator)
    build = Build(
        model=job.name,
        target=TARGET,
        graph=graph,
        mapping=mapping,
        plan=build_plan(graph, mapping),
    )
    (port,) = graph.inputs
    progress.step(job.name)
    found = verify(build, {port.tensor: job.image[None]}, Executor.RTL, Progress(), optimise=True)
    if not found.verification.equal or found.cycles is None:
        raise MismatchError(f"{job.name}: {found.verification.first_difference}")
    return Run(
        products=sum(
            useful_macs(graph, layer) for layer in graph.layers if isinstance(layer, Convolution)
        ),
        estimated=job.exploration.estimate.cycles,
        measured=found.cycles,
        compared_bytes=found.verification.compared_bytes,
    )
