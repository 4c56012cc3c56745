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
from flexcc.backend.plan import Plan, StagePlan, TilePlan
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
from flexcc.tiles import Stage, rows_beyond
from flexcc.waits import WaitingTile, waiting_tiles

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
    tilings = [stage.tiling for stage in resolved]
    beyond = rows_beyond(tilings)
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
    weights_address, computed = accelerator.on_chip_window, (0,) * accelerator.cores
    for stage, tiles in zip(resolved, waiting_tiles(tilings), strict=True):
        plan = _stage_plan(stage, tiles, weights_address=weights_address, tensors=memory.tensors)
        stages.append(plan)
        weights_address += stage.size
        computed = tuple(map(add, computed, map(len, plan.order)))
    if accelerator.cores > 1 and max(computed) >= _MOST_TILES:
        raise InputError(
            f"{graph.name}: a core computes {max(computed)} tiles, and cores can tell each other "
            f"of {_MOST_TILES - 1} at most; take fewer cores or a device with more block RAM"
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
    tiles: Sequence[WaitingTile],
    *,
    weights_address: int,
    tensors: MappingType[str, TensorPlan],
) -> StagePlan:
    tiling_, group = resolved.tiling, resolved.group
    stage = tiling_.stage
    entries, ranges = reduction_lists(tiling_)
    second = stage.skip_tensor
    sources = [tensors[name] for name in stage.sources]
    targets = [tensors[name] for name in stage.stored_tensors]
    plans: dict[int, TilePlan] = {}
    for item in tiles:
        tile = item.tile
        array = array_tile(
            tiling_,
            tile,
            resolved.requantization[0],
            mode=group.weights,
            last=item.last,
        )
        plans[item.number] = TilePlan(
            load=tile_load(tiling_, item, sources),
            skips=() if second is None else tile_skips(tiling_, item, tensors[second]),
            stores=tile_stores(tiling_, tile, targets),
            array=array,
            passes=tile_passes(tiling_, tile, ranges),
            fetches=tile_fetches(
                resolved.images,
                weights_address,
                tiling_.accelerator.beat_bytes,
                mode=group.weights,
                first=item.first,
                pixel_groups=array.rows * array.groups,
            ),
        )
    order = core_tiles(len(tiling_.rows), len(tiling_.cols), tiling_.accelerator.cores)
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


def _dead_second(stage: Stage, memory: Placement) -> int:
    """What is added in lanes without a channel: what the second tensor holds there, or its zero."""
    if stage.second is None:
        return 0
    stored = memory.tensors[stage.second.tensor]
    if stage.raw.channels == stage.second.channels:
        return stored.dead
    assert stored.type.quantization is not None
    return padding(stored.type.quantization)[0]
