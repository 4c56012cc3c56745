# SPDX-License-Identifier: Apache-2.0
"""Random small integer networks with mappings that just fit, and their direct evaluation.

The evaluation here shares no code with the compiler's tap lists, tiles or layouts.
"""

import random
from collections.abc import Mapping as MappingType
from dataclasses import dataclass, replace
from math import lcm
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flexcc.accelerator import Accelerator
from flexcc.dse.fuse_windows import fuse_windows
from flexcc.dse.lower import fusion_groups, lower
from flexcc.dse.lower_movement import lower_movement
from flexcc.dse.mapping import Group, Mapping, WeightMode, chain_of, group_tiling, stage_of
from flexcc.dse.space import first_shortage
from flexcc.ir.arithmetic import output_of, rounded, sum_scaling, table_entries
from flexcc.ir.functions import X, apply
from flexcc.ir.graph import Graph, Port
from flexcc.ir.layers import (
    Add,
    Clamp,
    Concat,
    Conv2d,
    Convolution,
    ConvTranspose2d,
    Layer,
    MaxPool2d,
    Pads,
    Select,
    Table,
)
from flexcc.ir.requantize import requantization, requantize
from flexcc.ir.types import Quantization, TensorType
from flexcc.taps import convolution_axes
from flexcc.tiles import Stage, Tiling, bundle_choices, tiling
from tests.wide_networks import widened

__all__ = [
    "ACCELERATORS",
    "TILED",
    "Case",
    "case_on",
    "evaluate",
    "random_case",
    "random_conv",
    "random_network",
]

_LARGE: dict[str, Any] = {
    "act_words": 65536,
    "weight_words": 16384,
    "param_passes": 16384,
    "out_words": 65536,
    "list_entries": 4096,
}


def _shape(
    m: int, p: int, n: int, q: int, packed: bool, beat_bytes: int, **engines: Any
) -> Accelerator:
    plain = Accelerator(m=m, p=p, n=n, q=q, packed=packed, beat_bytes=beat_bytes, **_LARGE)
    return replace(plain, **engines)


ACCELERATORS = (
    _shape(8, 4, 8, 2, True, 64),  # M = N
    _shape(4, 3, 16, 4, True, 64),  # M < N, P odd
    _shape(16, 1, 4, 1, False, 16),  # M > N, a single column
    _shape(8, 5, 4, 4, False, 32),  # P odd, unpacked
    _shape(4, 2, 32, 1, True, 32),  # eight passes a plane, one pixel a beat
    _shape(16, 7, 8, 8, True, 128),  # sixteen pixels a beat
    _shape(32, 16, 8, 4, True, 64),  # widest array, four planes a pass
    _shape(8, 8, 8, 8, False, 8),  # a beat is a pixel
    _shape(8, 3, 8, 2, True, 32, slopes=True),
    _shape(4, 5, 16, 1, False, 64, slopes=True, tables=True),
    _shape(16, 2, 8, 4, True, 64, tables=True),
    _shape(8, 4, 8, 2, True, 64, window_taps=9),
    _shape(8, 3, 16, 4, True, 16, window_taps=9, slopes=True),  # one pixel a beat
    _shape(16, 2, 4, 1, False, 16, window_taps=1, slopes=True, tables=True),
    _shape(8, 4, 8, 2, True, 64, wide=True),
    _shape(4, 3, 16, 4, True, 64, wide=True, slopes=True, window_taps=9),  # M < N
    _shape(16, 2, 4, 1, False, 16, wide=True, tables=True),  # M > N
)
"""Shapes with buffers beyond need; `random_case` cuts them to what the mapping needs."""

