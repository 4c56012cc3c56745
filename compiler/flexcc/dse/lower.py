# SPDX-License-Identifier: Apache-2.0
"""Brings an integer graph into the form that stages cover: convolution, sum, table, max-pooling.

The last two may be absent. A transposed convolution is a stage like any other, but its phases
cannot be pooled on the way out.

Every rewrite is exact in integers. What the hardware cannot do is refused by name, all at once.
"""

from collections.abc import Collection
from dataclasses import replace

import numpy as np

from flexcc.dse.bends import bend_behind
from flexcc.dse.lower_interpolation import enlargement, lower_interpolation
from flexcc.dse.lower_means import LONGEST_LIST
from flexcc.dse.lower_movement import movement_as_convolution
from flexcc.dse.lower_second import is_loaded, may_be_loaded
from flexcc.dse.mapping import Chain
from flexcc.dse.names import Names
from flexcc.dse.technique import Technique
from flexcc.errors import InputError
from flexcc.ir.graph import Graph
from flexcc.ir.layers import (
    Add,
    AveragePool2d,
    Concat,
    Conv2d,
    Convolution,
    ConvTranspose2d,
    DepthToSpace,
    Interpolate2d,
    Layer,
    LocalNorm,
    MaxPool2d,
    Mul,
    Pads,
    Select,
    SpaceToDepth,
    Table,
)
from flexcc.ir.types import Quantization, TensorType
from flexcc.program.formats import MAX_PHASES

__all__ = ["fusion_groups", "lower"]

_WINDOW_MAX = 255


class _Rewriter:
    """The layers and tensors of the graph being written."""

    def __init__(
        self, graph: Graph, without: Collection[Technique], array: tuple[int, int] | None
    ) -> None:
        self.graph = graph
        self.array = array
        self.fuses = Technique.FUSION not in without
        self.joins = Technique.LAYOUT not in without
        self.layers: list[Layer] = []
        self.tensors: dict[str, TensorType] = dict(graph.tensors)
        self.new_name = Names(graph).new

    def loads(self, layer: Select, carrier: Convolution) -> bool:
        """Whether the load of a sum's second tensor makes what `layer` does."""
        if self.array is None:
            return False
        m, n = self.array
        return is_loaded(self.graph, layer, carrier, m=m, n=n)


def lower(
    graph: Graph, without: Collection[Technique] = (), array: tuple[int, int] | None = None
) -> Graph:
    """An equal graph in which every layer belongs to a chain that begins with a convolution.

    - A sum directly follows the convolution that makes one of its operands, the later one if it
      can be either. Where none does, an identity 1x1 convolution carries an operand.
    - So does one in front of a table or a max-pooling that cannot be fused.
    - A column stride that the loader cannot split becomes a smaller one and a subsampling.
    - What a concatenation joins has its scale: others go through a 1x1 convolution that rescales.
      It then moves no byte: its channels are where its inputs are.

    - A selection stays that the load of a sum's second tensor makes on M rows and N lanes, `array`.

    `without` fusion every layer but a convolution is carried by an identity, without layout
    another one copies what is joined.

    Raises:
        InputError: names every layer that the accelerator cannot run, and why.
    """
    problems = [problem for layer in graph.layers if (problem := _problem(graph, layer))]
    if all(isinstance(layer, Concat) for layer in graph.layers):
        problems.append(f"{graph.name}: there is no layer to run; the outputs are the inputs")
    if problems:
        raise InputError("\n".join(problems))
    rewriter = _Rewriter(graph, without, array)
    for layer in graph.layers:
        match layer:
            case Conv2d():
                rewriter.layers += _lower_conv(layer, rewriter)
            case ConvTranspose2d():
                rewriter.layers.append(layer)
            case Table():
                rewriter.layers += _lower_table(layer, rewriter)
            case Add():
                rewriter.layers += _lower_sum(layer, rewriter)
            case MaxPool2d():
                rewriter.layers += _lower_pool(layer, rewriter)
            case Concat():
                rewriter.layers += _lower_concat(layer, rewriter)
            case Select():
                pass  # With the sum that alone reads it.
            case Interpolate2d():
                made, types = lower_interpolation(layer, rewriter.tensors, rewriter.new_name)
                rewriter.layers += made
                rewriter.tensors.update(types)
            case _:
                raise TypeError(f"{layer.name}: {type(layer).__name__} has no lowering")
    return replace(graph, layers=tuple(rewriter.layers), tensors=rewriter.tensors)


