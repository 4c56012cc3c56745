# SPDX-License-Identifier: Apache-2.0
"""Kernel elements folded into lanes, for a convolution that reads what the host packs.

An image of few channels leaves most lanes of the array idle. The host lays neighbouring pixels, as
far apart as the kernel's columns (and rows) are, into the channels of one: a kernel of kh x kw
becomes one of ceil(kh / fy) x ceil(kw / fx) over C*fy*fx channels, and reads the same numbers.
"""

from collections.abc import Iterator, Mapping, Sequence
from math import gcd

from flexcc.dse.axis_rewrite import AxisRewrite
from flexcc.dse.layer_cost import ArrayModel, Cost, Site
from flexcc.dse.layer_rewrite import UNBLOCKED, Block, rewrite_layer
from flexcc.ir.layers import Conv2d
from flexcc.ir.packing import AxisPacking, Packing, block, block_axis

__all__ = ["MOST_PLANES", "best_packing", "packings", "shared_packings"]

MOST_PLANES = 8
"""Planes that a packed input has at most."""


def packings(site: Site, blocks: Block, lanes: int) -> Iterator[Packing]:
    """Ways to pack the input of a layer that writes in blocks: none first, then folded ones.

    A packing has at most `lanes` channels. Transposed and grouped convolutions are not folded.
    """
    source, target = site.source, site.target
    plain = block(source.height, source.width, *UNBLOCKED)
    yield plain
    packed = source.packing is not None
    if packed or not isinstance(site.conv, Conv2d) or site.conv.groups > 1:
        return
    rewrite = rewrite_layer(site.conv, source, target, plain, blocks)
    if rewrite is None or rewrite.y.transposed:
        return
    rows = list(_axis_packings(rewrite.y, source.height, target.height // blocks[0]))
    cols = list(_axis_packings(rewrite.x, source.width, target.width // blocks[1]))
    for y in rows:
        for x in cols:
            packing = Packing(y=y, x=x)
            if packing != plain and source.channels * packing.lanes <= lanes:
                yield packing


def best_packing(site: Site, blocks: Block, array: ArrayModel) -> tuple[Cost, Packing] | None:
    """The cheapest packing of a layer's input and its cost; of equal ones the fewest lanes."""
    costs = (
        (packing, site.cost(packing, blocks, array))
        for packing in packings(site, blocks, MOST_PLANES * array.n)
    )
    legal = [(cost, packing) for packing, cost in costs if cost is not None]
    return min(legal, key=lambda item: (item[0], item[1].lanes, item[1].y.lanes), default=None)


def shared_packings(
    sites: Sequence[Site], blocks: Mapping[str, Block], array: ArrayModel
) -> list[Packing]:
    """A packing for each reader of one input, from packings that few copies of the input serve.

    `blocks` are those of the readers' outputs, by layer. The layer that costs most chooses first.
    The others take a packing chosen before them where it costs them no more cycles than their own.
    """
    costs: dict[int, Cost] = {}
    chosen: dict[int, Packing] = {}
    own = [best_packing(site, blocks[site.conv.name], array) for site in sites]
    for number, best in enumerate(own):
        assert best is not None, "an input that is not packed is always legal"
        costs[number], chosen[number] = best
    taken: list[Packing] = []
    for number in sorted(costs, key=lambda number: (-costs[number].cycles, number)):
        site, cycles = sites[number], costs[number].cycles
        for packing in taken:
            cost = site.cost(packing, blocks[site.conv.name], array)
            if cost is not None and cost.cycles <= cycles:
                chosen[number] = packing
                break
        else:
            taken.append(chosen[number])
    return [chosen[number] for number in range(len(sites))]


def _axis_packings(axis: AxisRewrite, size: int, outputs: int) -> Iterator[AxisPacking]:
    """For each number of kernel elements that can be left, the fewest lanes that leave it.

    Position X of lane j is the pixel that kernel element j reads X*step pixels behind the first
    output's window; `step` divides all strides that are left, so that no position is skipped.
    """
    yield block_axis(size, 1)
    for left in range(axis.kernel - 1, 0, -1):
        lanes = -(-axis.kernel // left)
        if -(-axis.kernel // lanes) != left:
            continue
        distance = lanes * axis.dilation
        step = gcd(axis.stride, distance) if left > 1 else axis.stride
        reach = (outputs - 1) * axis.stride + (left - 1) * distance
        yield AxisPacking(
            lanes=lanes,
            distance=axis.dilation,
            step=step,
            offset=axis.before,
            size=size,
            extent=reach // step + 1,
        )
