# SPDX-License-Identifier: Apache-2.0
"""The cheapest choice of 8 or 16 bits per tensor that keeps a signal-to-noise ratio per output.

Tensors that share a scale are chosen together. A layer that reads 16 bits takes twice the cycles,
so what 16 bits cost is the multiplications that read them. Noises of tensors add up, nearly: what
each makes of the outputs alone says which tensors to give 8 bits first, those with the least noise
for their cost. How many, bisection finds, for whole assignments are simulated, too; of the rest,
the costliest that still seem to fit follow.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flexcc.frontend.simulate import Simulation
from flexcc.ir.graph import Graph
from flexcc.ir.layers import Convolution
from flexcc.ir.macs import useful_macs
from flexcc.ir.types import Quantization
from flexcc.quantization.precision import can_be_wide
from flexcc.quantization.scales import shared_tensors

__all__ = ["Assignment", "TensorChoice", "decibels", "search"]

Floats = NDArray[np.float32]
Sample = Mapping[str, Floats]
Group = tuple[str, ...]
Scales = Callable[[Mapping[str, int]], Mapping[str, Quantization]]
"""The quantisation of every tensor for these bits."""

# The weights' own noise is there at 16 bits, too: within this of it nothing is to be gained.
_ABOVE_WEIGHTS_DB = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorChoice:
    """The bits of tensors that share a scale, what they cost, and why.

    `macs` are the multiplications that read them. `alone_db` is the signal-to-noise ratio of
    `output`, the one that suffers most, when only they have 8 bits.
    """

    tensors: tuple[str, ...]
    bits: int
    macs: int
    output: str
    alone_db: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """Bits by tensor, the choices behind them, and by output what ratio they keep.

    `widest_db` is what 16 bits for every tensor that may have them would keep.
    """

    bits: Mapping[str, int]
    choices: tuple[TensorChoice, ...]
    reached_db: Mapping[str, float]
    widest_db: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Problem:
    """What assignments are judged by: mean squares by output, over all samples."""

    simulation: Simulation
    samples: Sequence[Sample]
    expected: Sequence[Sample]
    scales: Scales

    def outputs(self, bits: Mapping[str, int]) -> list[dict[str, Floats]]:
        """The outputs of every sample."""
        scales = self.scales(bits)
        return [self.simulation.run(sample, scales) for sample in self.samples]

    def noise(self, bits: Mapping[str, int]) -> dict[str, float]:
        """What is between the outputs and those of the float model."""
        return _difference(self.outputs(bits), self.expected)


def search(
    graph: Graph,
    samples: Sequence[Sample],
    expected: Sequence[Sample],
    scales: Scales,
    target_db: float,
) -> Assignment:
    """Chooses the bits of the tensors of a lowered float graph.

    Args:
        graph: the float graph with the weights that its integer form has.
        samples: inputs [1,C,H,W] by tensor, one mapping for each sample.
        expected: the outputs of the float model for them.
        scales: the quantisation of every tensor for given bits.
        target_db: what to keep at every output.
    """
    groups = shared_tensors(graph)
    wide = can_be_wide(graph)
    problem = _Problem(
        simulation=Simulation(graph, _written(graph, groups)),
        samples=samples,
        expected=expected,
        scales=scales,
    )
    open_ = [group for group in groups if group[0] in wide]
    widest = {tensor: 16 if tensor in wide else 8 for tensor in graph.tensors}
    signal = _difference(expected, [_zeros(sample) for sample in expected])
    floor = problem.noise(widest)
    allowed = {
        output: max(signal[output] / 10 ** (target_db / 10), noise * 10 ** (_ABOVE_WEIGHTS_DB / 10))
        for output, noise in floor.items()
    }
    clean = problem.outputs(widest)
    alone = {
        group: _difference(problem.outputs({**widest, **dict.fromkeys(group, 8)}), clean)
        for group in open_
    }
    costs = {group: _cost(graph, group) for group in open_}
    order = sorted(
        open_,
        key=lambda group: _burden(alone[group], allowed) / (costs[group] + _size(graph, group)),
    )
    count = _most(problem, widest, order, allowed)
    bits = _narrowed(widest, order[:count])
    reached = problem.noise(bits)
    more = _fitting(order[count:], costs, alone, reached, allowed)
    if more:
        further = _narrowed(bits, more)
        noise = problem.noise(further)
        if _keeps(noise, allowed):
            bits, reached = further, noise
    choices = []
    for group in open_:
        output = max(alone[group], key=lambda name: _share(alone[group][name], allowed[name]))
        choices.append(
            TensorChoice(
                tensors=group,
                bits=bits[group[0]],
                macs=costs[group],
                output=output,
                alone_db=decibels(signal[output], alone[group][output]),
            )
        )
    return Assignment(
        bits=bits,
        choices=tuple(choices),
        reached_db={output: decibels(signal[output], noise) for output, noise in reached.items()},
        widest_db={output: decibels(signal[output], noise) for output, noise in floor.items()},
    )


def decibels(signal: float, noise: float) -> float:
    """The ratio of two mean squares, 200 at the most."""
    return float(10 * np.log10(max(signal, 1e-300) / max(noise, signal * 1e-20, 1e-300)))


def _most(
    problem: _Problem,
    widest: Mapping[str, int],
    order: Sequence[Group],
    allowed: Mapping[str, float],
) -> int:
    """How many groups of the order may have 8 bits; bisection, for noise grows with them."""
    good, bad = 0, len(order) + 1
    while bad - good > 1:
        middle = (good + bad) // 2
        if _keeps(problem.noise(_narrowed(widest, order[:middle])), allowed):
            good = middle
        else:
            bad = middle
    return good


def _fitting(
    rest: Sequence[Group],
    costs: Mapping[Group, int],
    alone: Mapping[Group, Mapping[str, float]],
    reached: Mapping[str, float],
    allowed: Mapping[str, float],
) -> list[Group]:
    """Groups whose noises fit into what is left, the costliest first."""
    result, noise = list[Group](), dict(reached)
    for group in sorted(rest, key=lambda each: -costs[each]):
        sums = {output: value + alone[group][output] for output, value in noise.items()}
        if costs[group] and _keeps(sums, allowed):
            result.append(group)
            noise = sums
    return result


def _narrowed(bits: Mapping[str, int], groups: Sequence[Group]) -> dict[str, int]:
    narrow = {tensor for group in groups for tensor in group}
    return {tensor: 8 if tensor in narrow else own for tensor, own in bits.items()}


def _keeps(noise: Mapping[str, float], allowed: Mapping[str, float]) -> bool:
    return all(noise[output] <= limit for output, limit in allowed.items())


def _written(graph: Graph, groups: Sequence[tuple[str, ...]]) -> list[str]:
    """The tensors to round: all but those that only move what is rounded already."""
    group_of = {tensor: group for group in groups for tensor in group}
    moved = {
        layer.output
        for layer in graph.layers
        if all(group_of[name] is group_of[layer.output] for name in layer.inputs)
    }
    return [tensor for tensor in graph.tensors if tensor not in moved]


def _cost(graph: Graph, group: Sequence[str]) -> int:
    return sum(
        useful_macs(graph, layer)
        for layer in graph.layers
        if isinstance(layer, Convolution) and layer.inputs[0] in group
    )


def _size(graph: Graph, group: Sequence[str]) -> int:
    """Elements of all tensors: what 16 bits cost where nothing multiplies."""
    kinds = [graph.tensors[tensor] for tensor in group]
    return sum(kind.channels * kind.height * kind.width for kind in kinds)


def _burden(noise: Mapping[str, float], allowed: Mapping[str, float]) -> float:
    return max(_share(noise[output], limit) for output, limit in allowed.items())


def _share(noise: float, limit: float) -> float:
    return noise / max(limit, 1e-300)


def _difference(first: Sequence[Sample], second: Sequence[Sample]) -> dict[str, float]:
    """The mean square by output between two runs over the same samples."""
    return {
        name: float(
            np.mean(
                [
                    np.square(a[name].astype(np.float64) - b[name]).mean()
                    for a, b in zip(first, second, strict=True)
                ]
            )
        )
        for name in first[0]
    }


def _zeros(sample: Sample) -> dict[str, Floats]:
    return {name: np.zeros_like(values) for name, values in sample.items()}
