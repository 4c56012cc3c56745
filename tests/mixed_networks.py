# SPDX-License-Identifier: Apache-2.0
"""Seeded random float networks of all layer kinds, with branches and several inputs a layer."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from flexcc.ir.functions import Expression, X, apply
from flexcc.ir.graph import Graph, Port
from flexcc.ir.layers import (
    Add,
    AveragePool2d,
    ChannelMax,
    Clamp,
    Concat,
    Convolution,
    Coordinates,
    DepthToSpace,
    Interpolate2d,
    Layer,
    LocalNorm,
    Mul,
    Pads,
    Select,
    SpaceToDepth,
    Table,
)
from flexcc.ir.shapes import output_shape
from flexcc.ir.types import TensorType
from tests.models import any_conv, random_conv, random_pool, tensor

__all__ = ["FUNCTIONS", "mixed_network"]

FUNCTIONS: tuple[Expression, ...] = (
    apply("Sigmoid", X),
    apply("Tanh", X),
    apply("HardSwish", X),
    apply("HardSigmoid", X),
    apply("Elu", X, alpha=0.5),
    apply("Softplus", X),
    apply("Mul", X, apply("Sigmoid", X)),
    apply("Mul", X, apply("Min", apply("Relu", apply("Add", X, 3.0)), 6.0)),
    apply("Mul", X, apply("Tanh", apply("Softplus", X))),
    apply("Mul", apply("Mul", X, 0.5), apply("Add", apply("Erf", apply("Mul", X, 0.75)), 1.0)),
)
"""Functions that real networks have, whole and spelled out."""


class _Growing:
    """A network that grows layer by layer; every tensor may be read again."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        channels, height, width = (int(n) for n in rng.integers((2, 6, 6), (9, 14, 14)))
        self.types: dict[str, TensorType] = {"x": tensor(channels, height, width)}
        self.layers: list[Layer] = []

    def pick(
        self, fits: Callable[[TensorType], bool] = lambda _: True, *, besides: str = ""
    ) -> str | None:
        """A random tensor of those that fit, rather a late one, other than `besides`."""
        names = [name for name, kind in self.types.items() if fits(kind) and name != besides]
        if not names:
            return None
        return names[-1] if self.rng.random() < 0.5 else str(self.rng.choice(names))

    def add(self, layer: Layer) -> None:
        """Appends a layer with the output that its inputs give."""
        sources = [self.types[name] for name in layer.inputs]
        self.types[layer.output] = tensor(*output_shape(layer, sources, sources[0]))
        self.layers.append(layer)


def mixed_network(rng: np.random.Generator, layers: int = 8) -> Graph:
    """A network of about that many layers; what nobody reads becomes an output."""
    growing = _Growing(rng)
    makers = (
        *(_any_conv, _same_conv, _same_conv, _squeeze, _pool, _join, _join, _table),
        *(_average, _interpolate, _concat, _concat, _select, _select, _blocks, _channel_max, _norm),
    )
    while len(growing.layers) < layers:
        maker = makers[int(rng.integers(len(makers)))]
        layer = maker(growing, f"n{len(growing.layers)}")
        if layer is not None:
            growing.add(layer)
    read = {name for layer in growing.layers for name in layer.inputs}
    ends = [layer.output for layer in growing.layers if layer.output not in read]
    return Graph(
        name="mixed",
        inputs=(_port("x", growing.types["x"]),),
        outputs=tuple(_port(name, growing.types[name]) for name in ends),
        tensors=growing.types,
        layers=tuple(growing.layers),
    )


def _any_conv(growing: _Growing, name: str) -> Layer | None:
    source = growing.pick()
    assert source is not None
    rng, kind = growing.rng, growing.types[source]
    conv = any_conv(rng, name, (source, kind), bool(rng.random() < 0.3))
    size = conv.weight.shape[0] * kind.height * kind.width
    return _bent(growing, conv) if size < 4000 else None