def _problem(graph: Graph, layer: Layer) -> str | None:
    engine = _missing_engine(graph, layer)
    if engine is not None:
        return f"{layer.name}: it needs {engine}, which is not built yet"
    if isinstance(layer, AveragePool2d):
        return _mean_problem(layer)
    if isinstance(layer, Interpolate2d):
        if enlargement(layer, graph.tensors[layer.inputs[0]]) is not None:
            return None
        return (
            f"{layer.name}: its weights change from pixel to pixel, or are more than a convolution "
            "has; interpolate by a small whole factor without align_corners, or resize to the "
            "nearest pixel"
        )
    if isinstance(layer, Concat) and layer.axis:
        along = "rows" if layer.axis == 1 else "columns"
        return (
            f"{layer.name}: it joins {along} of tensors, and only channels are joined; "
            "join channels, or leave this layer to the host"
        )
    if isinstance(layer, Add | Mul):
        return _size_problem(graph, layer)
    if not isinstance(layer, MaxPool2d):
        return None
    if any(d > 1 and k > 1 for d, k in zip(layer.dilations, layer.kernel, strict=True)):
        return (
            f"{layer.name}: max-pooling with dilations {layer.dilations} is not supported; "
            "use dilations of 1"
        )
    if max(*layer.kernel, *layer.strides) > _WINDOW_MAX:
        return (
            f"{layer.name}: max-pooling with kernel {layer.kernel} and strides {layer.strides} is "
            f"not supported; both may be {_WINDOW_MAX} at most"
        )
    return None


def _mean_problem(pool: AveragePool2d) -> str:
    """Why an average pooling is no convolution."""
    height, width = pool.kernel
    if height * width > LONGEST_LIST:
        return (
            f"{pool.name}: it averages {height}x{width} pixels, and a reduction list has "
            f"{LONGEST_LIST} entries at most; use a smaller window"
        )
    return (
        f"{pool.name}: its windows at the border average fewer pixels than others, and a layer has "
        "one divisor; count the padding (count_include_pad=1), or leave it away"
    )


def _size_problem(graph: Graph, layer: Add | Mul) -> str | None:
    shapes = {_size(graph.tensors[name]) for name in layer.inputs}
    if len(shapes) == 1 and isinstance(layer, Add):
        return None
    first, second = ("x".join(map(str, _size(graph.tensors[name]))) for name in layer.inputs)
    adds, may = ("adds", "of one size can be added")
    if isinstance(layer, Mul):
        adds, may = ("multiplies", "of one height and width can be multiplied")
    return (
        f"{layer.name}: it {adds} tensors of {first} and {second}, and only tensors {may}; "
        "repeat the smaller one in the model"
    )


def _size(tensor: TensorType) -> tuple[int, int, int]:
    return tensor.channels, tensor.height, tensor.width


def _missing_engine(graph: Graph, layer: Layer) -> str | None:
    """What a layer needs that the accelerator does not have."""
    match layer:
        case LocalNorm():
            return "an engine that normalises over channels"
        case Select() if may_be_loaded(graph, layer):
            return None
        case Select() | DepthToSpace() | SpaceToDepth():
            return "layouts that pick and move parts of tensors"
    return None


