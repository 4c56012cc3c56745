# SPDX-License-Identifier: Apache-2.0
"""The records that store a tile."""

from collections.abc import Sequence
from dataclasses import replace

from flexcc.backend.plan import Store
from flexcc.backend.tensors import TensorPlan
from flexcc.tiles import Tile, Tiling

__all__ = ["tile_stores"]


def tile_stores(tiling_: Tiling, tile: Tile, targets: Sequence[TensorPlan]) -> tuple[Store, ...]:
    """The store records of a tile: one for each byte of 16 bits, which `targets` then are.

    Else what is pooled goes to the first of two targets, half by half: it is stored as it is and
    kept for the record that pools it.
    """
    *others, target = targets
    whole = _store(tiling_, tile, target)
    if tiling_.stage.output.wide:
        (upper,) = others
        return replace(_store(tiling_, tile, upper), part=1), whole
    kept = others[0] if others else None
    if kept is None:
        return (whole,)
    raw = _raw_store(tiling_, tile, kept)
    per_half = tiling_.accelerator.planes_per_half
    records = []
    for first in range(0, whole.planes, per_half):
        planes = min(per_half, whole.planes - first)
        for store in (raw, whole):
            part = store.part or first + planes < whole.planes
            address = store.address + first * store.plane_pitch
            if store.rows and store.cols:
                records.append(replace(store, address=address, planes=planes, part=int(part)))
    return tuple(records)


def _raw_store(tiling_: Tiling, tile: Tile, target: TensorPlan) -> Store:
    """The pixels of a tile that are pooled, those that no other tile stores."""
    rows, cols, layout = tile.rows.kept, tile.cols.kept, target.layout
    return replace(
        _store(tiling_, tile, target),
        address=target.address + rows.start * layout.row_pitch + cols.start * layout.lanes,
        pool=0,
        keep=1,
        part=1,
        rows=len(rows),
        cols=len(cols),
        kernel_h=1,
        kernel_w=1,
        stride_h=1,
        stride_w=1,
        origin_y=0,
        origin_x=0,
    )


def _store(tiling_: Tiling, tile: Tile, target: TensorPlan) -> Store:
    """The stored pixels of a tile; without pooling every window is the pixel itself."""
    layout, pool = target.layout, tiling_.stage.pool
    groups = tile.groups(tiling_.accelerator.p)
    taps, phase_words = tiling_.lists.taps, len(tile.rows.grid) * groups
    kernel, strides = ((1, 1), (1, 1)) if pool is None else (pool.kernel, pool.strides)
    begin = tile.rows.stored.start * layout.row_pitch + tile.cols.stored.start * layout.lanes
    return Store(
        address=target.address + begin,
        planes=layout.planes,
        pool=int(pool is not None),
        keep=0,
        part=0,
        plane_pitch=layout.plane_pitch,
        row_pitch=layout.row_pitch,
        rows=len(tile.rows.stored),
        cols=len(tile.cols.stored),
        row_words=groups,
        plane_words=phase_words * tiling_.lists.phase_slots,
        kernel_h=kernel[0],
        kernel_w=kernel[1],
        stride_h=strides[0],
        stride_w=strides[1],
        phases_y=taps.y.out_step,
        phases_x=taps.x.out_step,
        phase_words=phase_words,
        origin_y=tile.rows.origin,
        origin_x=tile.cols.origin,
        valid_rows=len(tile.rows.raw),
        valid_cols=len(tile.cols.raw),
    )