def _same_conv(growing: _Growing, name: str) -> Layer | None:
    """A convolution that keeps the shape, so that sums find operands."""
    source = growing.pick()
    assert source is not None
    kind = growing.types[source]
    pads = Pads(top=1, left=1, bottom=1, right=1)
    conv = random_conv(
        growing.rng, name, (source, kind), channels=kind.channels, kernel=(3, 3), pads=pads
    )
    return _bent(growing, conv)


def _squeeze(growing: _Growing, name: str) -> Layer | None:
    """A convolution over the whole image: one number per channel, as gates have."""
    source = growing.pick()
    assert source is not None
    kind = growing.types[source]
    size = kind.height, kind.width
    return random_conv(growing.rng, name, (source, kind), channels=kind.channels, kernel=size)


def _bent(growing: _Growing, conv: Convolution) -> Convolution:
    """Sometimes with slopes below zero, of one kind or one per channel."""
    if growing.rng.random() < 0.5:
        return conv
    one = growing.rng.choice([0.1, 0.25, -0.5, 0.0])
    many = growing.rng.choice([0.1, 0.25, -0.5, 1.5], conv.weight.shape[0])
    slope = many if growing.rng.random() < 0.5 else np.full(conv.weight.shape[0], one)
    return replace(conv, slope=slope.astype(np.float32))


def _pool(growing: _Growing, name: str) -> Layer | None:
    source = growing.pick(lambda kind: min(kind.height, kind.width) > 2)
    if source is None:
        return None
    return random_pool(growing.rng, name, (source, growing.types[source]))


def _average(growing: _Growing, name: str) -> Layer | None:
    """A mean that counts none, all or some of its padding, or is over the whole image."""
    source = growing.pick(lambda kind: min(kind.height, kind.width) > 2)
    if source is None:
        return None
    rng, kind = growing.rng, growing.types[source]
    pool = random_pool(rng, name, (source, kind))
    if pool.dilations != (1, 1):
        return None
    clamp = Clamp(low=0.0) if rng.random() < 0.3 else Clamp()
    some = replace(pool.pads, bottom=0, right=0)
    counted = [Pads(), pool.pads, some][int(rng.integers(3))]
    mean = AveragePool2d(
        name=name,
        inputs=(source,),
        output=f"{name}_out",
        kernel=pool.kernel,
        strides=pool.strides,
        pads=pool.pads,
        counted=counted,
        clamp=clamp,
    )
    if rng.random() < 0.7:
        return mean
    size = kind.height, kind.width
    return replace(mean, kernel=size, strides=(1, 1), pads=Pads(), counted=Pads())


def _interpolate(growing: _Growing, name: str) -> Layer | None:
    source = growing.pick(lambda kind: kind.height * kind.width * kind.channels < 500)
    if source is None:
        return None
    rng, kind = growing.rng, growing.types[source]
    factor = int(rng.integers(2, 4))
    height, width = kind.height * factor, kind.width * factor
    if rng.random() < 0.3:
        height, width = int(rng.integers(1, 20)), int(rng.integers(1, 20))
    return Interpolate2d(
        name=name,
        inputs=(source,),
        output=f"{name}_out",
        height=height,
        width=width,
        coordinates=list(Coordinates)[int(rng.integers(3))],
    )


def _concat(growing: _Growing, name: str) -> Layer | None:
    axis = int(growing.rng.integers(3))
    first = growing.pick()
    assert first is not None
    sizes = _shape(growing.types[first])

    def fits(kind: TensorType) -> bool:
        pairs = enumerate(zip(sizes, _shape(kind), strict=True))
        return all(a == b or number == axis for number, (a, b) in pairs)

    inputs = [first, *(str(growing.pick(fits)) for _ in range(int(growing.rng.integers(1, 3))))]
    if sum(growing.types[part].channels for part in inputs) > 60:
        return None
    return Concat(name=name, inputs=tuple(inputs), output=f"{name}_out", axis=axis)


