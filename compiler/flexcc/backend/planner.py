# SPDX-License-Identifier: Apache-2.0
"""Resolves a graph and its mapping into a plan: what lies where, stage by stage.

Tensors never share addresses, so a store can only meet a load of the same tensor, and that load
waits for the stored tiles it needs. Those on the chip share RAM where the old tensor's last load
belongs to a tile no later than the new tensor's first store: a store needs its tile's load, and
loads come in order.
"""

from collections.abc import Mapping as MappingType
from collections.abc import Sequence
from dataclasses import replace
from operator import add

from flexcc.backend.lists import reduction_lists
from flexcc.backend.loads import padding, tile_load, tile_skips
from flexcc.backend.passes import array_tile, tile_fetches, tile_passes
from flexcc.backend.plan import Load, Plan, StagePlan, TilePlan
from flexcc.backend.resolved import Resolved, resolve
from flexcc.backend.stores import tile_stores
from flexcc.backend.tensors import Placement, TensorPlan
from flexcc.backend.window import window_record
from flexcc.cores import core_tiles
from flexcc.dse.mapping import Mapping
from flexcc.errors import InputError
from flexcc.ir.graph import Graph
from flexcc.ir.layers import Concat
from flexcc.ir.planes import plane_names
from flexcc.ir.types import TensorType
from flexcc.joins import stored_parts
from flexcc.tiles import Stage
from flexcc.waits import StoredTiles, stored_tiles

__all__ = ["build_plan"]

# Cores know of each other's tiles modulo 2^16.
_MOST_TILES = 1 << 15


def build_plan(graph: Graph, mapping: Mapping) -> Plan:
    """Resolves a lowered graph and its mapping, which must be legal.

    Raises:
        InputError: names a layer whose numbers the hardware cannot represent.
    """
    accelerator = mapping.accelerator
    resolved = [resolve(graph, group, accelerator) for group in mapping.groups]
    weights_bytes = sum(stage.size for stage in resolved)

    memory = Placement(
        _stored_types(graph),
        accelerator,
        accelerator.on_chip_window + weights_bytes,
        {item.tensor: item.address for item in mapping.residents},
    )
    beyond = _rows_beyond(resolved)
    for port in graph.inputs:
        memory.place(
            port.tensor,
            dead=0,
            word_channels=accelerator.n,
            rows_beyond=beyond.get(port.tensor, 0),
        )
    for stage in resolved:
        own = stage.tiling.stage
        skip = _dead_second(own, memory)
        for tensor in own.stored_tensors:
            memory.place(
                tensor,
                dead=stage.dead(tensor, skip),
                word_channels=stage.tiling.lists.word_channels,
                rows_beyond=beyond.get(tensor, 0),
            )

    stages: list[StagePlan] = []
    producers: dict[str, StoredTiles] = {}
    weights_address, first = accelerator.on_chip_window, (0,) * accelerator.cores
    for stage in resolved:
        plan = _stage_plan(
            stage,
            weights_address=weights_address,
            tensors=memory.tensors,
            producers=producers,
        )
        stages.append(plan)
        producers.update(stored_tiles(stage.tiling, first))
        weights_address += stage.size
        first = tuple(map(add, first, map(len, plan.order)))
    if accelerator.cores > 1 and max(first) >= _MOST_TILES:
        raise InputError(
            f"{graph.name}: a core computes {max(first)} tiles, and cores can tell each other of "
            f"{_MOST_TILES - 1} at most; take fewer cores or a device with more block RAM"
        )
    return Plan(
        name=graph.name,
        mapping=mapping,
        inputs=tuple(port.tensor for port in graph.inputs),
        outputs=tuple(port.tensor for port in graph.outputs),
        tensors=memory.tensors,
        joined=_joined(graph),
        wide=tuple(name for name, type_ in graph.tensors.items() if type_.wide),
        stages=tuple(stages),
        weights_address=accelerator.on_chip_window,
        weights_bytes=weights_bytes,
        program_address=memory.end,
    )


def _stage_plan(
    resolved: Resolved,
    *,
    weights_address: int,
    tensors: MappingType[str, TensorPlan],
    producers: MappingType[str, StoredTiles],
) -> StagePlan:
    tiling_, group = resolved.tiling, resolved.group
    stage = tiling_.stage
    entries, ranges = reduction_lists(tiling_)
    second = stage.skip_tensor
    tiles = tuple(tiling_.tiles())
    sources = [tensors[name] for name in stage.sources]
    stored = [producers[name] for name in stage.sources if name in producers]
    targets = [tensors[name] for name in stage.stored_tensors]
    order = core_tiles(len(tiling_.rows), len(tiling_.cols), tiling_.accelerator.cores)
    plans: dict[int, TilePlan] = {}
    for core, own in enumerate(order):
        for number in own:
            tile = tiles[number]
            array = array_tile(
                tiling_,
                tile,
                resolved.requantization[0],
                mode=group.weights,
                last=number == own[-1],
            )
            skips: tuple[Load, ...] = ()
            if second is not None:
                skips = tile_skips(tiling_, tile, tensors[second], producers.get(second), core)
            plans[number] = TilePlan(
                load=tile_load(tiling_, tile, sources, stored, core),
                skips=skips,
                stores=tile_stores(tiling_, tile, targets),
                array=array,
                passes=tile_passes(tiling_, tile, ranges),
                fetches=tile_fetches(
                    resolved.images,
                    weights_address,
                    tiling_.accelerator.beat_bytes,
                    mode=group.weights,
                    first=number == own[0],
                    pixel_groups=array.rows * array.groups,
                ),
            )
    return StagePlan(
        group=group,
        input=stage.input_tensor,
        output=stage.output_tensor,
        stored=stage.stored_tensors,
        kept=stage.kept_tensor,
        window=window_record(tiling_),
        entries=entries,
        weights_address=weights_address,
        images=resolved.images,
        table=resolved.table,
        sum=resolved.sum,
        wide=resolved.wide,
        bend=resolved.bend,
        tiles=tuple(plans[number] for number in range(len(tiles))),
        order=order,
    )


def _joined(graph: Graph) -> dict[str, tuple[str, ...]]:
    """The stored tensors that hold each concatenation or tensor of 16 bits, in order."""
    return {
        layer.output: tuple(part.tensor for part in stored_parts(graph, layer.output))
        for layer in graph.layers
        if isinstance(layer, Concat) or graph.tensors[layer.output].wide
    }


def _stored_types(graph: Graph) -> dict[str, TensorType]:
    """The types of all tensors and, of 16 bits, of their planes."""
    types = dict(graph.tensors)
    for name, type_ in graph.tensors.items():
        if type_.wide:
            plane = replace(type_, quantization=None)
            types.update(dict.fromkeys(plane_names(name), plane))
    return types


def _rows_beyond(resolved: Sequence[Resolved]) -> dict[str, int]:
    """Rows of memory that second tensors need behind their last: see `tile_skips`."""
    result: dict[str, int] = {}
    for stage in resolved:
        skip, steps = stage.tiling.stage.skip_tensor, stage.tiling.lists.taps.y.out_step
        if skip is not None:
            result[skip] = max(result.get(skip, 0), steps - 1)
    return result


def _dead_second(stage: Stage, memory: Placement) -> int:
    """What is added in lanes without a channel: what the second tensor holds there, or its zero."""
    if stage.second is None:
        return 0
    stored = memory.tensors[stage.second.tensor]
    if stage.raw.channels == stage.second.channels:
        return stored.dead
    assert stored.type.quantization is not None
    return padding(stored.type.quantization)[0]
