# SPDX-License-Identifier: Apache-2.0
"""Which mappings are legal: what a stage in tiles needs of buffers, lists and record fields."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import lcm

from flexcc.dse.mapping import WeightMode
from flexcc.dse.traffic import image_beats, row_beats
from flexcc.program.formats import (
    ARRAY_TILE,
    LIST_ENTRY,
    LOAD_TILE,
    PASS,
    STORE_TILE,
    WEIGHTS_FETCH,
    Format,
)
from flexcc.tiles import StageLists, Tiling
from flexcc.windows import MOST_TAPS, window_taps_needed

__all__ = [
    "Shortage",
    "column_choices",
    "first_shortage",
    "legal_modes",
    "row_choices",
    "shortages",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortage:
    """Why a mapping is not legal: `layer` needs more of `resource` than there is."""

    layer: str
    resource: str
    needed: int
    available: int
    remedy: str

    def __str__(self) -> str:
        return (
            f"{self.layer}: {self.resource}: {self.needed} needed, {self.available} available; "
            f"{self.remedy}"
        )


def legal_modes(lists: StageLists, *, weight_words: int, param_passes: int) -> list[WeightMode]:
    """The weight modes that the rings allow, best first.

    Kept weights need all words and parameters of the layer in the rings, weights for one tile the
    words of its longest pass; streamed ones always fit.
    """
    steps = lists.pass_steps
    modes = []
    if sum(steps) <= weight_words and len(steps) <= param_passes:
        modes.append(WeightMode.KEEP)
    if max(steps) <= weight_words:
        modes.append(WeightMode.RELOAD)
    return modes or [WeightMode.STREAM]


def row_choices(height: int, step: int = 1) -> list[int]:
    """Tile heights that give different numbers of tiles: the least multiples of `step` for each."""
    units = -(-height // step)
    return sorted({min(-(-units // tiles) * step, height) for tiles in range(1, units + 1)})


def column_choices(width: int, beat_pixels: int, step: int = 1) -> list[int]:
    """Tile widths: the whole row, or whole beats, so that tiles are stored from a beat on.

    A tile begins at a multiple of `step`, too.
    """
    unit = lcm(beat_pixels, step)
    units = -(-width // unit)
    return sorted({*(u * unit for u in row_choices(units)[:-1]), width})


_LIMITS = {
    (format_.name, field.name): (1 << (field.width - field.signed)) - 1
    for format_ in (ARRAY_TILE, LIST_ENTRY, LOAD_TILE, PASS, STORE_TILE, WEIGHTS_FETCH)
    for word in format_.words
    for field in word
}
"""The largest value of every record field."""


def _field_needs(tiling: Tiling, mode: WeightMode) -> Iterator[tuple[Format, str, int]]:
    """Every record field that a large layer can outgrow, with its largest value."""
    a, columns = tiling.accelerator, tiling.columns
    grid_rows = max(len(row.grid) for row in tiling.rows)
    groups = max(-(-len(col.grid) // a.p) for col in tiling.cols)
    phase_words = grid_rows * groups
    window_rows = max(row.window for row in tiling.rows)
    window_cols = max(col.window for col in tiling.cols)
    beats = max(row_beats(col, a.beat_pixels) for col in tiling.cols)
    image, raw = tiling.stage.source, tiling.stage.raw
    pitch = -(-image.width // a.beat_pixels) * a.beat_bytes
    out_pitch = -(-tiling.stage.output.width // a.beat_pixels) * a.beat_bytes
    raw_pitch = -(-raw.width // a.beat_pixels) * a.beat_bytes
    fixed, streamed = image_beats(tiling, stream=mode is WeightMode.STREAM)
    rows = max(row.read.count for row in tiling.rows)
    yield LOAD_TILE, "planes", tiling.in_planes
    yield LOAD_TILE, "row_beats", beats
    yield LOAD_TILE, "row_pitch", pitch * tiling.rows[0].read.step
    yield LOAD_TILE, "mem_rows", max(window_rows, rows)
    yield LOAD_TILE, "mem_cols", window_cols
    yield LOAD_TILE, "row_words", columns.row_words
    yield LOAD_TILE, "plane_words", tiling.plane_words
    yield WEIGHTS_FETCH, "beats", max(fixed, streamed, rows * beats)
    yield WEIGHTS_FETCH, "repeats", phase_words if mode is WeightMode.STREAM else 1
    yield LIST_ENTRY, "base", tiling.act_words - 1
    yield LIST_ENTRY, "run", max(tiling.lists.steps)
    yield PASS, "list_entries", tiling.lists.entries
    yield ARRAY_TILE, "rows", grid_rows
    yield ARRAY_TILE, "groups", groups
    yield ARRAY_TILE, "row_step", tiling.row_step
    yield ARRAY_TILE, "out_plane_words", phase_words * tiling.lists.phase_slots
    yield PASS, "out_base", phase_words * (tiling.lists.phase_slots - 1)
    yield STORE_TILE, "phases_y", tiling.lists.taps.y.out_step
    yield STORE_TILE, "phases_x", tiling.lists.taps.x.out_step
    yield STORE_TILE, "planes", tiling.out_planes
    yield STORE_TILE, "row_pitch", out_pitch
    yield STORE_TILE, "plane_pitch", out_pitch * (tiling.stage.output.height + 1)
    if tiling.stage.keeps:
        yield STORE_TILE, "row_pitch", raw_pitch
        yield STORE_TILE, "plane_pitch", raw_pitch * (raw.height + 1)
    yield STORE_TILE, "origin_y", max(abs(row.origin) for row in tiling.rows)
    yield STORE_TILE, "origin_x", max(abs(col.origin) for col in tiling.cols)


def shortages(tiling: Tiling, mode: WeightMode) -> Iterator[Shortage]:
    """Everything that `tiling` lacks on its accelerator; nothing when it is legal."""
    a, lists, name = tiling.accelerator, tiling.lists, tiling.stage.name
    ram = "or a device with more block RAM"
    steps = lists.pass_steps
    ring = {WeightMode.KEEP: sum(steps), WeightMode.RELOAD: max(steps), WeightMode.STREAM: 1}[mode]
    passes = len(steps) if mode is WeightMode.KEEP else 1
    needs = (
        ("words of the weight ring", ring, a.weight_words, "stream the weights"),
        ("passes of the parameter ring", passes, a.param_passes, "fetch the weights for each tile"),
        (
            "words of the activation buffer",
            tiling.act_words,
            a.act_words,
            f"use more columns (P) or lanes (N), {ram}",
        ),
        (
            "words of the output buffer",
            tiling.out_words,
            a.out_words,
            f"use more columns (P) or fewer rows (M), {ram}",
        ),
        (
            "reduction list entries",
            lists.entries,
            a.list_entries,
            "use an array with more output channels (M), which needs fewer lists",
        ),
    )
    for resource, needed, available, remedy in (*needs, *_window_needs(tiling)):
        if needed > available:
            yield Shortage(
                layer=name, resource=resource, needed=needed, available=available, remedy=remedy
            )
    for format_, field, value in _field_needs(tiling, mode):
        limit = _LIMITS[format_.name, field]
        if value > limit:
            yield Shortage(
                layer=name,
                resource=f"record field {format_.name}.{field}",
                needed=value,
                available=limit,
                remedy="split the layer, its image is too large",
            )
    yield from _misplaced(tiling)


def _window_needs(tiling: Tiling) -> Iterator[tuple[str, int, int, str]]:
    """What a layer in front needs of the window engine."""
    a, layer = tiling.accelerator, tiling.stage.window
    if layer is None:
        return
    taps = window_taps_needed(layer)
    remedy = "run the depthwise layer on the array"
    needed = MOST_TAPS**2 + 1 if taps is None else taps
    yield "taps of the window engine", needed, a.window_taps, remedy
    yield "channels of the window engine", tiling.in_planes * a.n, a.window_channels, remedy
    if a.window_taps > 1:
        beats = max(tiling.beats(col).beats for col in tiling.cols)
        yield "beats of a row in the window engine", beats, a.window_beats, "cut rows into tiles"


def _misplaced(tiling: Tiling) -> Iterator[Shortage]:
    """Tiles that begin within a memory beat or between two output phases."""
    beats, name = tiling.accelerator.beat_pixels, tiling.stage.name
    if any(col.stored.start % beats for col in tiling.cols):
        yield Shortage(
            layer=name,
            resource="pixels of a beat at a tile's left edge",
            needed=tiling.cols[1].stored.start % beats,
            available=0,
            remedy="let column tiles begin with a beat",
        )
    taps = tiling.lists.taps
    for axis, tiles in ((taps.y, tiling.rows), (taps.x, tiling.cols)):
        if any(tile.stored.start % axis.out_step for tile in tiles):
            yield Shortage(
                layer=name,
                resource="pixels of an output step at a tile's edge",
                needed=tiles[1].stored.start % axis.out_step,
                available=0,
                remedy="let tiles begin at multiples of the output step",
            )


def first_shortage(tiling: Tiling, mode: WeightMode) -> Shortage | None:
    """One reason why `tiling` is not legal, or None."""
    return next(shortages(tiling, mode), None)
