# SPDX-License-Identifier: Apache-2.0
"""Measures single layers, as tap lists and with inserted zeros, on one simulated accelerator."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from designs.versatility.chains import pixels
from designs.versatility.figures import Comparison, ZerosFigures
from designs.versatility.harness import TARGET, Job, array_of, common_accelerator, run
from designs.versatility.layers import LAYERS, Kind, SingleLayer, network
from flexcc import dse
from flexcc.dse.insert_zeros import insert_zeros, stuff, stuff_inputs
from flexcc.ir import Graph
from flexcc.progress import Progress
from flexcc.targets.device import load_device

__all__ = ["measure_zeros"]

_ARRAY = (4, 8, 8)


def measure_zeros(progress: Progress, layers: Sequence[SingleLayer] = LAYERS) -> ZerosFigures:
    """Runs `layers` both ways in the simulated RTL and compares every byte.

    The zeros of transposed layers lie in memory from the start, inserting them costs no cycles.
    One accelerator, whose buffers suit all of `LAYERS`, serves every run.

    Raises:
        MismatchError: a byte differs from the reference.
    """
    progress.step("mapping single layers")
    jobs = {layer: _jobs(layer) for layer in LAYERS}
    accelerator = common_accelerator(job for pair in jobs.values() for job in pair)
    comparisons = []
    for layer in layers:
        taps, zeros = (run(job, accelerator, progress) for job in jobs[layer])
        comparisons.append(Comparison(name=layer.name, shape=layer.shape, taps=taps, zeros=zeros))
    return ZerosFigures(array=array_of(accelerator), layers=tuple(comparisons))


def _jobs(layer: SingleLayer) -> tuple[Job, Job]:
    """The layer as tap lists, and with the zeros inserted."""
    graph = network(layer)
    image = pixels(graph, seed=2)
    stuffed = image
    if layer.kind is Kind.TRANSPOSED:
        quantization = graph.tensors["x"].quantization
        assert quantization is not None
        stuffed = stuff(image, (layer.step, layer.step), quantization.zero_point)
    baseline = stuff_inputs(insert_zeros(graph))
    return (
        _job(layer.name, graph, image),
        _job(f"{layer.name}, zeros inserted", baseline, stuffed, keep_zeros=True),
    )


def _job(name: str, graph: Graph, image: NDArray[np.int8], *, keep_zeros: bool = False) -> Job:
    exploration = dse.explore(graph, load_device(TARGET), _ARRAY, keep_zeros=keep_zeros)
    return Job(name=name, exploration=exploration, image=image)
