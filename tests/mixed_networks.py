# SPDX-License-Identifier: Apache-2.0
"""Seeded random float networks of all layer kinds, with branches and several inputs a layer."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from flexcc.ir.functions import Expression, X, apply
from flexcc.ir.graph import Graph, Port
from flexcc.ir.layers import Add, Clamp, Convolution, Layer, Mul, Pads, Table
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
    makers = (_any_conv, _same_conv, _same_conv, _squeeze, _pool, _join, _join, _table)
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
