# SPDX-License-Identifier: Apache-2.0
"""Measures single layers, as tap lists and with inserted zeros, on one simulated accelerator."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from designs.versatility.figures import Array, Comparison, Figures, Run
from designs.versatility.layers import LAYERS, Kind, SingleLayer, network, pixels
from flexcc import dse
from flexcc.accelerator import Accelerator
from flexcc.backend.plan import build_plan
from flexcc.build import Build
from flexcc.dse.insert_zeros import insert_zeros, stuff, stuff_inputs
from flexcc.errors import MismatchError
from flexcc.execute import verify
from flexcc.figures import useful_macs
from flexcc.ir import Graph
from flexcc.ir.layers import Convolution
from flexcc.options import Executor
from flexcc.progress import Progress
from flexcc.targets.device import load_device

__all__ = ["measure"]

_TARGET, _ARRAY = "u250", (8, 4, 8)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Job:
    """A lowered network with its mapping, and an input [C, H, W]."""

    name: str
    graph: Graph
    exploration: dse.Exploration
    image: NDArray[np.int8]

    @property
    def accelerator(self) -> Accelerator:
        return self.exploration.mapping.accelerator


def measure(progress: Progress, layers: Sequence[SingleLayer] = LAYERS) -> Figures:
    """Runs every layer both ways in the simulated RTL and compares every byte.

    The zeros of transposed layers lie in memory from the start, inserting them costs no cycles.
    One simulator serves all runs.

    Raises:
        MismatchError: a byte differs from the reference.
    """
    progress.step("mapping single layers")
    jobs = [_jobs(layer) for layer in layers]
    accelerator = _common(job.accelerator for pair in jobs for job in pair)
    comparisons = []
    for layer, (taps, zeros) in zip(layers, jobs, strict=True):
        comparisons.append(
            Comparison(
                name=layer.name,
                shape=layer.shape,
                taps=_run(taps, accelerator, progress),
                zeros=_run(zeros, accelerator, progress),
            )
        )
    a = accelerator
    return Figures(array=Array(m=a.m, p=a.p, n=a.n, q=a.q), layers=tuple(comparisons))


def _jobs(layer: SingleLayer) -> tuple[_Job, _Job]:
    """The layer as tap lists, and with the zeros inserted."""
    graph = network(layer)
    image = pixels(graph)
    baseline, stuffed = stuff_inputs(insert_zeros(graph)), image
    if layer.kind is Kind.TRANSPOSED:
        quantization = graph.tensors["x"].quantization
        assert quantization is not None
        stuffed = stuff(image, (layer.step, layer.step), quantization.zero_point)
    return (
        _job(layer.name, graph, image),
        _job(f"{layer.name}, zeros inserted", baseline, stuffed),
    )


def _job(name: str, graph: Graph, image: NDArray[np.int8]) -> _Job:
    lowered = dse.lower(graph)
    exploration = dse.explore(lowered, load_device(_TARGET), _ARRAY)
    return _Job(name=name, graph=lowered, exploration=exploration, image=image)


def _common(accelerators: Iterable[Accelerator]) -> Accelerator:
    """The accelerator with the deepest buffers of several that differ in nothing else."""
    first, *others = accelerators
    depths = ("act_words", "weight_words", "param_passes", "out_words", "list_entries")
    for other in others:
        first = replace(first, **{n: max(getattr(first, n), getattr(other, n)) for n in depths})
        rest = {f.name for f in fields(Accelerator)} - set(depths)
        different = [name for name in rest if getattr(first, name) != getattr(other, name)]
        if different:
            raise ValueError(f"the accelerators differ in {sorted(different)}: {first}, {other}")
    return first


def _run(job: _Job, accelerator: Accelerator, progress: Progress) -> Run:
    mapping = replace(job.exploration.mapping, accelerator=accelerator)
    build = Build(
        model=job.name,
        target=_TARGET,
        graph=job.graph,
        mapping=mapping,
        plan=build_plan(job.graph, mapping),
    )
    (port,) = job.graph.inputs
    progress.step(job.name)
    found = verify(build, {port.tensor: job.image[None]}, Executor.RTL, progress)
    if not found.verification.equal or found.cycles is None:
        raise MismatchError(f"{job.name}: {found.verification.first_difference}")
    return Run(
        products=sum(
            useful_macs(job.graph, layer)
            for layer in job.graph.layers
            if isinstance(layer, Convolution)
        ),
        estimated=job.exploration.estimate.cycles,
        measured=found.cycles,
        compared_bytes=found.verification.compared_bytes,
    )