def _select(growing: _Growing, name: str) -> Layer | None:
    """A slice, padding of all kinds, a shuffle, or repeated pixels."""
    source = growing.pick(lambda kind: kind.height * kind.width * kind.channels < 1500)
    if source is None:
        return None
    rng, kind = growing.rng, growing.types[source]
    axes = [list(range(size)) for size in _shape(kind)]
    match int(rng.integers(5)):
        case 0:
            for size in axes:
                del size[: int(rng.integers(len(size)))]
        case 1:
            axes = [[-1] * int(rng.integers(3)) + a + [-1] * int(rng.integers(3)) for a in axes]
        case 2:
            axes = [[int(i) for i in rng.permutation(a)] for a in axes]
        case 3:
            axes[1], axes[2] = ([i for i in a for _ in range(2)] for a in axes[1:])
        case _:
            axes = [[*a[::2], -1, a[0]] for a in axes]
    return Select(
        name=name,
        inputs=(source,),
        output=f"{name}_out",
        channels=tuple(axes[0]),
        rows=tuple(axes[1]),
        columns=tuple(axes[2]),
        fill=float(rng.choice([0.0, 0.5])),
    )


def _blocks(growing: _Growing, name: str) -> Layer | None:
    def folds(kind: TensorType) -> bool:
        return kind.height % 2 == kind.width % 2 == 0

    source = growing.pick(folds)
    if source is not None and growing.rng.random() < 0.5:
        return SpaceToDepth(name=name, inputs=(source,), output=f"{name}_out", block=2)
    source = growing.pick(lambda kind: kind.channels % 4 == 0)
    if source is None:
        return None
    return DepthToSpace(name=name, inputs=(source,), output=f"{name}_out", block=2)


def _channel_max(growing: _Growing, name: str) -> Layer | None:
    source = growing.pick()
    assert source is not None
    return ChannelMax(name=name, inputs=(source,), output=f"{name}_out")


def _norm(growing: _Growing, name: str) -> Layer | None:
    source = growing.pick()
    assert source is not None
    rng = growing.rng
    return LocalNorm(
        name=name,
        inputs=(source,),
        output=f"{name}_out",
        size=int(rng.choice([1, 3, 5])),
        alpha=float(np.float32(rng.choice([1e-4, 0.5]))),
        beta=0.75,
        bias=float(rng.choice([1, 2])),
        clamp=Clamp(low=0.0) if rng.random() < 0.3 else Clamp(),
    )


def _join(growing: _Growing, name: str) -> Layer | None:
    """A sum, difference or product with a tensor of equal shape, or one that is repeated."""
    first = growing.pick()
    assert first is not None
    kind = growing.types[first]

    def fits(other: TensorType) -> bool:
        sizes = zip(_shape(kind), _shape(other), strict=True)
        return all(b in {a, 1} for a, b in sizes)

    second = growing.pick(fits, besides=first)
    if second is None:
        return None
    inputs = (first, second) if growing.rng.random() < 0.5 else (second, first)
    clamp = [Clamp(), Clamp(low=0.0), Clamp(low=-0.5, high=1.5)][int(growing.rng.integers(3))]
    if growing.rng.random() < 0.5:
        return Mul(name=name, inputs=inputs, output=f"{name}_out", clamp=clamp)
    subtract = bool(growing.rng.random() < 0.3)
    return Add(name=name, inputs=inputs, output=f"{name}_out", subtract=subtract, clamp=clamp)


def _table(growing: _Growing, name: str) -> Layer | None:
    source = growing.pick()
    assert source is not None
    function = FUNCTIONS[int(growing.rng.integers(len(FUNCTIONS)))]
    return Table(name=name, inputs=(source,), output=f"{name}_out", function=function)


def _shape(kind: TensorType) -> tuple[int, int, int]:
    return kind.channels, kind.height, kind.width


def _port(name: str, kind: TensorType) -> Port:
    return Port(tensor=name, onnx_name=name, onnx_shape=(1, *_shape(kind)))
