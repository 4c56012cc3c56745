# SPDX-License-Identifier: Apache-2.0
"""The explorer: array shape, buffer depths and tiles for a network on a device.

Enumeration, pruned where a bound allows it, and deterministic. An array shape is judged first by a
bound (every array cycle, nothing else), the best shapes of each size then by the timeline of the
whole network, each with the tiles that suit it best.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from operator import add

from flexcc.accelerator import Accelerator
from flexcc.cores import core_tiles
from flexcc.dse.fuse_windows import apart, fuse_windows
from flexcc.dse.latency import StageCycles, TileWork, stage_cycles, tile_cycles, timeline
from flexcc.dse.layer_cost import ArrayModel, array_cycles, best_lists
from flexcc.dse.lower import fusion_groups, lower
from flexcc.dse.lower_means import lower_means
from flexcc.dse.lower_movement import lower_movement
from flexcc.dse.mapping import Group, Mapping, WeightMode, chain_of, stage_of
from flexcc.dse.reshape import Reshape, reshape
from flexcc.dse.resources import (
    CONTROL_MULTIPLIERS,
    Resources,
    array_multipliers,
    lane_multipliers,
    multipliers,
    ram_blocks,
    resources,
    window_multipliers,
)
from flexcc.dse.space import (
    Shortage,
    column_choices,
    first_shortage,
    legal_modes,
    row_choices,
)
from flexcc.dse.traffic import Traffic, stage_traffic
from flexcc.errors import DoesNotFitError, InputError
from flexcc.ir.graph import Graph
from flexcc.ir.layers import Add
from flexcc.joins import plane_count
from flexcc.targets.device import Device
from flexcc.tiles import Stage, StageLists, Tiling, tiling
from flexcc.waits import StoredTiles, stored_tiles, wait_tiles
from flexcc.windows import window_taps_needed

__all__ = ["Estimate", "Exploration", "StageEstimate", "explore"]

_MULTIPLIER_SHARE = 0.95
_RAM_SHARE = 0.8
_NEAR_BEST = 1.02
_NEARLY_AS_FAST = 1.0005
_SHAPES_PER_SIZE = 2
_SIZES = 6
_ROUGH_COLUMNS = 8
_LARGEST = {"act_words": 8192, "out_words": 4096, "weight_words": 8192}
_SMALLEST = {"act_words": 64, "out_words": 64, "weight_words": 64}
_MOST_PARAM_PASSES = 512
_MOST_WINDOW_CHANNELS = 4096
_LEAST_WINDOW_BEATS = 16
_LEAST_PARAM_PASSES, _LEAST_LIST_ENTRIES = 4, 16


@dataclass(frozen=True, slots=True, kw_only=True)
class StageEstimate:
    """What the model of the hardware says of one stage.

    `cycles` is what the stage adds to the run, so that all stages sum up to the total; `engines`
    are the cycles each engine works for it. `lower_bound` is array cycles alone.
    """

    name: str
    cycles: int
    tiles: int
    engines: StageCycles
    traffic: Traffic


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """Estimated cycles of one run of the network, and by stage."""

    cycles: int
    stages: tuple[StageEstimate, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exploration:
    """The graph as it is mapped, the mapping chosen, why, and what of the device it takes."""

    graph: Graph = field(compare=False)
    mapping: Mapping
    estimate: Estimate
    resources: Resources


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shape:
    m: int
    p: int
    n: int
    packed: bool
    sums: bool
    window: int = 0  # multipliers of the window engine

    @property
    def multipliers(self) -> int:
        """Those that the drain chains do not change."""
        array = array_multipliers(m=self.m, p=self.p, n=self.n, packed=self.packed)
        return array + self.window + CONTROL_MULTIPLIERS

    def with_lanes(self, q: int, device: Device) -> int:
        """Those and the ones of the lanes behind Q drain chains a column."""
        lanes = lane_multipliers(p=self.p, q=q, family=device.family, sums=self.sums)
        return self.multipliers + lanes


@dataclass(frozen=True, slots=True, kw_only=True)
class _Candidate:
    """A stage's tiles and what they cost."""

    group: Group
    tiling: Tiling
    cycles: StageCycles

    @property
    def second_key(self) -> tuple[bool, int, int]:
        """What decides between equally fast tiles: overlap with the next stage, traffic, room."""
        tiles = self.tiling
        traffic = stage_traffic(tiles, self.group.weights).total
        few = len(tiles.rows) < 3 * tiles.accelerator.cores
        return few, traffic, tiles.act_words + tiles.out_words


