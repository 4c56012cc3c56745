# SPDX-License-Identifier: Apache-2.0
"""Explores many array shapes and numbers of cores, and keeps those that none is better than.

Shapes are ordered by a bound before any is mapped. Those that no cheaper shape undercuts are
mapped, as many as `effort` says, evenly from the smallest to the largest; then, for the objective,
those next to the best, as long as their bounds leave hope.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from flexcc.dse.array_bounds import FormBounds, Needs
from flexcc.dse.best_first import best_first
from flexcc.dse.buffers import RAM_SHARE, least_ram_blocks
from flexcc.dse.design import Design, channels_within, design_of
from flexcc.dse.forms import Forms
from flexcc.dse.memory import bytes_per_cycle
from flexcc.dse.objective import Limits, Objective
from flexcc.dse.points import Point, spread, undercut
from flexcc.dse.polish import polish
from flexcc.dse.reshape import Reshape
from flexcc.dse.resources import multipliers, ram_blocks
from flexcc.dse.shape_bounds import ShapeBounds
from flexcc.dse.shapes import all_shapes, share_of
from flexcc.dse.solution import Chosen, Solution, choose_tiles
from flexcc.errors import DoesNotFitError
from flexcc.ir.graph import Graph
from flexcc.ir.layers import Convolution
from flexcc.ir.macs import is_depthwise, useful_macs
from flexcc.program.formats import MAX_CORES
from flexcc.targets.device import Device

__all__ = ["Front", "Refusal", "explore_front", "useful_macs_of"]

_NEAR_BEST = 1.02
_PROVEN = 1.045
"""So near the bound of all arrays the search for a faster one ends."""
_MANY_STAGES, _FEW_STAGES = 40, 8
_POLISHING_GAINS = 0.05
"""By which other tiles may make a small network faster."""
_OVERLAP, _CLOSE = 0.9, 0.98
"""The least that a run takes of its closed forms: before any is known, and of the least known."""
_SHOWN = 8
"""Reasons told when nothing fits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """An array that the network cannot be mapped to, and why."""

    cores: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Front:
    """What was explored.

    `designs` are all mapped ones from the fastest on, `best` is one of them, and so are those of
    the Pareto `front`: no other has fewer cycles between images and as few multipliers. `shapes`
    is how many arrays were looked at. Of latency, `least` is the least sum of closed forms
    (`Solution.cost`) of tiles found on any of them, and `bound` what no tiles fall below.
    """

    best: Design
    designs: tuple[Design, ...]
    front: tuple[Design, ...]
    refused: tuple[Refusal, ...]
    shapes: int
    bound: float | None
    least: float | None

    @property
    def gap(self) -> float | None:
        """How much more than the bound the least found is, as a share of it."""
        if self.bound is None or self.least is None:
            return None
        return self.least / self.bound - 1


def useful_macs_of(graph: Graph) -> int:
    """Useful MAC of all convolutions but depthwise ones."""
    convs = [layer for layer in graph.layers if isinstance(layer, Convolution)]
    return sum(useful_macs(graph, conv) for conv in convs if not is_depthwise(conv))


