# SPDX-License-Identifier: Apache-2.0
"""Plan: graph and mapping fully resolved. Every address, count and field is a number here."""

from collections.abc import Iterator
from collections.abc import Mapping as MappingType
from dataclasses import dataclass, fields
from typing import Any

from flexcc.accelerator import Accelerator
from flexcc.backend.lists import Entry
from flexcc.backend.tensors import TensorPlan
from flexcc.backend.weights import PassImage
from flexcc.dse.mapping import Group, Mapping

__all__ = [
    "ArrayBend",
    "ArraySum",
    "ArrayTile",
    "ArrayWide",
    "Load",
    "Pass",
    "Plan",
    "StagePlan",
    "Store",
    "TilePlan",
    "WeightsFetch",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """The fields of a `load_tile` record; `addresses` are its plane words.

    `core_tiles` are those of a `load_wait` record before it, all 0 where other cores store nothing
    that the tile reads.
    """

    wait_tiles: int
    core_tiles: tuple[int, ...]
    row_beats: int
    row_pitch: int
    mem_rows: int
    pad_top: int
    pad_bottom: int
    pad_left: int
    mem_cols: int
    pad_right: int
    row_words: int
    plane_words: int
    pad_value: int
    first_pixel: int
    phases: int
    contiguous: int
    phase_base: tuple[int, ...]
    phase_rot: tuple[int, ...]
    addresses: tuple[int, ...]
    window: int = 0
    extra_rows: int = 0
    extra_beats: int = 0
    first_row: int = 0
    drop_beats: int = 0
    tail_lanes: int = 0
    odd: int = 0
    step_rows: int = 0
    step_cols: int = 0
    wide: int = 0
    pad_lower: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightsFetch:
    """The fields of a `weights_fetch` record."""

    address: int
    beats: int
    repeats: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """The fields of a `pass` word."""

    list_start: int
    list_entries: int
    out_base: int
    out_byte: int
    take: int
    hand_over: int
    tile_last: int
    plane: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """The fields of a `store_tile` record."""

    address: int
    planes: int
    pool: int
    keep: int
    part: int
    plane_pitch: int
    row_pitch: int
    rows: int
    cols: int
    row_words: int
    plane_words: int
    kernel_h: int
    kernel_w: int
    stride_h: int
    stride_w: int
    phases_y: int
    phases_x: int
    phase_words: int
    origin_y: int
    origin_x: int
    valid_rows: int
    valid_cols: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrayTile:
    """The fields of an `array_tile` record."""

    rows: int
    groups: int
    row_step: int
    plane_words: int
    out_plane_words: int
    zero_point: int
    low: int
    high: int
    keep: int
    stream: int
    word_channels: int
    lookup: int
    summed: int
    wide: int
    bent: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ArraySum:
    """The fields of an `array_sum` record."""

    mult: int
    skip_mult: int
    shift: int
    zero_point: int
    bias: int
    low: int
    high: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrayWide:
    """The fields of an `array_wide` record."""

    zero_point: int
    low: int
    high: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrayBend:
    """The fields of an `array_bend` record."""

    mult: int
    shift: int
    zero_point: int
    low: int
    high: int
    bias: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TilePlan:
    """One tile. `fetches[i]` precede pass i; all others precede the first pass of the tile.

    `stores` is one record, one for each byte of 16 bits, or for each half of the output buffer one
    of what is pooled and one of the pooled pixels. With a sum, `skips` fill the halves of the skip
    buffer, one for each half that passes fill.
    """

    load: Load
    skips: tuple[Load, ...]
    stores: tuple[Store, ...]
    array: ArrayTile
    passes: tuple[Pass, ...]
    fetches: tuple[tuple[WeightsFetch, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StagePlan:
    """One fusion group: its lists, weights and tiles, row by row.

    `stored` are the tensors that it stores. `table` is what its outputs become, from that of -128
    on. `kept` is the tensor in front of the pooling if it is stored, too. `order` are the tiles
    that each core computes, in turn. `window` is the record of the layer in front of the array, if
    there is one.
    """

    group: Group
    input: str
    output: str
    stored: tuple[str, ...]
    kept: str | None
    window: tuple[int, ...]
    entries: tuple[Entry, ...]
    weights_address: int
    images: tuple[PassImage, ...]
    table: tuple[int, ...] | None
    sum: ArraySum | None
    wide: ArrayWide | None
    bend: ArrayBend | None
    tiles: tuple[TilePlan, ...]
    order: tuple[tuple[int, ...], ...]

    @property
    def name(self) -> str:
        """The convolution's name."""
        return self.group.name


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plan:
    """A network ready to run: stages in order and where everything lies in memory.

    `joined` are the concatenations, each with the tensors that hold its channels, one after the
    other; it has no memory of its own. Tensors of 16 bits, named in `wide`, are joined of their
    upper planes and then their lower ones.
    Memory is the window of on-chip memory if there is some, then weights, tensors (graph inputs
    first), and the program, from `program_address` to its end; all offsets from the base register.
    """

    name: str
    mapping: Mapping
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    tensors: MappingType[str, TensorPlan]
    joined: MappingType[str, tuple[str, ...]]
    wide: tuple[str, ...]
    stages: tuple[StagePlan, ...]
    weights_address: int
    weights_bytes: int
    program_address: int

    @property
    def accelerator(self) -> Accelerator:
        """The hardware that the plan is for."""
        return self.mapping.accelerator

    @property
    def weights(self) -> slice:
        """The bytes of memory that are weights."""
        return slice(self.weights_address, self.weights_address + self.weights_bytes)

    @property
    def variable(self) -> tuple[slice, ...]:
        """The bytes of memory that runs change: all but weights and program."""
        parts = (slice(0, self.weights.start), slice(self.weights.stop, self.program_address))
        return tuple(part for part in parts if part.start < part.stop)

    def on_chip(self, tensor: TensorPlan) -> bool:
        """Whether a tensor lies in on-chip memory."""
        return tensor.address < self.weights_address

    @property
    def tiles(self) -> int:
        """Stored tiles of a run."""
        return sum(len(stage.tiles) for stage in self.stages)

    def __str__(self) -> str:
        return "\n".join(_describe(self)) + "\n"


def _line(title: str, value: Any) -> str:
    texts = (f"{f.name}={getattr(value, f.name)}" for f in fields(value))
    return f"{title} {' '.join(texts)}"


def _describe(plan: Plan) -> Iterator[str]:
    """The plan as text, one line per thing."""
    yield f"plan {plan.name}: {len(plan.stages)} stages, {plan.tiles} tiles"
    weights = f"weights at {plan.weights_address}, {plan.weights_bytes} bytes"
    yield f"{weights}; program at {plan.program_address}"
    for tensor in plan.tensors.values():
        layout, kind = tensor.layout, "input" if tensor.name in plan.inputs else "tensor"
        place = " on chip" if plan.on_chip(tensor) else ""
        yield (
            f"{kind} {tensor.name} at {tensor.address}{place}, {layout.size} bytes: "
            f"{layout.channels}x{layout.height}x{layout.width}, row pitch {layout.row_pitch}, "
            f"plane pitch {layout.plane_pitch}, dead lanes {tensor.dead}"
        )
    for name, parts in plan.joined.items():
        yield f"joined {name}: {', '.join(parts)}"
    for stage in plan.stages:
        chain = stage.group.chain
        yield f"stage {chain}: {stage.input} -> {stage.output}, weights at {stage.weights_address}"
        yield from (_line(f"  entry {i}:", entry) for i, entry in enumerate(stage.entries))
        if stage.table is not None:
            yield f"  table: {' '.join(map(str, stage.table))}"
        if stage.sum is not None:
            yield _line("  sum", stage.sum)
        if stage.wide is not None:
            yield _line("  wide", stage.wide)
        if stage.bend is not None:
            yield _line("  bend", stage.bend)
        core_of = {tile: core for core, order in enumerate(stage.order) for tile in order}
        for number, tile in enumerate(stage.tiles):
            core = f" on core {core_of[number]}" if len(stage.order) > 1 else ""
            yield f"  tile {number}{core}:"
            yield _line("    load", tile.load)
            yield from (_line(f"    skip {i}:", item) for i, item in enumerate(tile.skips))
            yield _line("    array", tile.array)
            yield from (_line(f"    pass {i}:", item) for i, item in enumerate(tile.passes))
            yield from (_line("    store", store) for store in tile.stores)
            for index, fetches in enumerate(tile.fetches):
                yield from (_line(f"    before pass {index} fetch", fetch) for fetch in fetches)
