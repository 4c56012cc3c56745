# SPDX-License-Identifier: Apache-2.0
"""Kernel elements folded into lanes behind a layer of single values that reads a graph input.

A normalisation with an activation between the image and the first convolution keeps the host from
packing what that convolution reads. It may pack what the normalisation reads instead, for that one
computes lane by lane. Only the padding would be wrong, as it is zero behind the normalisation and
not in front: so the host lays an integer outside the image that the layer turns into the zero
point. Where no integer does so for all channels, nothing is changed.
"""

from dataclasses import replace

import numpy as np

from flexcc.dse.fold_kernel import MOST_PLANES, packings
from flexcc.dse.input_forms import input_forms
from flexcc.dse.layer_cost import ArrayModel, Cost, layer_cost, site_of
from flexcc.dse.layer_rewrite import UNBLOCKED, rewrite_layer
from flexcc.dse.space_to_depth import block_choices
from flexcc.ir.graph import Graph
from flexcc.ir.layers import Conv2d, Convolution, Layer, Pads
from flexcc.ir.packing import Packing, block
from flexcc.ir.requantize import requantization, requantize
from flexcc.ir.types import TensorType
from flexcc.ir.verify import verify

__all__ = ["fold_through", "neutral_integer"]


def fold_through(graph: Graph, array: ArrayModel) -> Graph:
    """An equal graph, with inputs packed in front of layers of single values where that is cheaper.

    Values of its tensors are `TensorType.pack` of the same in `graph`.
    """
    found: dict[str, Packing] = {}
    behind: dict[str, Packing] = {}
    for port in graph.inputs:
        for front in graph.users(port.tensor):
            if isinstance(front, Conv2d) and front.of_single_values:
                packing = _best_packing(graph, front, array)
                if packing is not None:
                    (reader,) = graph.users(front.output)
                    found[front.name], behind[reader.name] = packing, replace(packing, padding=None)
                    found.update(_sharing(graph, port.tensor, packing, array))
    return _rewritten(graph, found, behind) if found else graph


def neutral_integer(front: Conv2d, source: TensorType, target: TensorType) -> int | None:
    """The integer, nearest to the zero point, of which every channel makes its zero point."""
    given, wanted = source.quantization, target.quantization
    assert given is not None
    assert wanted is not None
    values = np.arange(given.low, given.high + 1)
    acc = front.weight.reshape(-1, 1).astype(np.int64) * (values - given.zero_point)
    made = requantize(acc, requantization(front, source, target))
    neutral = values[(made == wanted.zero_point).all(axis=0)]
    return min(map(int, neutral), key=lambda value: abs(value - given.zero_point), default=None)


def _best_packing(graph: Graph, front: Conv2d, array: ArrayModel) -> Packing | None:
    """How the input of a layer of single values is packed for the convolution behind it, if so."""
    source, target = graph.tensors[front.inputs[0]], graph.tensors[front.output]
    match graph.users(front.output):
        case (Conv2d(groups=1) as conv,) if not graph.is_output(front.output):
            pass
        case _:
            return None
    padding = neutral_integer(front, source, target)
    if padding is None or source.packing is not None:
        return None
    own, site = site_of(graph, front), site_of(graph, conv)
    best: tuple[Cost, Packing] | None = None
    for blocks in block_choices(graph, front.output, 2 * max(array.m, array.n)):
        inner = block(target.height, target.width, *blocks)
        plain = block(source.height, source.width, *UNBLOCKED)
        costs = own.cost(plain, blocks, array), site.cost(inner, UNBLOCKED, array)
        if costs[0] is not None and costs[1] is not None:
            cost = costs[0] + costs[1]
            best = (cost, plain) if best is None or cost < best[0] else best
    for packing in packings(site, UNBLOCKED, MOST_PLANES * array.n):
        if packing.lanes == 1:
            continue
        packed = replace(packing, padding=padding)
        layer = _repeated(front, front.inputs[0], packing.lanes)
        first = layer_cost(layer, source.packed(packed), target.packed(packing), array, stored=True)
        second = site.cost(packing, UNBLOCKED, array)
        if second is not None and (best is None or first + second < best[0]):
            best = first + second, packed
    return None if best is None or best[1].lanes == 1 else best[1]


def _sharing(graph: Graph, tensor: str, packing: Packing, array: ArrayModel) -> dict[str, Packing]:
    """Convolutions of single pixels that read an input, if its packing costs them no cycle."""
    result = {}
    for user in graph.users(tensor):
        if not isinstance(user, Conv2d) or user.groups > 1 or user.pads != Pads():
            continue
        if user.weight.shape[2:] != (1, 1):
            continue
        site = site_of(graph, user)
        plain = block(site.source.height, site.source.width, *UNBLOCKED)
        own, packed = (site.cost(form, UNBLOCKED, array) for form in (plain, packing))
        if own is not None and packed is not None and packed.cycles <= own.cycles:
            result[user.name] = packing
    return result


def _repeated(front: Conv2d, source: str, lanes: int) -> Conv2d:
    """A layer of single values over every lane of its packed input."""
    assert front.weight_scale is not None
    return replace(
        front,
        inputs=(source,),
        weight=np.concatenate([front.weight] * lanes),
        weight_scale=np.concatenate([front.weight_scale] * lanes),
        bias=np.concatenate([front.bias] * lanes),
        slope=None if front.slope is None else np.concatenate([front.slope] * lanes),
        groups=front.groups * lanes,
    )


def _folded(graph: Graph, conv: Convolution, packing: Packing) -> Convolution:
    source, target = graph.tensors[conv.inputs[0]], graph.tensors[conv.output]
    rewrite = rewrite_layer(conv, source, target, packing, UNBLOCKED)
    assert rewrite is not None, "only what can be is chosen"
    return rewrite.layer(conv)


def _rewritten(graph: Graph, found: dict[str, Packing], behind: dict[str, Packing]) -> Graph:
    """The graph with packings `found` of what layers read of inputs, `behind` of inner tensors."""
    tensors = dict(graph.tensors)
    ports, forms = input_forms(graph, found, tensors)
    layers: list[Layer] = []
    for layer in graph.layers:
        packing, inner = found.get(layer.name), behind.get(layer.name)
        if packing is not None:
            assert isinstance(layer, Conv2d)
            form = forms[layer.inputs[0], packing]
            if layer.of_single_values:
                tensors[layer.output] = tensors[layer.output].packed(replace(packing, padding=None))
                layers.append(_repeated(layer, form, packing.lanes))
            else:
                layers.append(replace(_folded(graph, layer, packing), inputs=(form,)))
        elif inner is not None:
            assert isinstance(layer, Convolution)
            layers.append(_folded(graph, layer, inner))
        else:
            layers.append(layer)
    result = replace(graph, inputs=ports, tensors=tensors, layers=tuple(layers))
    verify(result)
    return result