def explore_front(
    graph: Graph,
    device: Device,
    reshapes: Collection[Reshape] = (),
    *,
    objective: Objective = Objective.LATENCY,
    limits: Limits | None = None,
    array: tuple[int, int, int] | None = None,
    cores: int | None = None,
    effort: int = 10,
) -> Front:
    """The designs of an integer graph on `device` within `limits`.

    On arrays of (M, P, N) = `array` and on `cores`, if these are given.

    Raises:
        DoesNotFitError: no design keeps the limits; says what it needs.
        InputError: `array` is none that can be built, or a layer cannot run on any.
    """
    limits = limits or Limits()
    explorer = _Explorer(graph, reshapes, device=device, objective=objective, limits=limits)
    points = explorer.points(array, range(1, MAX_CORES + 1) if cores is None else (cores,))
    proves = objective is Objective.LATENCY
    few = proves and explorer.stages > _MANY_STAGES
    if objective is not Objective.AREA:
        for point in spread(undercut(points), max(2, effort // 3) if few else effort):
            explorer.try_point(point)
    if explorer.stages <= _FEW_STAGES:
        # How so few meet tells more than what they take alone.
        for point in sorted(points, key=lambda point: (point.bound, point.multipliers)):
            if explorer.tried >= 4 * effort:
                break
            explorer.try_point(point)
    bound = least = None
    if proves:
        bound, least = explorer.prove(points, effort)
    elif objective is Objective.AREA:
        explorer.shrink(points, effort)
    else:
        explorer.refine(points, effort)
    explorer.polish()
    return replace(explorer.front(len(points)), bound=bound, least=least)


class _Explorer:
    """Maps points and keeps what came of it."""

    def __init__(
        self,
        graph: Graph,
        reshapes: Collection[Reshape],
        *,
        device: Device,
        objective: Objective,
        limits: Limits,
    ) -> None:
        self._device, self._left = device, limits.device(device)
        self._objective, self._limits = objective, limits
        self._clock, self._macs = limits.clock(device), useful_macs_of(graph)
        self._carried = bytes_per_cycle(self._left, self._clock)
        plain = Forms(graph, reshapes, device.memory_bytes, keep_zeros=False, without=())
        self._networks = {bool(forms.window_taps): forms for forms in plain.alternatives()}
        self._designs: dict[Point, Design] = {}
        self._refused: dict[Point, Refusal] = {}

    @property
    def tried(self) -> int:
        """The points that were tried."""
        return len(self._designs) + len(self._refused)

    @property
    def stages(self) -> int:
        """The stages of the network as it is."""
        return len(self._networks[False].plain_stages())

    def points(self, array: tuple[int, int, int] | None, cores: Iterable[int]) -> list[Point]:
        """All shapes within the limits, or the one that is given."""
        bounds = {windows: ShapeBounds(forms) for windows, forms in self._networks.items()}
        result = []
        refused: list[DoesNotFitError] = []
        for number in cores:
            share = share_of(self._left, number)
            for windows, forms in self._networks.items():
                try:
                    shapes = (
                        list(forms.shapes(share))
                        if array is None
                        else [forms.given_shape(array, share)]
                    )
                except DoesNotFitError as error:
                    refused.append(error)
                    continue
                result += [
                    Point(
                        bound=bounds[windows].cycles(shape, number),
                        multipliers=number * shape.with_lanes(1, share),
                        cores=number,
                        windows=windows,
                        shape=shape,
                    )
                    for shape in shapes
                ]
        if not result:
            raise refused[0] if refused else self._too_few_multipliers()
        return result

    def _too_few_multipliers(self) -> DoesNotFitError:
        (least, *_) = sorted(
            shape.with_lanes(1, self._device)
            for shape in all_shapes(replace(self._device, dsp=10**6), sums=False, taps=0)
        )
        return DoesNotFitError(
            f"no array fits: multipliers: {least} needed for the smallest, {self._left.dsp} "
            f"within the limits on {self._device.name}; raise --max-dsp or choose a larger device"
        )

    def try_point(self, point: Point) -> None:
        """Maps a point, unless it was tried before."""
        if point in self._designs or point in self._refused:
            return
        chosen = self._chosen(point)
        if chosen is not None:
            self._designs[point] = self._design(chosen.solution())

    def _chosen(self, point: Point) -> Chosen | None:
        """The best tiles on an array by the closed forms; None if it is refused."""
        share, forms = share_of(self._left, point.cores), self._networks[point.windows]
        try:
            return choose_tiles(forms, point.shape, share, point.cores, self._carried)
        except DoesNotFitError as error:
            self._refused[point] = Refusal(cores=point.cores, reason=str(error))
            return None

    def _bounds(self) -> dict[bool, FormBounds]:
        """Of the sum of closed forms, without and with a window engine."""
        return {
            windows: FormBounds(forms, self._device.memory_bytes, self._carried)
            for windows, forms in self._networks.items()
        }

    def _design(self, solution: Solution) -> Design:
        copies = 1
        if self._objective is Objective.THROUGHPUT:
            copies = _copies(solution, self._left)
        return design_of(
            solution, self._device, macs=self._macs, clock_mhz=self._clock, copies=copies
        )

    def polish(self) -> None:
        """Improves the tiles of the designs that may then be the best."""
        kept = self._kept()
        if kept:
            least = min(design.key(self._objective) for design in kept)
            most = least + abs(least) * _POLISHING_GAINS
            channels = channels_within(self._device, self._clock, self._carried)
            for point, design in self._designs.items():
                if design.key(self._objective) <= most:
                    polished = polish(design.solution, channels)
                    if polished is not design.solution:
                        self._designs[point] = self._design(polished)

    def prove(self, points: Sequence[Point], effort: int) -> tuple[float, float]:
        """Looks for tiles on every array that may beat the best; a bound for all, and the least.

        By the closed forms, and until the bound is the best, after half of `effort` arrays near the
        best, or tiles were chosen for three times as many as `effort`. Each new best is mapped.
        """
        needs = {key: Needs(forms, self._carried) for key, forms in self._networks.items()}
        bounds = self._bounds()
        found = {point: design.solution.cost for point, design in self._designs.items()}
        most = left = 3 * effort

        def cost(point: Point) -> float:
            nonlocal left
            if point in self._refused:
                return float("inf")
            if point not in found:
                left -= 1
                chosen = self._chosen(point)
                if chosen is None:
                    return float("inf")
                found[point] = chosen.cost
                if chosen.cost == min(found.values()):
                    self._designs[point] = self._design(chosen.solution())
            return found[point]

        def sharper(number: int, level: int) -> float:
            point = points[number]
            if level == 2:
                return cost(point)
            return bounds[point.windows].bound(point.shape, point.cores)

        def enough() -> float:
            best = min(found.values(), default=float("inf"))
            return best / (_PROVEN if most - left >= effort // 2 else 1.0) if left > 0 else 0.0

        first = [needs[point.windows].bound(point.shape, point.cores) for point in points]
        bound = best_first(first, sharper, levels=2, enough=enough)
        return bound, min(found.values(), default=float("inf"))

    def refine(self, points: Sequence[Point], effort: int) -> None:
        """Maps points by what the objective may hope for, until those left can gain nothing."""
        cycles = self._most_cycles
        hopeful = sorted(
            (point for point in points if point.bound <= cycles),
            key=lambda point: (self._hope(point), point.multipliers),
        )
        for point in hopeful[: effort // 2]:
            kept = self._kept()
            if kept:
                best = min(design.key(self._objective) for design in kept)
                if self._hope(point) > _near(best):
                    break
            self.try_point(point)

    def shrink(self, points: Sequence[Point], effort: int) -> None:
        """Maps the arrays that may be fast enough from the smallest on, until none left is smaller.

        Fast enough by bounds, then by the closed forms of the best tiles; the runs of those mapped
        on as many cores tell how much of them a run takes. Tiles are chosen for at most five times
        as many arrays as `effort`.
        """
        allowed, left = self._most_cycles, 5 * effort
        bounds = self._bounds()
        taken: dict[int, float] = {}
        for point in sorted(points, key=lambda point: (self._hope(point), point.bound)):
            kept = self._kept()
            least = min((design.key(self._objective) for design in kept), default=float("inf"))
            if self._hope(point) >= least or not left:
                break
            factor = _CLOSE * taken[point.cores] if point.cores in taken else _OVERLAP
            if (
                point.bound > allowed
                or bounds[point.windows].bound(point.shape, point.cores) * factor > allowed
            ):
                continue
            left -= 1
            chosen = self._chosen(point)
            if chosen is None or chosen.cost * factor > allowed:
                continue
            design = self._designs[point] = self._design(chosen.solution())
            ratio = design.cycles / chosen.cost
            taken[point.cores] = min(taken.get(point.cores, ratio), ratio)

    @property
    def _most_cycles(self) -> float:
        """Cycles that an image may take."""
        limit = self._limits.max_ms
        return float("inf") if limit is None else limit * self._clock * 1e3

    def _kept(self) -> list[Design]:
        """The designs that keep the limits."""
        return [design for design in self._designs.values() if design.cycles <= self._most_cycles]

    def _hope(self, point: Point) -> float:
        """The objective's key if the bound were reached."""
        shape = point.shape
        macs = shape.m * shape.p * shape.n * point.cores
        match self._objective:
            case Objective.LATENCY:
                return point.bound
            case Objective.THROUGHPUT:
                return point.bound * point.multipliers / self._left.dsp
            case Objective.AREA:
                ram = point.cores * least_ram_blocks(shape, self._device.memory_bytes)
                return max(point.multipliers / self._device.dsp, ram / self._device.bram36)
            case Objective.EFFICIENCY:
                return -self._macs / (point.bound * macs)

    def front(self, shapes: int) -> Front:
        """What was found, of `shapes` arrays.

        Raises:
            DoesNotFitError: nothing keeps the limits.
        """
        kept = self._kept()
        refused = tuple(self._refused.values())
        if not kept:
            raise DoesNotFitError(self._why_nothing(refused))
        designs = sorted(kept, key=lambda design: (design.interval, design.dsp))
        least = min(design.key(self._objective) for design in designs)
        near = [design for design in designs if design.key(self._objective) <= _near(least)]
        best = min(near, key=lambda design: (design.dsp, design.key(self._objective)))
        return Front(
            best=best,
            designs=tuple(designs),
            front=tuple(_pareto(designs)),
            refused=refused,
            shapes=shapes,
            bound=None,
            least=None,
        )

    def _why_nothing(self, refused: Sequence[Refusal]) -> str:
        """The reasons, each once, at most a screen of them."""
        if self._designs:
            fastest = min(self._designs.values(), key=lambda design: design.cycles)
            return (
                f"nothing on {self._device.name} is fast enough: the fastest of "
                f"{len(self._designs)} designs takes {fastest.milliseconds:.3f} ms, "
                f"{self._limits.max_ms:g} ms are allowed; raise --max-ms, --max-dsp or --clock"
            )
        lines = list(dict.fromkeys(refusal.reason for refusal in refused))
        more = [f"and {len(lines) - _SHOWN} more reasons"] if len(lines) > _SHOWN else []
        head = f"nothing fits on {self._device.name}, of {len(refused)} arrays tried:"
        return "\n  ".join([head, *lines[:_SHOWN], *more])


def _near(key: float) -> float:
    """The largest key that is nearly as good as the best."""
    return key + abs(key) * (_NEAR_BEST - 1)


def _copies(solution: Solution, left: Device) -> int:
    """How many of a design fit: each core in a region, of whose RAM some stays free."""
    a = solution.accelerator
    dsp = left.dsp // left.regions // (multipliers(a, left.family) // a.cores)
    ram = int(left.bram36 // left.regions * RAM_SHARE) // max(1, ram_blocks(a))
    return max(1, left.regions * min(dsp, ram) // a.cores)


def _pareto(designs: Iterable[Design]) -> Iterator[Design]:
    """Of designs from the fastest on, those with fewer multipliers than all before."""
    least = float("inf")
    for design in designs:
        if design.dsp < least:
            least = design.dsp
            yield design