@dataclass(frozen=True, slots=True, kw_only=True)
class _Solution:
    graph: Graph
    accelerator: Accelerator
    candidates: tuple[_Candidate, ...]
    done: tuple[float, ...]

    @property
    def cycles(self) -> float:
        return max(self.done)


def _power_of_two(least: int) -> int:
    return 1 << max(0, least - 1).bit_length()


def _divisor_powers(m: int, n: int) -> list[int]:
    return [1 << bits for bits in range(min(m, n).bit_length())]


# Array shapes


def _window_taps(stages: Iterable[Stage]) -> int:
    """Taps of the window engine that the stages need; 0 without window layers."""
    layers = [stage.window for stage in stages if stage.window is not None]
    return max((window_taps_needed(layer) or 0 for layer in layers), default=0)


def _with_window(shape: _Shape, device: Device, taps: int) -> _Shape:
    """The shape with a window engine of so many taps beside it."""
    return replace(
        shape,
        window=window_multipliers(
            taps=taps,
            beat_bytes=device.memory_bytes,
            packed=shape.packed and device.memory_bytes > shape.n,
            family=device.family,
        ),
    )


def _shapes(device: Device, *, sums: bool, taps: int) -> Iterator[_Shape]:
    """All shapes whose multipliers fit one region of the device, beside a window engine."""
    budget = int(device.dsp // device.regions * _MULTIPLIER_SHARE)
    packed = device.family.packs
    for n in (4, 8, 16, 32):
        if n > device.memory_bytes or (packed and n < 8):
            continue
        for m in (4, 8, 16, 32, 64):
            for p in range(1, 17):
                plain = _Shape(m=m, p=p, n=n, packed=packed, sums=sums)
                shape = _with_window(plain, device, taps)
                if shape.with_lanes(1, device) <= budget:
                    yield shape


def _given_shape(array: tuple[int, int, int], device: Device, *, sums: bool, taps: int) -> _Shape:
    m, p, n = array
    packed = device.family.packs and n >= 8
    power = all(value > 0 and value & (value - 1) == 0 for value in (m, n))
    if not power or not 1 <= p <= 16 or not 4 <= n <= 32 or m > 256:
        raise InputError(
            f"array {m},{p},{n} cannot be built: M and N are powers of two, M up to 256, "
            "P lies in 1..16, N in 4..32; choose such an array"
        )
    if n > device.memory_bytes:
        raise InputError(
            f"array {m},{p},{n}: N is more than the {device.memory_bytes} bytes of a memory port "
            f"of {device.name}; choose N up to {device.memory_bytes}"
        )
    shape = _with_window(_Shape(m=m, p=p, n=n, packed=packed, sums=sums), device, taps)
    needed = shape.with_lanes(1, device)
    available = device.dsp // device.regions
    if needed > available:
        region = "" if device.regions == 1 else " in one of its dies"
        raise DoesNotFitError(
            f"array {m},{p},{n}: multipliers: {needed} needed, {available} available on "
            f"{device.name}{region}; choose a smaller array"
        )
    return shape


def _best_lists(stage: Stage, shape: _Shape, q: int, drain_cycles: int) -> StageLists:
    return best_lists(stage, m=shape.m, p=shape.p, n=shape.n, q=q, drain_cycles=drain_cycles)


def _bound(stages: Sequence[Stage], shape: _Shape) -> int:
    """Array cycles with whole rows and no draining: no mapping of the shape is faster."""
    total = 0
    for stage in stages:
        lists = _best_lists(stage, shape, 1, 1)
        total += array_cycles(stage, lists, shape.p, 1)
    return total


class _Forms:
    """A network lowered and in the form that suits an array, with the reshapes that are wanted."""

    def __init__(
        self,
        graph: Graph,
        wanted: Collection[Reshape],
        beat_bytes: int,
        *,
        keep_zeros: bool,
        may_bundle: bool,
        windows: bool,
    ) -> None:
        graph = lower_means(lower_movement(graph))
        self._graph, self._wanted, self._beat_bytes = graph, wanted, beat_bytes
        self._keep_zeros, self._may_bundle = keep_zeros, may_bundle
        self._windows = windows
        self._plain = lower(graph)
        self._of: dict[tuple[int, int, int], Graph] = {}
        self.window_taps = _window_taps(self.stages(self._plain))

    @property
    def sums(self) -> bool:
        """Whether a stage adds a second tensor."""
        return any(isinstance(layer, Add) for layer in self._plain.layers)

    def graph(self, *, m: int, p: int, n: int) -> Graph:
        """The network for an array of that shape."""
        if not self._wanted:
            return self._plain
        if (m, p, n) not in self._of:
            array = ArrayModel(
                m=m, p=p, n=n, drain_cycles=m // min(m, n), beat_bytes=self._beat_bytes
            )
            self._of[m, p, n] = lower(reshape(self._graph, array, self._wanted))
        return self._of[m, p, n]

    def rough_stages(self, shape: _Shape) -> list[Stage]:
        """The stages for a shape's rows and lanes, whatever its columns."""
        return self.stages(self.graph(m=shape.m, p=_ROUGH_COLUMNS, n=shape.n))

    def stages(self, graph: Graph) -> list[Stage]:
        """The stages of a form of the network."""
        chains = fusion_groups(graph)
        if self._windows:
            chains = fuse_windows(graph, chains)
        stages = (stage_of(graph, chain) for chain in chains)
        return [
            replace(
                stage,
                keep_zeros=self._keep_zeros,
                may_bundle=self._may_bundle and stage.may_bundle,
            )
            for stage in stages
        ]


def _promising(forms: _Forms, device: Device) -> list[_Shape]:
    """The shapes with the least bound, a few for each size up to the largest sizes."""
    by_size: dict[int, list[tuple[int, int, _Shape]]] = {}
    for number, shape in enumerate(_shapes(device, sums=forms.sums, taps=forms.window_taps)):
        size = shape.multipliers.bit_length()
        bound = _bound(forms.rough_stages(shape), shape)
        by_size.setdefault(size, []).append((bound, number, shape))
    sizes = sorted(by_size, reverse=True)[:_SIZES]
    return [
        shape
        for size in sizes
        for _, _, shape in sorted(by_size[size], key=lambda item: item[:2])[:_SHAPES_PER_SIZE]
    ]


# Accelerator


def _drain_chains(stages: Sequence[Stage], shape: _Shape, device: Device) -> int:
    """The fewest drain chains that cost at most a hundredth more array cycles than the most."""
    available = device.dsp // device.regions
    choices = [
        q for q in _divisor_powers(shape.m, shape.n) if shape.with_lanes(q, device) <= available
    ]

    def cycles(q: int) -> int:
        total = 0
        for stage in stages:
            lists = _best_lists(stage, shape, q, shape.m // q)
            total += array_cycles(stage, lists, shape.p, shape.m // q)
        return total

    least = min(cycles(q) for q in choices)
    return next(q for q in choices if cycles(q) <= 1.01 * least)


def _window_channels(stages: Iterable[Stage], n: int) -> int:
    """Channels of the largest window layer, whole planes; at least those of a plane."""
    planes = [plane_count(stage.parts, n) for stage in stages if stage.window is not None]
    return min(max(planes, default=1) * n, _MOST_WINDOW_CHANNELS)


def _largest_buffers(
    stages: Sequence[Stage], shape: _Shape, device: Device, cores: int
) -> Accelerator:
    """The deepest buffers that the device's RAM holds, halving the largest until they do."""
    q = _drain_chains(stages, shape, device)
    lists = [_best_lists(stage, shape, q, shape.m // q) for stage in stages]
    passes = max(len(item.passes) for item in lists)
    entries = max(item.entries for item in lists)
    accelerator = Accelerator(
        m=shape.m,
        p=shape.p,
        n=shape.n,
        q=q,
        packed=shape.packed,
        beat_bytes=device.memory_bytes,
        param_passes=min(max(_power_of_two(passes), _LEAST_PARAM_PASSES), _MOST_PARAM_PASSES),
        list_entries=min(max(_power_of_two(entries), _LEAST_LIST_ENTRIES), 4096),
        tables=any(stage.table is not None for stage in stages),
        cores=cores,
        sums=shape.sums,
        slopes=any(
            layer is not None and layer.slope is not None
            for stage in stages
            for layer in (stage.conv, stage.window)
        ),
        window_taps=_window_taps(stages),
        window_channels=_power_of_two(_window_channels(stages, shape.n)),
        **_LARGEST,
    )
    budget = int(device.bram36 // device.regions * _RAM_SHARE)
    while ram_blocks(accelerator) > budget:
        smaller = [
            replace(accelerator, **{name: getattr(accelerator, name) // 2})
            for name, least in _SMALLEST.items()
            if getattr(accelerator, name) > least
        ]
        if not smaller:
            raise DoesNotFitError(
                f"array {shape.m},{shape.p},{shape.n}: block RAM: {ram_blocks(accelerator)} "
                f"needed for the smallest buffers, {budget} available on {device.name}; "
                "choose a smaller array"
            )
        accelerator = min(smaller, key=ram_blocks)
    return accelerator


def _fitted(accelerator: Accelerator, candidates: Sequence[_Candidate]) -> Accelerator:
    """Buffers no deeper than the tiles need. The weight ring stays: its depth is prefetch."""
    act = max(item.tiling.act_words for item in candidates)
    out = max(item.tiling.out_words for item in candidates)
    every_word = sum(sum(item.tiling.lists.pass_steps) for item in candidates)
    every_pass = sum(len(item.tiling.lists.passes) for item in candidates)
    stages = [item.tiling.stage for item in candidates]
    lines = [
        item.tiling.beats(col).beats
        for item in candidates
        if item.tiling.stage.window is not None
        for col in item.tiling.cols
    ]
    return replace(
        accelerator,
        act_words=max(_power_of_two(act), _SMALLEST["act_words"]),
        out_words=max(_power_of_two(out), _SMALLEST["out_words"]),
        weight_words=min(
            accelerator.weight_words, max(_power_of_two(every_word), _SMALLEST["weight_words"])
        ),
        param_passes=min(
            accelerator.param_passes, max(_power_of_two(every_pass), _LEAST_PARAM_PASSES)
        ),
        window_taps=_window_taps(stages),
        window_beats=max(_power_of_two(max(lines, default=1)), _LEAST_WINDOW_BEATS),
        window_channels=_power_of_two(_window_channels(stages, accelerator.n)),
    )


# Tiles


def _candidates(stage: Stage, accelerator: Accelerator) -> Iterator[_Candidate | Shortage]:
    """All legal tilings of a stage, each with its best weight mode, or why they are not legal.

    For each width the heights rise until the tile outgrows a buffer.
    """
    a = accelerator
    shape = _Shape(m=a.m, p=a.p, n=a.n, packed=a.packed, sums=a.sums)
    lists = _best_lists(stage, shape, a.q, a.drain_cycles)
    taps = lists.taps
    mode = legal_modes(lists, weight_words=a.weight_words, param_passes=a.param_passes)[0]
    for cols in column_choices(stage.output.width, a.beat_pixels, taps.x.out_step):
        for rows in row_choices(stage.output.height, taps.y.out_step):
            tiles = tiling(stage, a, tile_rows=rows, tile_cols=cols, bundle=taps.bundle)
            shortage = first_shortage(tiles, mode)
            if shortage is not None:
                yield shortage
                break
            cycles = stage_cycles(tiles, mode)
            group = Group(
                chain=chain_of(stage),
                tile_rows=rows,
                tile_cols=cols,
                weights=mode,
                rotation=tiles.columns.rotation,
                bundle=taps.bundle,
                keep_zeros=stage.keep_zeros,
            )
            yield _Candidate(group=group, tiling=tiles, cycles=cycles)


def _best_tiles(stage: Stage, accelerator: Accelerator) -> _Candidate:
    found = list(_candidates(stage, accelerator))
    legal = [item for item in found if isinstance(item, _Candidate)]
    if not legal:
        raise DoesNotFitError(f"{found[0]} (array {_name(accelerator)})")
    fastest = min(item.cycles.total for item in legal)
    near = [item for item in legal if item.cycles.total <= fastest * _NEARLY_AS_FAST]
    return min(near, key=lambda item: item.second_key)


def _best_candidates(stage: Stage, accelerator: Accelerator) -> list[_Candidate]:
    """The best tiles of a stage, its window layer in front of the array or on it, as is faster."""
    if stage.window is None:
        return [_best_tiles(stage, accelerator)]
    try:
        fused = [_best_tiles(stage, accelerator)]
    except DoesNotFitError:
        fused = []
    try:
        two = [_best_tiles(part, accelerator) for part in apart(stage)]
    except DoesNotFitError:
        if not fused:
            raise
        return fused
    if fused and fused[0].cycles.total <= sum(item.cycles.total for item in two):
        return fused
    return two


def _name(accelerator: Accelerator) -> str:
    return f"{accelerator.m},{accelerator.p},{accelerator.n}"


def _works(candidates: Sequence[_Candidate], cores: int) -> Iterator[TileWork]:
    """The tiles of the whole network, stage by stage and core by core, each in its order."""
    producers: dict[str, StoredTiles] = {}
    first = (0,) * cores
    for index, candidate in enumerate(candidates):
        tiling_ = candidate.tiling
        sources = [producers[name] for name in tiling_.stage.sources if name in producers]
        skip = producers.get(tiling_.stage.skip_tensor or "")
        mode: WeightMode = candidate.group.weights
        producers.update(stored_tiles(tiling_, first))
        order = core_tiles(len(tiling_.rows), len(tiling_.cols), cores)
        tiles = tuple(tiling_.tiles())
        for core, own in enumerate(order):
            for number in own:
                yield TileWork(
                    stage=index,
                    core=core,
                    cycles=tile_cycles(tiling_, tiles[number], mode, first=number == own[0]),
                    waits=wait_tiles(tiles[number], sources, cores),
                    skip_waits=None if skip is None else skip.needed_beside(tiles[number]),
                )
        first = tuple(map(add, first, map(len, order)))


def _solve(forms: _Forms, shape: _Shape, device: Device, cores: int) -> _Solution:
    """The best tiles for one array shape; DoesNotFitError when a stage has none."""
    graph = forms.graph(m=shape.m, p=shape.p, n=shape.n)
    stages = forms.stages(graph)
    accelerator = _largest_buffers(stages, shape, device, cores)
    candidates = tuple(item for stage in stages for item in _best_candidates(stage, accelerator))
    accelerator = _fitted(accelerator, candidates)
    done = timeline(list(_works(candidates, cores)), accelerator)
    return _Solution(graph=graph, accelerator=accelerator, candidates=candidates, done=tuple(done))


def _estimate(solution: _Solution) -> Estimate:
    stages = []
    before, tiles = 0, 0
    for item in solution.candidates:
        count = len(item.tiling.rows) * len(item.tiling.cols)
        tiles += count
        end = max(before, round(max(solution.done[tiles - count : tiles])))
        stages.append(
            StageEstimate(
                name=item.tiling.stage.name,
                cycles=end - before,
                tiles=count,
                engines=item.cycles,
                traffic=stage_traffic(item.tiling, item.group.weights),
            )
        )
        before = end
    return Estimate(cycles=before, stages=tuple(stages))


def _solutions(
    forms: _Forms, device: Device, array: tuple[int, int, int] | None, cores: int
) -> tuple[list[_Solution], list[DoesNotFitError]]:
    """The best mapping for each promising array shape, and why there is none for the others."""
    if array is None:
        shapes = _promising(forms, device)
    else:
        shapes = [_given_shape(array, device, sums=forms.sums, taps=forms.window_taps)]
    solutions: list[_Solution] = []
    reasons: list[DoesNotFitError] = []
    for shape in shapes:
        try:
            solutions.append(_solve(forms, shape, device, cores))
        except DoesNotFitError as error:
            reasons.append(error)
    return solutions, reasons


def explore(
    graph: Graph,
    device: Device,
    array: tuple[int, int, int] | None = None,
    reshapes: Collection[Reshape] = (),
    *,
    cores: int = 1,
    keep_zeros: bool = False,
    may_bundle: bool = True,
) -> Exploration:
    """Maps an integer graph to `device`, on arrays of (M, P, N) = `array` if that is given.

    Each of `cores` alike computes a band of rows of every layer.

    The graph is lowered, and reshaped for each array as `reshapes` allow. Depthwise layers run on
    the array, or where that is faster and fits in a window engine in front of it.

    For measurements, `keep_zeros` multiplies by taps whose weights are all zero, too, and without
    `may_bundle` every output phase of a transposed layer has passes of its own.

    Raises:
        DoesNotFitError: no legal mapping; names layer, resource, needed, available and a remedy.
        InputError: `array` is none that can be built, or a layer cannot run on any.
    """
    # A core lies within one region, and those of a region share it.
    share = replace(device, regions=device.regions * -(-cores // device.regions))
    solutions: list[_Solution] = []
    reasons: list[DoesNotFitError] = []
    for windows in (False, True):
        forms = _Forms(
            graph,
            reshapes,
            device.memory_bytes,
            keep_zeros=keep_zeros,
            may_bundle=may_bundle,
            windows=windows,
        )
        if windows and not forms.window_taps:
            continue
        try:
            found, refused = _solutions(forms, share, array, cores)
        except DoesNotFitError as error:
            found, refused = [], [error]
        solutions += found
        reasons += refused
    if not solutions:
        raise reasons[0]
    fastest = min(solution.cycles for solution in solutions)
    near = [item for item in solutions if item.cycles <= fastest * _NEAR_BEST]
    best = min(near, key=lambda item: (multipliers(item.accelerator, device.family), item.cycles))
    mapping = Mapping(
        accelerator=best.accelerator, groups=tuple(item.group for item in best.candidates)
    )
    return Exploration(
        graph=best.graph,
        mapping=mapping,
        estimate=_estimate(best),
        resources=resources(best.accelerator, device),
    )