TILED = replace(
    ACCELERATORS[0],
    act_words=256,
    weight_words=128,
    param_passes=8,
    out_words=128,
    list_entries=256,
    sums=True,
)
"""A shape with buffers so small that random networks take several tiles."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Case:
    """A lowered network, its mapping and its inputs [C, H, W] by tensor name."""

    graph: Graph
    mapping: Mapping
    inputs: MappingType[str, NDArray[np.int8]]


def _quantization(rng: random.Random) -> Quantization:
    scale = float(np.float32(rng.uniform(0.01, 0.2)))
    return Quantization(scale=scale, zero_point=rng.choice([-128, 127, 0, rng.randint(-128, 127)]))


def _pads(rng: random.Random, most: int) -> Pads:
    return Pads(**{side: rng.randint(0, most) for side in ("top", "left", "bottom", "right")})


def _dilation(rng: random.Random) -> int:
    return rng.choice([1, 1, 1, 2, 3, rng.randint(4, 16)])


def random_conv(
    rng: random.Random,
    name: str,
    source: str,
    inputs: int,
    *,
    most_kernel: int = 7,
    most_channels: int = 70,
    transposed: bool = False,
    slopes: bool = False,
) -> Convolution:
    """A convolution with everything random; its weight scale is per unit of output spread.

    With `slopes` most have one for what is below zero.
    """
    values = np.random.default_rng(rng.getrandbits(32))
    divisors = [g for g in range(1, inputs + 1) if inputs % g == 0]
    groups = rng.choice([1, 1, 1, rng.choice(divisors)])
    # Few outputs leave room for several phases in a pass.
    most_outputs = rng.choice([3, most_channels]) if transposed else most_channels
    outputs = groups * rng.randint(1, max(1, most_outputs // groups))
    kernel = rng.randint(1, most_kernel), rng.randint(1, most_kernel)
    shape = (outputs, inputs // groups, *kernel)
    weight = values.integers(-128, 128, shape).astype(np.int8)
    weight[values.random(outputs) < 0.05] = 0
    if rng.random() < 0.2:
        # Pruned: blocks of channels and whole kernel elements without weights.
        weight[:, :, values.random(kernel) < 0.4] = 0
        weight[values.random((outputs, shape[1])) < 0.4] = 0
        weight[: outputs // 2, : shape[1] // 2] = 0
    spread = 74 * 74 * np.sqrt(np.prod(shape[1:]))
    conv = Conv2d(
        name=name,
        inputs=(source,),
        output=f"{name}_out",
        weight=weight,
        weight_scale=(values.uniform(0.5, 2, outputs) * 60 / spread).astype(np.float32),
        bias=values.integers(-3000, 3000, outputs).astype(np.int32),
        strides=(rng.choice([1, 1, 1, 2, 3, 5]), rng.choice([1, 1, 1, 2, 2, 3, 4, 6])),
        pads=_pads(rng, rng.choice([0, 2, 4])),
        dilations=(_dilation(rng), _dilation(rng)),
        groups=groups,
        clamp=rng.choice([Clamp(), Clamp(low=0.0), Clamp(low=0.0, high=6.0)]),
    )
    if slopes and rng.random() < 0.7:
        slope = values.choice([0.0, 0.01, 0.25, 1.0, 3.0, -0.5, -1.0], outputs)
        conv = replace(conv, slope=slope.astype(np.float32))
    return _transposed(rng, conv) if transposed else conv


def _transposed(rng: random.Random, conv: Conv2d) -> ConvTranspose2d:
    """A transposed convolution of the weights and dilations, the rest random.

    Its groups share their weight scales, for ONNX has one per output channel of a group.
    """
    assert conv.weight_scale is not None
    strides = rng.choice([1, 2, 2, 3, 4]), rng.choice([1, 2, 2, 3, 4])
    return ConvTranspose2d(
        name=conv.name,
        inputs=conv.inputs,
        output=conv.output,
        weight=conv.weight,
        weight_scale=np.tile(conv.weight_scale[: len(conv.bias) // conv.groups], conv.groups),
        bias=conv.bias,
        strides=strides,
        pads=_pads(rng, rng.choice([0, 1, 3])),
        dilations=conv.dilations,
        groups=conv.groups,
        clamp=conv.clamp,
        slope=conv.slope,
        output_padding=(rng.randrange(strides[0]), rng.randrange(strides[1])),
    )


def _sizes(layer: Convolution | MaxPool2d, source: TensorType) -> tuple[int, int]:
    kernel = layer.weight.shape[2:] if isinstance(layer, Convolution) else layer.kernel
    pads = layer.pads
    if isinstance(layer, ConvTranspose2d):
        grown = [
            (size - 1) * stride + (k - 1) * dilation + 1 + extra
            for size, stride, k, dilation, extra in zip(
                (source.height, source.width),
                layer.strides,
                kernel,
                layer.dilations,
                layer.output_padding,
                strict=True,
            )
        ]
        return grown[0] - pads.top - pads.bottom, grown[1] - pads.left - pads.right
    padded = (source.height + pads.top + pads.bottom, source.width + pads.left + pads.right)
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, layer.dilations, strict=True)]
    height, width = (
        (size - window) // stride + 1
        for size, window, stride in zip(padded, reach, layer.strides, strict=True)
    )
    return height, width


def _fit_source(rng: random.Random, conv: Convolution, source: TensorType) -> Convolution:
    """The convolution with pads that leave outputs, at most 20 columns wider than `source`.

    A transposed one has no pads if it must, and no strides where it would have 4000 outputs.
    """
    height, width = _sizes(conv, source)
    pads = conv.pads
    if isinstance(conv, ConvTranspose2d):
        if height * width > 4000:
            conv = replace(conv, strides=(1, 1), output_padding=(0, 0))
        return conv if min(_sizes(conv, source)) > 0 else replace(conv, pads=Pads())
    if height < 1:
        more = (1 - height) * conv.strides[0] + rng.randint(0, 3)
        pads = replace(pads, top=pads.top + more // 2, bottom=pads.bottom + more - more // 2)
    if width < 1:
        more = (1 - width) * conv.strides[1] + rng.randint(0, 3)
        pads = replace(pads, left=pads.left + more // 2, right=pads.right + more - more // 2)
    return replace(conv, pads=pads)


def _scaled(conv: Convolution, source: TensorType, target: Quantization) -> Convolution:
    """The convolution with weight scales that use the range of its output."""
    assert source.quantization is not None
    assert conv.weight_scale is not None
    factor = target.scale / source.quantization.scale
    return replace(conv, weight_scale=(conv.weight_scale * factor).astype(np.float32))


def _random_sum(
    rng: random.Random,
    name: str,
    nodes: list[Layer],
    tensors: dict[str, TensorType],
    *,
    selections: bool,
) -> tuple[Add, str | None]:
    """The sum of the last layer's output and another tensor, which may be a new graph input.

    Or that of a convolution beside the last layer, which this appends, or the same once more. With
    `selections` also an input whose rows or columns are repeated, or to which zeros are added.
    """
    last = nodes[-1]
    shape = tensors[last.output]
    other, port = last.output, None
    kind = rng.choice(["input", "input", "sibling", "same", *["selection"] * 2 * selections])
    if kind == "sibling" and isinstance(last, Convolution):
        values = np.random.default_rng(rng.getrandbits(32))
        other = f"{name}_sibling"
        sibling = replace(
            last, name=other, output=other, weight=values.permutation(last.weight.ravel())
        )
        assert isinstance(sibling, Convolution)
        weight = sibling.weight.reshape(last.weight.shape)
        nodes.append(replace(sibling, weight=weight))
    elif kind == "input":
        other = port = f"{name}_second"
    tensors[other] = replace(shape, quantization=_quantization(rng)) if port else shape
    if kind == "selection":
        port = f"{name}_second"
        selection = _selection(rng, f"{name}_selected", port, shape, tensors)
        nodes.insert(-1, selection)
        other = selection.output
    tensors[name] = replace(shape, quantization=_quantization(rng))
    inputs = [last.output, other]
    rng.shuffle(inputs)
    clamp = rng.choice([Clamp(), Clamp(low=0.0), Clamp(low=0.0, high=6.0)])
    subtract = rng.random() < 0.3
    add = Add(name=name, inputs=tuple(inputs), output=name, clamp=clamp, subtract=subtract)
    return add, port


def _selection(
    rng: random.Random, name: str, source: str, shape: TensorType, tensors: dict[str, TensorType]
) -> Select:
    """What makes a tensor of `shape` of a smaller one; adds the types of both to `tensors`."""
    channels = [c for c in (4, 8, 16, 32, 64) if c < shape.channels]
    sides = [[f for f in (1, 2, 3) if not size % f] for size in (shape.height, shape.width)]
    down, along = 1, 1
    kept = shape.channels
    if channels and rng.random() < 0.6:
        kept = rng.choice(channels)
    if kept == shape.channels or rng.random() < 0.2:
        down, along = sides[0][-1], rng.choice([1, sides[1][-1]])
    output = f"{name}_out"
    tensors[output] = replace(shape, quantization=_quantization(rng))
    tensors[source] = replace(
        tensors[output],
        channels=kept,
        height=shape.height // down,
        width=shape.width // along,
    )
    return Select(
        name=name,
        inputs=(source,),
        output=output,
        channels=(*range(kept), *(-1,) * (shape.channels - kept)),
        rows=tuple(row // down for row in range(shape.height)),
        columns=tuple(column // along for column in range(shape.width)),
    )


def random_network(
    rng: random.Random,
    layers: int,
    *,
    most_channels: int = 70,
    slopes: bool = False,
    tables: bool = False,
    sums: bool = False,
    bends: bool = False,
    selections: bool = False,
    window_taps: int = 0,
) -> Graph:
    """A chain of `layers` convolutions, max-poolings and concatenations, some with further users.

    About half of the convolutions are transposed; with `slopes` most bend at zero. Concatenations
    join what has the same pixels, be it the input, one tensor twice, or another concatenation. With
    `sums`, second tensors are added to about half of all outputs, with `selections` some of smaller
    ones; with `bends` most sums go through two slopes.
    With `window_taps` most convolutions have a depthwise layer of so many taps in front.
    """
    seconds: list[str] = []
    ports: list[str] = []
    source = "x"
    tensors = {
        "x": TensorType(
            channels=rng.randint(1, most_channels),
            height=rng.choice([1, rng.randint(2, 10), rng.randint(10, 24)]),
            width=rng.choice([1, rng.randint(2, 20), rng.randint(20, 50)]),
            quantization=_quantization(rng),
        )
    }
    nodes: list[Layer] = []
    for number in range(layers):
        shape = tensors[source]
        if number and rng.random() < 0.3:
            nodes.append(_concat(rng, f"join{number}", source, tensors))
        elif rng.random() < 0.35:
            kernel = rng.randint(1, min(4, shape.height)), rng.randint(1, min(5, shape.width))
            pool = MaxPool2d(
                name=f"pool{number}",
                inputs=(source,),
                output=f"pool{number}_out",
                kernel=kernel,
                strides=(rng.randint(1, 3), rng.randint(1, 4)),
                pads=_pads(rng, rng.choice([0, min(kernel) - 1])),
            )
            height, width = _sizes(pool, shape)
            tensors[pool.output] = replace(shape, height=height, width=width)
            if nodes and source == nodes[-1].output and rng.random() < 0.5:
                ports.append(source)
            nodes.append(pool)
        else:
            most = 7 if layers == 1 else 3
            if window_taps and rng.random() < 0.8:
                front = _window_layer(rng, f"front{number}", source, tensors, window_taps, slopes)
                source, shape = front.output, tensors[front.output]
                nodes.append(front)
            conv = random_conv(
                rng,
                f"conv{number}",
                source,
                shape.channels,
                most_kernel=most,
                most_channels=most_channels,
                transposed=rng.random() < 0.5,
                slopes=slopes,
            )
            quantization = _quantization(rng)
            conv = _scaled(_fit_source(rng, conv, shape), shape, quantization)
            height, width = _sizes(conv, shape)
            tensors[conv.output] = TensorType(
                channels=conv.weight.shape[0],
                height=height,
                width=width,
                quantization=quantization,
            )
            nodes.append(conv)
            if tables and rng.random() < 0.6:
                table = _table(rng, f"table{number}", conv.output)
                kind = replace(tensors[conv.output], quantization=_quantization(rng))
                tensors[table.output] = kind
                nodes.append(table)
        if sums and rng.random() < 0.6:
            add, second = _random_sum(rng, f"sum{number}", nodes, tensors, selections=selections)
            nodes.append(add)
            seconds += [second] if second else []
            if bends and rng.random() < 0.7:
                nodes.append(_bend(rng, f"bend{number}", add.output, tensors))
            if tables and rng.random() < 0.4:
                table = _table(rng, f"table_sum{number}", nodes[-1].output)
                kind = replace(tensors[add.output], quantization=_quantization(rng))
                tensors[table.output] = kind
                nodes.append(table)
        if rng.random() < 0.2:
            ports.append(nodes[-1].output)
        if rng.random() < 0.8 or len(nodes) == 1:
            source = nodes[-1].output
    ends = [n.output for n in nodes if not any(n.output in user.inputs for user in nodes)]
    return Graph(
        name="random",
        inputs=tuple(_port(name, tensors[name]) for name in ("x", *seconds)),
        outputs=tuple(_port(t, tensors[t]) for t in dict.fromkeys([*ports, *ends])),
        tensors=tensors,
        layers=tuple(nodes),
    )


def _bend(rng: random.Random, name: str, source: str, tensors: dict[str, TensorType]) -> Conv2d:
    """PRelu of a tensor, whose result gets its type in `tensors`."""
    shape = tensors[source]
    values = np.random.default_rng(rng.getrandbits(32))
    tensors[f"{name}_out"] = replace(shape, quantization=_quantization(rng))
    channels = shape.channels
    return Conv2d(
        name=name,
        inputs=(source,),
        output=f"{name}_out",
        weight=np.ones((channels, 1, 1, 1), np.int8),
        weight_scale=np.ones(channels, np.float32),
        bias=np.zeros(channels, np.int32),
        slope=values.uniform(-0.5, 1.5, channels).astype(np.float32),
        groups=channels,
    )


def _table(rng: random.Random, name: str, source: str) -> Table:
    function = rng.choice([apply("Sigmoid", X), apply("Mul", X, apply("Sigmoid", X))])
    return Table(name=name, inputs=(source,), output=f"{name}_out", function=function)


def _window_layer(
    rng: random.Random,
    name: str,
    source: str,
    tensors: dict[str, TensorType],
    taps: int,
    slopes: bool,
) -> Convolution:
    """A depthwise layer of up to `taps` taps, some with pads on some sides and strides.

    Adds the type of its output to `tensors`.
    """
    shape = tensors[source]
    values = np.random.default_rng(rng.getrandbits(32))
    side = 3 if taps > 1 else 1
    pads = Pads()
    kernel, strides = (1, 1), (1, 1)
    if side > 1:
        kernel = rng.choice([(3, 3), (3, 3), (rng.randint(1, 3), rng.randint(1, 3))])
        strides = rng.choice([(1, 1), (2, 2), (rng.randint(1, 2), rng.randint(1, 2))])
        sides = [rng.randrange(k) for k in (*kernel, *kernel)]
        if sides[0] + sides[2] + shape.height < kernel[0]:
            sides[0] = sides[2] = kernel[0] - 1
        if sides[1] + sides[3] + shape.width < kernel[1]:
            sides[1] = sides[3] = kernel[1] - 1
        pads = Pads(top=sides[0], left=sides[1], bottom=sides[2], right=sides[3])
    channels = shape.channels
    weight = values.integers(-128, 128, (channels, 1, *kernel)).astype(np.int8)
    spread = 74 * 74 * np.sqrt(np.prod(kernel))
    layer = Conv2d(
        name=name,
        inputs=(source,),
        output=f"{name}_out",
        weight=weight,
        weight_scale=(values.uniform(0.5, 2, channels) * 60 / spread).astype(np.float32),
        bias=values.integers(-3000, 3000, channels).astype(np.int32),
        strides=strides,
        pads=pads,
        groups=channels,
        clamp=rng.choice([Clamp(), Clamp(low=0.0)]),
        slope=values.uniform(-0.5, 1.5, channels).astype(np.float32) if slopes else None,
    )
    quantization = _quantization(rng)
    scaled = _scaled(layer, shape, quantization)
    height, width = _sizes(scaled, shape)
    tensors[scaled.output] = replace(shape, height=height, width=width, quantization=quantization)
    return scaled


def _concat(rng: random.Random, name: str, source: str, tensors: dict[str, TensorType]) -> Concat:
    """Joins `source` with others of its pixels, and adds the type of the result to `tensors`."""
    shape = tensors[source]
    alike = [t for t, s in tensors.items() if (s.height, s.width) == (shape.height, shape.width)]
    inputs = [source, *rng.choices(alike, k=rng.choice([0, 1, 1, 2]))]
    rng.shuffle(inputs)
    concat = Concat(name=name, inputs=tuple(inputs), output=f"{name}_out")
    kinds = [tensors[tensor] for tensor in inputs]
    tensors[concat.output] = replace(
        shape,
        channels=sum(kind.channels for kind in kinds),
        quantization=rng.choice([kind.quantization for kind in kinds]),
    )
    return concat


def _port(tensor: str, type_: TensorType) -> Port:
    shape = (1, type_.channels, type_.height, type_.width)
    return Port(tensor=tensor, onnx_name=tensor, onnx_shape=shape)


def _depth(least: int) -> int:
    """The least buffer depth of at least `least` words that the RTL can be built with."""
    return max(2, 1 << (least - 1).bit_length())


def _random_group(rng: random.Random, stage: Stage, accelerator: Accelerator) -> Group:
    """Random tiles, weight mode and sometimes rotations, legal or not."""
    height, width, beat = stage.output.height, stage.output.width, accelerator.beat_pixels
    bundles = bundle_choices(stage, m=accelerator.m, n=accelerator.n, q=accelerator.q)
    bundle = rng.choice([*bundles, bundles[-1]])
    y, x = convolution_axes(stage.conv)
    unit = lcm(beat, x.out_step)
    cols = rng.choice([width, unit * rng.randint(1, -(-width // unit))])
    units = -(-height // y.out_step)
    rows = rng.choice([units, rng.randint(1, -(-units // 2)), rng.randint(1, units)]) * y.out_step
    best = tiling(stage, accelerator, tile_rows=rows, tile_cols=cols, bundle=bundle).columns
    rotation = tuple(rng.randrange(accelerator.p) for _ in range(best.stride))
    return Group(
        chain=chain_of(stage),
        tile_rows=rows,
        tile_cols=cols,
        weights=rng.choice(list(WeightMode)),
        rotation=rotation if rng.random() < 0.3 else best.rotation,
        bundle=bundle,
    )


def _stages(graph: Graph, accelerator: Accelerator) -> list[Stage]:
    chains = fusion_groups(graph)
    if accelerator.window_taps:
        chains = fuse_windows(graph, chains, taps=accelerator.window_taps)
    return [stage_of(graph, chain) for chain in chains]


def _fitted(accelerator: Accelerator, tilings: list[Tiling], groups: list[Group]) -> Accelerator:
    """`accelerator` with buffers as shallow as the tiles allow."""
    ring, passes = [1], [1]
    for tiles, group in zip(tilings, groups, strict=True):
        steps = tiles.lists.pass_steps
        if group.weights is WeightMode.KEEP:
            ring.append(sum(steps))
            passes.append(len(steps))
        elif group.weights is WeightMode.RELOAD:
            ring.append(max(steps))
    return replace(
        accelerator,
        act_words=_depth(max(tiles.act_words for tiles in tilings)),
        out_words=_depth(max(tiles.out_words for tiles in tilings)),
        weight_words=_depth(max(ring)),
        param_passes=_depth(max(passes)),
        list_entries=_depth(max(tiles.lists.entries for tiles in tilings)),
        sums=any(tiles.stage.sum is not None for tiles in tilings),
        bends=any(tiles.stage.bend is not None for tiles in tilings),
    )


def _inputs(rng: random.Random, graph: Graph) -> dict[str, NDArray[np.int8]]:
    values = np.random.default_rng(rng.getrandbits(32))
    types = {port.tensor: graph.tensors[port.tensor] for port in graph.inputs}
    return {
        name: values.integers(-128, 128, (t.channels, t.height, t.width)).astype(np.int8)
        for name, t in types.items()
    }


def _network_for(rng: random.Random, layers: int, accelerator: Accelerator) -> Graph:
    """A random network of what the accelerator has engines for."""
    # What bends or is looked up has 8 bits.
    rare = accelerator.wide and rng.random() < 0.6
    graph = random_network(
        rng,
        layers,
        slopes=accelerator.slopes and not rare,
        tables=accelerator.tables and not rare,
        sums=accelerator.sums,
        bends=accelerator.bends,
        selections=accelerator.sums and not accelerator.wide,
        window_taps=accelerator.window_taps,
    )
    return widened(rng, graph) if accelerator.wide else graph


def _lowered(rng: random.Random, layers: int, accelerator: Accelerator) -> Graph:
    network = lower_movement(_network_for(rng, layers, accelerator))
    return lower(network, array=(accelerator.m, accelerator.n))


def random_case(rng: random.Random, layers: int, accelerator: Accelerator) -> Case:
    """A random network and a random mapping whose buffers are as small as they may be."""
    graph = _lowered(rng, layers, accelerator)
    stages = _stages(graph, accelerator)
    groups = [_random_group(rng, stage, accelerator) for stage in stages]
    tilings = [
        group_tiling(stage, group, accelerator) for stage, group in zip(stages, groups, strict=True)
    ]
    fitted = _fitted(accelerator, tilings, groups)
    mapping = Mapping(accelerator=fitted, groups=tuple(groups))
    return Case(graph=graph, mapping=mapping, inputs=_inputs(rng, graph))


def case_on(rng: random.Random, layers: int, accelerator: Accelerator) -> Case:
    """A random network and a random mapping that is legal on `accelerator` as it is."""
    while True:
        graph = _lowered(rng, layers, accelerator)
        groups = [_legal_group(rng, stage, accelerator) for stage in _stages(graph, accelerator)]
        legal = tuple(group for group in groups if group is not None)
        if len(legal) == len(groups):
            mapping = Mapping(accelerator=accelerator, groups=legal)
            return Case(graph=graph, mapping=mapping, inputs=_inputs(rng, graph))


def _legal_group(rng: random.Random, stage: Stage, accelerator: Accelerator) -> Group | None:
    for _ in range(20):
        group = _random_group(rng, stage, accelerator)
        if first_shortage(group_tiling(stage, group, accelerator), group.weights) is None:
            return group
    return None


def _inserted(conv: ConvTranspose2d, x: NDArray[np.int64]) -> NDArray[np.int64]:
    """The image in which a plain convolution with the flipped kernel does the work of `conv`."""
    channels, height, width = x.shape
    sparse = np.zeros(
        (channels, (height - 1) * conv.strides[0] + 1, (width - 1) * conv.strides[1] + 1), np.int64
    )
    sparse[:, :: conv.strides[0], :: conv.strides[1]] = x
    reach = [(k - 1) * d for k, d in zip(conv.weight.shape[2:], conv.dilations, strict=True)]
    most = max(conv.pads.top, conv.pads.left, conv.pads.bottom, conv.pads.right)
    far = [size + most + extra for size, extra in zip(reach, conv.output_padding, strict=True)]
    wide = np.pad(sparse, ((0, 0), (far[0], far[0]), (far[1], far[1])))
    top, left = (
        most + extra + pad
        for extra, pad in zip(conv.output_padding, (conv.pads.top, conv.pads.left), strict=True)
    )
    return wide[:, top:, left:]


def _convolve(conv: Convolution, x: NDArray[np.int8], source: TensorType) -> NDArray[np.int64]:
    """The sum of (input - zero point) times weight, [Co, height, width]."""
    assert source.quantization is not None
    centred = x.astype(np.int64) - source.quantization.zero_point
    pads, (sy, sx), (ey, ex) = conv.pads, conv.strides, conv.dilations
    weight = conv.weight.astype(np.int64)
    if isinstance(conv, ConvTranspose2d):
        padded, weight, sy, sx = _inserted(conv, centred), weight[:, :, ::-1, ::-1], 1, 1
    else:
        padded = np.pad(centred, ((0, 0), (pads.top, pads.bottom), (pads.left, pads.right)))
    outputs, inputs, kernel_h, kernel_w = conv.weight.shape
    height, width = _sizes(conv, source)
    per_group = outputs // conv.groups
    acc = np.zeros((outputs, height, width), np.int64)
    for ky in range(kernel_h):
        for kx in range(kernel_w):
            taps = padded[
                :,
                ky * ey : ky * ey + (height - 1) * sy + 1 : sy,
                kx * ex : kx * ex + (width - 1) * sx + 1 : sx,
            ]
            for group in range(conv.groups):
                own = slice(group * per_group, (group + 1) * per_group)
                part = taps[group * inputs : (group + 1) * inputs]
                acc[own] += np.einsum("oi,ihw->ohw", weight[own, :, ky, kx], part)
    return acc


def _pool(pool: MaxPool2d, x: NDArray[np.int8], source: TensorType) -> NDArray[np.int8]:
    pads, (sy, sx) = pool.pads, pool.strides
    sides = ((0, 0), (pads.top, pads.bottom), (pads.left, pads.right))
    padded = np.pad(x, sides, constant_values=-128)
    height, width = _sizes(pool, source)
    result: NDArray[np.int8] = np.stack(
        [
            padded[:, ky : ky + (height - 1) * sy + 1 : sy, kx : kx + (width - 1) * sx + 1 : sx]
            for ky in range(pool.kernel[0])
            for kx in range(pool.kernel[1])
        ]
    ).max(axis=0)
    return result


def _rescaled(x: NDArray[np.int8], source: TensorType, target: TensorType) -> NDArray[np.int8]:
    """The integers of another scale; a ratio of scales has 24 bits, so the product is exact."""
    before, after = source.quantization, target.quantization
    assert before is not None
    assert after is not None
    ratio = float(np.float32(before.scale) / np.float32(after.scale))
    if before == after:
        return x
    steps = np.rint((x.astype(np.float64) - before.zero_point) * ratio)
    result: NDArray[np.int8] = np.clip(steps + after.zero_point, after.low, after.high).astype(
        after.dtype
    )
    return result


def _add(
    layer: Add,
    types: list[Quantization | None],
    operands: list[NDArray[np.int8]],
    target: TensorType,
) -> NDArray[np.int8]:
    """Both operands, brought to the output's scale, rounded once."""
    assert types[0] is not None
    assert types[1] is not None
    assert target.quantization is not None
    scaling = sum_scaling(layer, types[0], types[1], target.quantization)
    total = scaling.numerator(*(x.astype(np.int64) for x in operands))
    result = rounded(total, scaling.shift, output_of(layer.clamp, target.quantization))
    assert result.dtype == np.int8
    return result.astype(np.int8)


