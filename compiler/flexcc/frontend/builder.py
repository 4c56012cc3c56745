# SPDX-License-Identifier: Apache-2.0
"""Collects the layers and tensors of a graph while handlers import nodes."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from math import prod

from flexcc.frontend.node import NodeError
from flexcc.frontend.values import Activation, Shape
from flexcc.ir.graph import Axes
from flexcc.ir.layers import Elementwise, Layer, SourceLayer
from flexcc.ir.types import Quantization, TensorType

__all__ = ["GraphBuilder", "tensor_type"]

# A tensor of this many bytes would fill every memory channel of a board.
_LARGEST = 1 << 28


def tensor_type(shape: Shape, quantization: Quantization | None = None) -> TensorType:
    """The tensor of an ONNX shape: [1,C,D,H,W], [1,C,H,W], [1,C,L], [1,K] or [K].

    [1,C,L] is an image of height 1; vectors become K channels of one pixel. Of a volume every
    plane is a channel: channel c at depth d is channel c*D + d.

    Raises:
        NodeError: another rank, a batch other than 1, or an empty dimension.
    """
    if not 1 <= len(shape) <= 5:
        raise NodeError(
            f"the shape {list(shape)} is not [1,C,D,H,W], [1,C,H,W], [1,C,L], [1,K] or [K]"
        )
    if len(shape) > 1 and shape[0] != 1:
        raise NodeError(f"the shape {list(shape)} does not start with batch 1")
    if 0 in shape:
        raise NodeError(f"the shape {list(shape)} holds no values")
    if prod(shape) > _LARGEST:
        raise NodeError(
            f"the shape {list(shape)} holds more than {_LARGEST:,} values; a shape in the model, "
            "or of its inputs, is wrong"
        )
    match shape:
        case (_, channels, depth, height, width):
            channels *= depth
        case (_, channels, height, width):
            pass
        case (_, channels, width):
            height = 1
        case _:
            channels, height, width = prod(shape), 1, 1
    return TensorType(channels=channels, height=height, width=width, quantization=quantization)


class GraphBuilder:
    """The growing graph: tensor types by name, layers in order, and who reads which view.

    `taken` are the names of the model's nodes and values.
    """

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = set(taken)
        self.tensors: dict[str, TensorType] = {}
        self.layers: list[Layer] = []
        self._inputs: set[str] = set()
        self._reads: list[tuple[str, Activation]] = []

    def add_input(self, name: str, shape: Shape, axes: Axes | None = None) -> Activation:
        """A graph input of float32 numbers; `axes` as in Activation."""
        ordered = shape if axes is None else tuple(shape[axes.index(i)] for i in range(len(axes)))
        self.tensors[name] = tensor_type(ordered)
        self._inputs.add(name)
        return Activation(tensor=name, shape=shape, quantization=None, axes=axes)

    def add(
        self,
        layer: Layer,
        sources: Activation | Sequence[Activation],
        shape: Shape,
        quantization: Quantization | None,
    ) -> Activation:
        """Appends `layer`, which reads `sources` and writes a tensor of the given type."""
        self.tensors[layer.output] = tensor_type(shape, quantization)
        self.layers.append(layer)
        for source in (sources,) if isinstance(sources, Activation) else sources:
            self.read(layer.name, source)
        return Activation(tensor=layer.output, shape=shape, quantization=quantization)

    def add_elementwise(
        self, layer: Layer, source: Activation, quantization: Quantization | None
    ) -> Activation:
        """Appends `layer`, whose output has the shape, and the order, of `source`."""
        kind = self.tensors[source.tensor]
        self.tensors[layer.output] = replace(kind, quantization=quantization)
        self.layers.append(layer)
        self.read(layer.name, source)
        return replace(source, tensor=layer.output, quantization=quantization)

    def fresh(self, name: str) -> str:
        """`name`, or a variant of it, for a layer or tensor that the model does not name."""
        while name in self._taken:
            name += "_"
        self._taken.add(name)
        return name

    def is_input(self, tensor: str) -> bool:
        """Whether the tensor is an input, which no layer writes."""
        return tensor in self._inputs

    def read(self, reader: str, source: Activation) -> None:
        """Notes that the layer or graph output `reader` uses this view of a tensor."""
        self._reads.append((reader, source))

    def quantize(self, source: Activation, quantization: Quantization) -> None:
        """Makes the tensor behind `source` integer.

        Raises:
            NodeError: it is integer already, in another way.
        """
        present = self.tensors[source.tensor].quantization
        if present is not None and present != quantization:
            raise NodeError(
                f"'{source.tensor}' is quantised twice, with scale {present.scale:.6g}, zero point "
                f"{present.zero_point}, to scale {quantization.scale:.6g}, zero point "
                f"{quantization.zero_point}; one QuantizeLinear per tensor is supported"
            )
        self.tensors[source.tensor] = replace(
            self.tensors[source.tensor], quantization=quantization
        )

    def quantization_problems(self) -> list[str]:
        """What keeps a graph with some integer tensors from being an integer graph; a line each."""
        if all(tensor.quantization is None for tensor in self.tensors.values()):
            return []
        problems = {
            reader: f"{reader}: it reads '{view.tensor}' both before and after its QuantizeLinear"
            for reader, view in self._reads
            if self.tensors[view.tensor].quantization != view.quantization
        }
        foldable = SourceLayer | Elementwise
        folded = {layer.name for layer in self.layers if isinstance(layer, foldable)}
        for reader, view in self._reads:
            if self.tensors[view.tensor].quantization is None and reader not in folded:
                producer = next(
                    (layer.name for layer in self.layers if layer.output == view.tensor),
                    "the input",
                )
                problems.setdefault(
                    reader,
                    f"{reader}: it reads '{view.tensor}' of {producer}, which is not quantised; "
                    "insert QuantizeLinear and DequantizeLinear, or give the float model",
                )
        return list(problems.values())
