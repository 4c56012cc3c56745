# SPDX-License-Identifier: Apache-2.0
"""The records that load a tile's window and the pixels of its second tensor."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from flexcc.backend.plan import Load
from flexcc.backend.tensors import TensorPlan
from flexcc.ir.planes import split_planes
from flexcc.ir.types import Quantization
from flexcc.program.formats import MAX_CORES, MAX_PHASES
from flexcc.tiles import Tiling
from flexcc.waits import WaitingTile

__all__ = ["padding", "tile_load", "tile_skips"]

_BYTE = 8


def tile_load(tiling_: Tiling, waiting: WaitingTile, sources: Sequence[TensorPlan]) -> Load:
    """The input window of a tile; a window without a single pixel is padding rows only.

    `sources` hold the input's channels.
    """
    tile, core, waits = waiting.tile, waiting.core, waiting.waits
    rows, cols, layout = tile.rows, tile.cols, sources[0].layout
    window = tiling_.stage.window
    within = rows.count > 0 and cols.count > 0
    read, beats = rows.read, tiling_.beats(cols)
    row_pitch = read.step * layout.row_pitch
    row_beats = beats.beats if within else 0
    begin = beats.first_beat * layout.beat_bytes + read.start * layout.row_pitch if within else 0
    columns = tiling_.columns
    unused = (0,) * (MAX_PHASES - columns.stride)
    quantization = tiling_.stage.input.quantization
    assert quantization is not None
    front = window is not None and within
    pad, pad_lower = padding(quantization)
    step_rows, step_cols = (0, 0) if window is None else (s - 1 for s in window.strides)
    return Load(
        wait_tiles=waits[core],
        core_tiles=_other_cores(waits, core),
        row_beats=row_beats,
        row_pitch=row_pitch,
        mem_rows=read.count if within else 0,
        pad_top=rows.pad_before if within else rows.window,
        pad_bottom=rows.pad_after if within else 0,
        pad_left=cols.pad_before if within else cols.window,
        mem_cols=cols.count if within else 0,
        pad_right=cols.pad_after if within else 0,
        row_words=columns.row_words,
        plane_words=tiling_.plane_words,
        pad_value=pad,
        wide=int(tiling_.stage.input.wide),
        pad_lower=pad_lower,
        first_pixel=beats.first_pixel if within else 0,
        phases=columns.stride,
        contiguous=int(row_pitch == row_beats * layout.beat_bytes),
        phase_base=(*columns.base, *unused),
        phase_rot=(*columns.rotation, *unused),
        window=int(front),
        extra_rows=read.extra if front else 0,
        extra_beats=beats.extra_beats if front else 0,
        first_row=read.first if front else 0,
        drop_beats=beats.drop_beats if front else 0,
        tail_lanes=beats.tail_lanes if front else 0,
        odd=beats.odd if front else 0,
        step_rows=step_rows if front else 0,
        step_cols=step_cols if front else 0,
        addresses=tuple(begin + plane for source in sources for plane in source.planes()),
    )


def tile_skips(tiling_: Tiling, waiting: WaitingTile, source: TensorPlan) -> tuple[Load, ...]:
    """The pixels of a second tensor, each in the word where the output buffer has its own.

    A row phase of a plane is loaded as a plane of its own, column phases as those of a stride. All
    row phases are loaded with equally many rows, some beyond the tensor's last. Of rows that are
    repeated without phases each is a plane of its own, too. Planes that memory has not are padding.
    """
    tile, core = waiting.tile, waiting.core
    layout, taps, second = source.layout, tiling_.lists.taps, tiling_.stage.second
    assert second is not None
    rows, cols = tile.rows.raw, tile.cols.raw
    groups = tile.groups(tiling_.accelerator.p)
    phase_words = len(tile.rows.grid) * groups
    first_beat = cols.start // layout.beat_pixels
    row_beats = (cols.stop - 1) // layout.beat_pixels - first_beat + 1
    begin = source.address + first_beat * layout.beat_bytes
    # Rows that a plane of a record holds, and the row of memory that each of these begins with.
    apart = second.repeats > taps.y.out_step
    mem_rows = 1 if apart else len(tile.rows.grid)
    stop = rows.stop if apart else rows.start + taps.y.out_step
    row_pitch = max(1, taps.y.out_step // second.repeats) * layout.row_pitch
    steps = taps.x.out_step
    unused = (0,) * (MAX_PHASES - steps)
    waits = waiting.skip_waits or (0,) * tiling_.accelerator.cores
    loaded = tuple(
        Load(
            wait_tiles=waits[core],
            core_tiles=_other_cores(waits, core),
            row_beats=row_beats,
            row_pitch=row_pitch,
            mem_rows=mem_rows,
            pad_top=0,
            pad_bottom=0,
            pad_left=0,
            mem_cols=len(cols),
            pad_right=0,
            row_words=groups,
            plane_words=groups if apart else steps * phase_words,
            pad_value=0,
            first_pixel=cols.start % layout.beat_pixels,
            phases=steps,
            contiguous=int(row_pitch == row_beats * layout.beat_bytes),
            phase_base=(*(phase * phase_words for phase in range(steps)), *unused),
            phase_rot=(0,) * MAX_PHASES,
            addresses=tuple(
                begin + plane * layout.plane_pitch + row // second.repeats * layout.row_pitch
                for plane in planes
                for row in range(rows.start, stop)
            ),
        )
        for planes in tiling_.planes_of_halves
    )
    return tuple(
        load if planes.start < layout.planes else _zeros(load, source)
        for load, planes in zip(loaded, tiling_.planes_of_halves, strict=True)
    )


def _zeros(load: Load, source: TensorPlan) -> Load:
    """A load of `source` as a second tensor, with nothing but padding."""
    quantization = source.type.quantization
    assert quantization is not None
    return replace(
        load,
        wait_tiles=0,
        core_tiles=(0,) * len(load.core_tiles),
        row_beats=0,
        mem_rows=0,
        pad_top=load.mem_rows,
        pad_left=load.mem_cols,
        mem_cols=0,
        pad_value=padding(quantization)[0],
        first_pixel=0,
        contiguous=0,
        addresses=(0,) * len(load.addresses),
    )


def padding(quantization: Quantization) -> tuple[int, int]:
    """The padding byte, or of 16 bits that of upper and that of lower planes."""
    if quantization.bits == _BYTE:
        return quantization.zero_point, 0
    upper, lower = split_planes(np.array(quantization.zero_point, np.int16))
    return int(upper), int(lower)


def _other_cores(waits: tuple[int, ...], core: int) -> tuple[int, ...]:
    """The tiles of each core to wait for; a core's own are in the record itself."""
    others = [0 if other == core else count for other, count in enumerate(waits)]
    return (*others, *(0,) * (MAX_CORES - len(others)))