def _lower_conv(conv: Conv2d, rewriter: _Rewriter) -> list[Layer]:
    output = rewriter.tensors[conv.output]
    stride = conv.strides[1]
    if stride <= MAX_PHASES or output.width == 1:
        return [conv]
    column = max(s for s in range(1, MAX_PHASES + 1) if stride % s == 0)
    source = rewriter.tensors[conv.inputs[0]]
    kernel = (conv.weight.shape[3] - 1) * conv.dilations[1] + 1
    width = (source.width + conv.pads.left + conv.pads.right - kernel) // column + 1
    raw = rewriter.new_name(f"{conv.output}_raw")
    rewriter.tensors[raw] = replace(output, width=width)
    subsample = MaxPool2d(
        name=rewriter.new_name(f"{conv.name}_subsample"),
        inputs=(raw,),
        output=conv.output,
        kernel=(1, 1),
        strides=(1, stride // column),
    )
    return [replace(conv, strides=(conv.strides[0], column), output=raw), subsample]


def _pool_behind(graph: Graph, tensor: str) -> MaxPool2d | None:
    """The pooling that can run behind the layer that makes a tensor.

    Where others read the tensor, too, both are stored: with one pooling, and one whose tiles of
    columns begin with a beat of either.
    """
    users = graph.users(tensor)
    pools = [user for user in users if isinstance(user, MaxPool2d)]
    if len(users) == 1 and not graph.is_output(tensor):
        return pools[0] if pools else None
    return next((pool for pool in pools if not pool.pads.left), None)


def _only_user(graph: Graph, tensor: str, user: Layer) -> bool:
    return graph.users(tensor) == (user,) and not graph.is_output(tensor)


def _carrier(add: Add, rewriter: _Rewriter) -> Convolution | None:
    """The last convolution whose output only the sum reads, and which can carry it.

    The other operand must be stored as one tensor, for its channels to lie as the output's do.
    """
    first, second = add.inputs
    others = {first: second, second: first}
    if first == second or not rewriter.fuses:
        return None
    for layer in reversed(rewriter.layers):
        if layer.output in others and _only_user(rewriter.graph, layer.output, add):
            if _joined(others[layer.output], rewriter):
                continue
            match layer:
                case Conv2d():
                    return layer
                # The skip loader brings as many column phases together as the loader does.
                case ConvTranspose2d(strides=(_, columns)) if columns <= MAX_PHASES:
                    return layer
    return None


def _lower_sum(add: Add, rewriter: _Rewriter) -> list[Layer]:
    producers = (rewriter.graph.producer(name) for name in add.inputs)
    selections = [layer for layer in producers if isinstance(layer, Select)]
    carrier = _carrier(add, rewriter)
    for layer in selections:
        if carrier is not None and rewriter.loads(layer, carrier):
            rewriter.layers.append(layer)
            continue
        moved = movement_as_convolution(layer, rewriter.tensors[layer.inputs[0]])
        assert moved is not None, "what a load may make a convolution can copy"
        rewriter.layers.append(moved)
        carrier = _carrier(add, rewriter)
    if carrier is not None:
        # Nothing else reads it, so it may come as late as this.
        rewriter.layers.remove(carrier)
        return [carrier, add]
    operands, copies = list(add.inputs), []
    # A joined tensor can be read by a convolution only: of two one is copied first.
    place = 1 if _joined(operands[1], rewriter) else 0
    if _joined(operands[1 - place], rewriter):
        copies.append(_identity(rewriter.new_name(f"{add.name}_copy"), operands[0], rewriter))
        operands[1 - place] = copies[0].output
    identity = _identity(rewriter.new_name(f"{add.name}_identity"), operands[place], rewriter)
    operands[place] = identity.output
    return [*copies, identity, replace(add, inputs=tuple(operands))]


def _joined(tensor: str, rewriter: _Rewriter) -> bool:
    return rewriter.joins and isinstance(rewriter.graph.producer(tensor), Concat)


def _head(rewriter: _Rewriter, tensor: str) -> Layer | None:
    """The first layer of the chain that makes a tensor."""
    index = next((i for i, x in enumerate(rewriter.layers) if x.output == tensor), None)
    if index is None:
        return None
    match rewriter.layers[index]:
        case Table(inputs=(source,)):
            return _head(rewriter, source)
        case Add():
            return rewriter.layers[index - 1]
        case layer:
            return layer


def _lower_table(table: Table, rewriter: _Rewriter) -> list[Layer]:
    # A convolution that has been split ends in a max-pooling, which comes last in a chain.
    source = table.inputs[0]
    producer = next((x for x in rewriter.layers if x.output == source), None)
    alone = _only_user(rewriter.graph, source, table)
    if rewriter.fuses and alone and isinstance(producer, Convolution | Add):
        return [table]
    identity = _identity(rewriter.new_name(f"{table.name}_identity"), source, rewriter)
    return [identity, replace(table, inputs=(identity.output,))]


def _lower_pool(pool: MaxPool2d, rewriter: _Rewriter) -> list[Layer]:
    source = pool.inputs[0]
    behind = rewriter.fuses and _pool_behind(rewriter.graph, source) is pool
    if behind and isinstance(_head(rewriter, source), Conv2d):
        return [pool]
    identity = _identity(rewriter.new_name(f"{pool.name}_identity"), source, rewriter)
    return [identity, replace(pool, inputs=(identity.output,))]


def _lower_concat(concat: Concat, rewriter: _Rewriter) -> list[Layer]:
    """The concatenation of tensors of its own scale, behind the convolutions that rescale others.

    Weights and scales of 1: the ratio is that of the scales, and an output is rounded once.
    """
    target = rewriter.tensors[concat.output].quantization
    rescaled: dict[str, Conv2d] = {}
    for source in concat.inputs:
        if source not in rescaled and rewriter.tensors[source].quantization != target:
            name = rewriter.new_name(f"{concat.name}_rescale")
            rescaled[source] = _identity(name, source, rewriter, target)
    inputs = tuple(
        rescaled[source].output if source in rescaled else source for source in concat.inputs
    )
    if rewriter.joins:
        return [*rescaled.values(), replace(concat, inputs=inputs)]
    joined = rewriter.new_name(f"{concat.output}_joined")
    rewriter.tensors[joined] = rewriter.tensors[concat.output]
    copy = replace(
        _identity(rewriter.new_name(f"{concat.name}_copy"), joined, rewriter), output=concat.output
    )
    return [*rescaled.values(), replace(concat, inputs=inputs, output=joined), copy]


def _identity(
    name: str, source: str, rewriter: _Rewriter, target: Quantization | None = None
) -> Conv2d:
    """A depthwise 1x1 convolution of weight 1 and scale 1, to another scale if one is given.

    To the same scale it is exact: multiplier 2^23, shift 23.
    """
    output = rewriter.new_name(f"{name}_out")
    tensor = rewriter.tensors[source]
    rewriter.tensors[output] = tensor if target is None else replace(tensor, quantization=target)
    return Conv2d(
        name=name,
        inputs=(source,),
        output=output,
        weight=np.ones((tensor.channels, 1, 1, 1), np.int8),
        weight_scale=np.ones(tensor.channels, np.float32),
        bias=np.zeros(tensor.channels, np.int32),
        pads=Pads(),
        groups=tensor.channels,
    )


def fusion_groups(graph: Graph, without: Collection[Technique] = ()) -> tuple[Chain, ...]:
    """The chains, in execution order, of a graph that has been lowered `without` the same.

    Raises:
        ValueError: the graph has not been lowered.
    """
    chains: list[Chain] = []
    bends: set[str] = set()
    for index, layer in enumerate(graph.layers):
        if not isinstance(layer, Convolution) or layer.name in bends:
            continue
        tail: Layer = layer
        add = bend = table = None
        match graph.layers[index + 1 : index + 2]:
            case (Add() as add_,) if _only_user(graph, tail.output, add_):
                add, tail = add_.name, add_
                bent = bend_behind(graph, layer, add_)
                if bent is not None and Technique.FUSION not in without:
                    bends.add(bent.name)
                    bend, tail = bent.name, bent
        match graph.users(tail.output):
            case (Table() as table_,) if _only_user(graph, tail.output, table_):
                table, tail = table_.name, table_
        pool = _pool_behind(graph, tail.output) if isinstance(layer, Conv2d) else None
        pooled = None if pool is None else pool.name
        chains.append(Chain(conv=layer.name, sum=add, bend=bend, table=table, pool=pooled))
    covered = {name for chain in chains for name in chain.names}
    for layer in graph.layers:
        if layer.name not in covered and not isinstance(layer, Concat | Select):
            raise ValueError(f"{layer.name}: the graph has not been lowered")
    return tuple(chains)
