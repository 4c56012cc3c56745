# SPDX-License-Identifier: Apache-2.0
"""Stages whose numbers are known, and not yet their places in memory."""

from dataclasses import dataclass

import numpy as np

from flexcc.accelerator import Accelerator
from flexcc.backend.plan import ArrayBend, ArraySum, ArrayWide
from flexcc.backend.weights import (
    PassImage,
    bend_requantization,
    pass_images,
    stage_requantization,
)
from flexcc.dse.mapping import Group, WeightMode, group_tiling, stage_of
from flexcc.ir.arithmetic import output_of, sum_scaling, table_entries
from flexcc.ir.fixed_point import round_shift
from flexcc.ir.graph import Graph
from flexcc.ir.planes import split_planes
from flexcc.ir.requantize import Requantization
from flexcc.tiles import Stage, Tiling

__all__ = ["Resolved", "resolve"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Resolved:
    """A stage whose place in memory is not known yet."""

    group: Group
    tiling: Tiling
    requantization: tuple[Requantization, ...]
    images: tuple[PassImage, ...]
    table: tuple[int, ...] | None
    sum: ArraySum | None
    bend: ArrayBend | None

    def dead(self, tensor: str, skip: int) -> int:
        """What lanes of a stored tensor without a channel hold.

        `skip` is what those of the second tensor hold.
        """
        rq = self.requantization[0]
        value = min(max(rq.zero_point, rq.low), rq.high)
        if self.tiling.stage.output.wide:
            planes = map(int, split_planes(np.array(value, np.int16)))
            return dict(zip(self.tiling.stage.stored_tensors, planes, strict=True))[tensor]
        if self.sum is not None:
            value = _summed(self.sum, value, skip)
        if self.bend is not None:
            value = _bent(self.bend, value)
        return value if self.table is None else self.table[value + 128]

    @property
    def wide(self) -> ArrayWide | None:
        """Of outputs of 16 bits, the numbers that bytes cannot say."""
        if not self.tiling.stage.wide:
            return None
        rq = self.requantization[0]
        return ArrayWide(zero_point=rq.zero_point, low=rq.low, high=rq.high)

    @property
    def size(self) -> int:
        """Bytes of its weights and parameters."""
        return sum(image.size for image in self.images)


def resolve(graph: Graph, group: Group, accelerator: Accelerator) -> Resolved:
    """The numbers of a stage.

    Raises:
        InputError: names a layer whose numbers the hardware cannot represent.
    """
    tiling_ = group_tiling(stage_of(graph, group.chain), group, accelerator)
    rq = stage_requantization(tiling_)
    split = group.weights is WeightMode.STREAM
    bend = bend_requantization(tiling_.stage)
    images = pass_images(tiling_, rq, split=split, bend=bend)
    return Resolved(
        group=group,
        tiling=tiling_,
        requantization=rq,
        images=images,
        sum=_array_sum(graph, tiling_.stage),
        bend=_array_bend(bend),
        table=_table(graph, tiling_.stage),
    )


def _table(graph: Graph, stage: Stage) -> tuple[int, ...] | None:
    """The entries of a stage's table.

    Raises:
        InputError: its function is not defined anywhere in the input's range.
    """
    if stage.table is None:
        return None
    source, target = (
        graph.tensors[name].quantization for name in (stage.table.inputs[0], stage.table.output)
    )
    assert source is not None
    assert target is not None
    return tuple(int(entry) for entry in table_entries(stage.table, source, target))


def _array_sum(graph: Graph, stage: Stage) -> ArraySum | None:
    """The numbers of a stage's sum; the convolution's output may be either operand."""
    if stage.sum is None:
        return None
    layer = stage.sum
    first, second, target = (
        graph.tensors[name].quantization for name in (*layer.inputs, layer.output)
    )
    assert first is not None
    assert second is not None
    assert target is not None
    scaling, output = sum_scaling(layer, first, second, target), output_of(layer.clamp, target)
    own = layer.inputs.index(stage.conv.output)
    return ArraySum(
        mult=scaling.multipliers[own],
        skip_mult=scaling.multipliers[1 - own],
        shift=scaling.shift,
        zero_point=output.zero_point,
        bias=scaling.bias,
        low=output.low,
        high=output.high,
    )


def _array_bend(bend: Requantization | None) -> ArrayBend | None:
    """The numbers of sums above the channels' limits, the same for all channels."""
    if bend is None:
        return None
    return ArrayBend(
        mult=int(bend.multiplier[0]),
        shift=int(bend.shift[0]),
        zero_point=bend.zero_point,
        low=bend.low,
        high=bend.high,
        bias=int(bend.bias[0]),
    )


def _bent(bend: ArrayBend, value: int) -> int:
    """What becomes of a sum in a lane without a channel, whose second record is zero."""
    step = 0
    if value > 0:
        step = int(round_shift(np.array(value * bend.mult + bend.bias, np.int64), bend.shift))
    return min(max(step + bend.zero_point, bend.low), bend.high)


def _summed(sum_: ArraySum, own: int, skip: int) -> int:
    """One sum."""
    total = np.array(own * sum_.mult + skip * sum_.skip_mult + sum_.bias, np.int64)
    value = int(round_shift(total, sum_.shift)) + sum_.zero_point
    return min(max(value, sum_.low), sum_.high)
