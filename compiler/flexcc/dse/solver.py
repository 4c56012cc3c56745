# SPDX-License-Identifier: Apache-2.0
"""The explorer: array shape, buffer depths and tiles for a network on a device.

Enumeration, pruned where a bound allows it, and deterministic. An array shape is judged first by a
bound (every array cycle, nothing else), the best shapes of each size then by the timeline of the
whole network, each with the tiles that suit it best.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from flexcc.dse.forms import Forms
from flexcc.dse.mapping import Mapping
from flexcc.dse.memory import bytes_per_cycle
from flexcc.dse.on_chip import most_on_chip, with_tensors_on_chip
from flexcc.dse.polish import polish
from flexcc.dse.reshape import Reshape
from flexcc.dse.resources import Resources, multipliers, resources
from flexcc.dse.shape_bounds import ShapeBounds
from flexcc.dse.shapes import Shape, share_of
from flexcc.dse.solution import Estimate, Solution, estimate, solve
from flexcc.dse.technique import Technique
from flexcc.errors import DoesNotFitError
from flexcc.ir.graph import Graph
from flexcc.targets.device import Device

__all__ = ["Exploration", "explore"]

_NEAR_BEST = 1.02
_NEAR_BEST_GIVEN = 1.005
_SHAPES_PER_SIZE = 2
_SIZES = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Exploration:
    """The graph as it is mapped, the mapping chosen, why, and what of the device it takes."""

    graph: Graph = field(compare=False)
    mapping: Mapping
    estimate: Estimate
    resources: Resources


def _promising(forms: Forms, device: Device, cores: int) -> list[tuple[int, Shape]]:
    """The shapes with the least bound, a few for each size up to the largest sizes."""
    bounds = ShapeBounds(forms)
    by_size: dict[int, list[tuple[int, int, Shape]]] = {}
    for number, shape in enumerate(forms.shapes(device)):
        size = shape.multipliers.bit_length()
        by_size.setdefault(size, []).append((bounds.cycles(shape, cores), number, shape))
    sizes = sorted(by_size, reverse=True)[:_SIZES]
    return [
        (bound, shape)
        for size in sizes
        for bound, _, shape in sorted(by_size[size], key=lambda item: item[:2])[:_SHAPES_PER_SIZE]
    ]


def _solutions(
    forms: Forms,
    shapes: Sequence[tuple[int, Shape]],
    device: Device,
    *,
    cores: int,
    carried: float,
    fastest: float,
    uniform: bool,
) -> tuple[list[Solution], list[DoesNotFitError]]:
    """The best mapping for each array shape, and why there is none for the others.

    Shapes, each behind its bound, are left out if that is not near `fastest` or what was found
    since.
    """
    solutions: list[Solution] = []
    reasons: list[DoesNotFitError] = []
    for bound, shape in shapes:
        if bound > fastest * _NEAR_BEST:
            continue
        try:
            solutions.append(solve(forms, shape, device, cores, carried, uniform=uniform))
        except DoesNotFitError as error:
            reasons.append(error)
        else:
            fastest = min(fastest, solutions[-1].cycles)
    return solutions, reasons


def explore(
    graph: Graph,
    device: Device,
    array: tuple[int, int, int] | None = None,
    reshapes: Collection[Reshape] = (),
    *,
    cores: int = 1,
    clock_mhz: float | None = None,
    keep_zeros: bool = False,
    without: Collection[Technique] = (),
    on_chip: int | None = 0,
) -> Exploration:
    """Maps an integer graph to `device`, on arrays of (M, P, N) = `array` if that is given.

    Each of `cores` alike computes a band of rows of every layer. `clock_mhz` says what memory
    carries in a cycle; the device's clock if it is not given.

    The graph is lowered, and reshaped for each array as `reshapes` allow. Depthwise layers run on
    the array, or where that is faster and fits in a window engine in front of it.

    Tensors that layers hand on stay in `on_chip` bytes of UltraRAM, as many of them as save cycles
    or bytes; None is what the device has near its cores.

    For measurements, `keep_zeros` multiplies by taps whose weights are all zero, too, and
    techniques are left out `without` which the network is slower.

    Raises:
        DoesNotFitError: no legal mapping; names layer, resource, needed, available and a remedy.
        InputError: `array` is none that can be built, or a layer cannot run on any, or the device
            has not so many bytes on the chip.
    """
    share = share_of(device, cores)
    carried = bytes_per_cycle(device, device.clock_mhz if clock_mhz is None else clock_mhz)
    solutions: list[Solution] = []
    reasons: list[DoesNotFitError] = []
    uniform = Technique.TILING in without
    plain = Forms(graph, reshapes, device.memory_bytes, keep_zeros=keep_zeros, without=without)
    for forms in plain.alternatives():
        fastest = min((solution.cycles for solution in solutions), default=float("inf"))
        try:
            if array is None:
                shapes = sorted(_promising(forms, share, cores), key=lambda item: item[0])
            else:
                shapes = [(0, forms.given_shape(array, share))]
            mapped, refused = _solutions(
                forms,
                shapes,
                share,
                cores=cores,
                carried=carried,
                fastest=fastest,
                uniform=uniform,
            )
        except DoesNotFitError as error:
            mapped, refused = [], [error]
        solutions += mapped
        reasons += refused
    if not solutions:
        raise reasons[0]
    fastest = min(solution.cycles for solution in solutions)
    # Who names an array has chosen its multipliers: there is less to save beside it.
    allowed = fastest * (_NEAR_BEST if array is None else _NEAR_BEST_GIVEN)
    near = [item for item in solutions if item.cycles <= allowed]
    best = min(near, key=lambda item: (multipliers(item.accelerator, device.family), item.cycles))
    best = best if uniform else polish(best)
    mapping = Mapping(
        accelerator=best.accelerator, groups=tuple(item.group for item in best.candidates)
    )
    found = estimate(best)
    most = most_on_chip(best.accelerator, device, on_chip) if on_chip != 0 else 0
    if most:
        mapping, found = with_tensors_on_chip(best, mapping, most)
    used = resources(mapping.accelerator, device)
    return Exploration(graph=best.graph, mapping=mapping, estimate=found, resources=used)