def evaluate(
    graph: Graph, inputs: MappingType[str, NDArray[np.int8]]
) -> dict[str, NDArray[np.int8]]:
    """All tensors of an integer graph, straight from the definitions."""
    values = dict(inputs)
    for layer in graph.layers:
        name, target = layer.inputs[0], graph.tensors[layer.output]
        source = graph.tensors[name]
        if isinstance(layer, Add):
            types = [graph.tensors[name].quantization for name in layer.inputs]
            operands = [values[name] for name in layer.inputs]
            values[layer.output] = _add(layer, types, operands, target)
        elif isinstance(layer, Concat):
            values[layer.output] = np.concatenate(
                [_rescaled(values[part], graph.tensors[part], target) for part in layer.inputs]
            )
        elif isinstance(layer, Convolution):
            acc = _convolve(layer, values[name], source)
            rq = requantization(layer, source, target)
            values[layer.output] = requantize(acc, rq)
        elif isinstance(layer, Select):
            assert source.quantization is not None
            picked = values[name][:, layer.rows][:, :, layer.columns]
            zeros = np.full_like(picked[:1], source.quantization.zero_point)
            picked = np.concatenate([picked, *[zeros] * layer.channels.count(-1)])
            values[layer.output] = picked
        elif isinstance(layer, Table):
            assert source.quantization is not None
            assert target.quantization is not None
            entries = table_entries(layer, source.quantization, target.quantization)
            values[layer.output] = entries[values[name].astype(np.int64) + 128]
        else:
            assert isinstance(layer, MaxPool2d)
            values[layer.output] = _pool(layer, values[name], source)
        assert values[layer.output].shape == (target.channels, target.height, target.width)
    return values
