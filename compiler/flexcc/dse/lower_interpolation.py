# SPDX-License-Identifier: Apache-2.0
"""Linear interpolation to a multiple of the pixels, as one transposed convolution.

Inside the image every output phase has weights of its own: phases of a transposed convolution. What
lies beyond the border is the border, and the array knows only zeros there. So the convolution reads
further channels, of tensors that are zero but for a row or column (or corner) at the border: in
them stands what an output would read beyond it. A concatenation joins them with the tensor itself.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray

from flexcc.ir.arithmetic import mean_scaling
from flexcc.ir.interpolation import linear_axis
from flexcc.ir.layers import (
    Concat,
    Conv2d,
    ConvTranspose2d,
    Coordinates,
    Interpolate2d,
    Layer,
    Pads,
)
from flexcc.ir.types import TensorType

__all__ = ["Enlargement", "enlargement", "lower_interpolation"]

_LARGEST_WEIGHT = 127
_INSIDE, _BEFORE, _AFTER = 0, -1, 1
_ROWS: dict[int, list[str]] = {_INSIDE: [], _BEFORE: ["top"], _AFTER: ["bottom"]}
_COLUMNS: dict[int, list[str]] = {_INSIDE: [], _BEFORE: ["left"], _AFTER: ["right"]}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Axis:
    """out[q*factor + p] = sum of weights[p][j] * in[q + j] / divisor over j = -1, 0, 1."""

    factor: int
    weights: tuple[tuple[int, int, int], ...]
    divisor: int

    @property
    def sides(self) -> tuple[int, ...]:
        """The tensors it reads: the image itself, and its first and last pixel if need be."""
        before = any(weight[0] for weight in self.weights)
        after = any(weight[2] for weight in self.weights)
        return (_INSIDE, *([_BEFORE] if before else []), *([_AFTER] if after else []))

    def kernel(self, side: int) -> NDArray[np.int64]:
        """The transposed convolution's kernel [3*factor] over one of them, for pads of `factor`.

        Element p + (1 - j)*factor stands for phase p and pixel q + j. What an edge replaces is read
        at its own place.
        """
        result = np.zeros(3 * self.factor, np.int64)
        for phase, weights in enumerate(self.weights):
            if side != _INSIDE:
                result[phase + self.factor] = weights[1 + side]
                continue
            for j, weight in zip((-1, 0, 1), weights, strict=True):
                result[phase + (1 - j) * self.factor] = weight
        return result


@dataclass(frozen=True, slots=True, kw_only=True)
class Enlargement:
    """An interpolation that a transposed convolution can do."""

    rows: _Axis
    cols: _Axis


def enlargement(layer: Interpolate2d, source: TensorType) -> Enlargement | None:
    """How `layer` enlarges `source` by whole factors; None if it does something else."""
    rows = _axis(source.height, layer.height, layer.coordinates)
    cols = _axis(source.width, layer.width, layer.coordinates)
    if rows is None or cols is None or rows.divisor * cols.divisor > _LARGEST_WEIGHT:
        return None
    return Enlargement(rows=rows, cols=cols)


def _axis(size: int, outputs: int, coordinates: Coordinates) -> _Axis | None:
    factor, rest = divmod(outputs, size)
    if rest or not factor:
        return None
    axis = linear_axis(size, outputs, coordinates)
    # The middle one of three pixels reads no border.
    inner = linear_axis(3, 3 * factor, coordinates)
    phases = []
    for place in range(factor, 2 * factor):
        weights = [0, 0, 0]
        weights[inner.first[place]] += inner.denominator - inner.weight[place]
        weights[inner.second[place]] += inner.weight[place]
        phases.append((weights[0], weights[1], weights[2]))
    result = _Axis(factor=factor, weights=tuple(phases), divisor=inner.denominator)
    wanted = np.zeros((outputs, size), np.int64)
    found = np.zeros_like(wanted)
    for place in range(outputs):
        wanted[place, axis.first[place]] += axis.denominator - axis.weight[place]
        wanted[place, axis.second[place]] += axis.weight[place]
        for j, weight in zip((-1, 0, 1), phases[place % factor], strict=True):
            found[place, min(max(place // factor + j, 0), size - 1)] += weight
    same = axis.denominator == result.divisor and np.array_equal(wanted, found)
    return result if same else None


def lower_interpolation(
    layer: Interpolate2d,
    tensors: Mapping[str, TensorType],
    new_name: Callable[[str], str],
) -> tuple[list[Layer], dict[str, TensorType]]:
    """The layers that do what `layer` does, which `enlargement` finds, and their new tensors.

    Raises:
        InputError: the scales of the layer's input and output do not belong together.
    """
    (image,) = layer.inputs
    source, target = tensors[image], tensors[layer.output]
    found = enlargement(layer, source)
    if found is None or source.quantization is None or target.quantization is None:
        raise ValueError(f"{layer.name}: it is no transposed convolution")
    divisor = found.rows.divisor * found.cols.divisor
    # Only for what it refuses.
    mean_scaling(layer, source.quantization, target.quantization, divisor)
    layers: list[Layer] = []
    types: dict[str, TensorType] = {}
    parts, kernels = [], []
    channels = source.channels
    for y, x in product(found.rows.sides, found.cols.sides):
        name = image
        if (y, x) != (_INSIDE, _INSIDE):
            made, kinds = _edge(layer, source, (y, x), new_name)
            layers += made
            types |= kinds
            name = made[-1].output
        parts.append(name)
        kernels.append(np.outer(found.rows.kernel(y), found.cols.kernel(x)))
    joined = image
    if len(parts) > 1:
        joined = new_name(f"{layer.name}_edged")
        types[joined] = replace(source, channels=channels * len(parts))
        concat = Concat(name=new_name(f"{layer.name}_edges"), inputs=tuple(parts), output=joined)
        layers.append(concat)
    weight = np.zeros((channels, len(parts) * channels, *kernels[0].shape), np.int8)
    for part, kernel in enumerate(kernels):
        every = np.arange(channels)
        weight[every, part * channels + every] = kernel
    rows, cols = found.rows.factor, found.cols.factor
    convolution = ConvTranspose2d(
        name=layer.name,
        inputs=(joined,),
        output=layer.output,
        weight=weight,
        weight_scale=np.full(channels, 1 / divisor, np.float32),
        bias=np.zeros(channels, np.int32),
        strides=(rows, cols),
        pads=Pads(top=rows, left=cols, bottom=rows, right=cols),
        clamp=layer.clamp,
        ratio=source.quantization.scale / (target.quantization.scale * divisor),
    )
    return [*layers, convolution], types


def _edge(
    layer: Interpolate2d, source: TensorType, sides: tuple[int, int], new_name: Callable[[str], str]
) -> tuple[list[Conv2d], dict[str, TensorType]]:
    """Copies of `source` that are zero but for its first or last row, column, or both.

    The row or column is taken out of the image, and surrounded with padding again. A last row comes
    out as the second of two, the first one read from the padding: so only that row is loaded.
    """
    height, width = source.height, source.width
    y, x = sides
    name = new_name("_".join([layer.name, *_ROWS[y], *_COLUMNS[x]]))
    rows = {_BEFORE: 1, _INSIDE: height, _AFTER: 2}[y]
    cols = width if x == _INSIDE else 1
    kernel = np.ones((1, 1), np.int8)
    if x != _INSIDE:
        kernel = np.zeros((1, width), np.int8)
        kernel[0, 0 if x == _BEFORE else width - 1] = 1
    taken, output = new_name(f"{name}_taken"), new_name(f"{name}_out")
    types = {taken: replace(source, height=rows, width=cols), output: source}
    take = _copying(
        source.channels,
        name=new_name(f"{name}_take"),
        inputs=layer.inputs,
        output=taken,
        kernel=kernel,
        strides=(1 if y == _INSIDE else height, 1),
        pads=Pads(top=int(y == _AFTER)),
    )
    surround = _copying(
        source.channels,
        name=name,
        inputs=(taken,),
        output=output,
        kernel=np.ones((1, 1), np.int8),
        strides=(1, 1),
        pads=Pads(
            top=height - rows if y == _AFTER else 0,
            bottom=height - rows if y == _BEFORE else 0,
            left=width - cols if x == _AFTER else 0,
            right=width - cols if x == _BEFORE else 0,
        ),
    )
    return [take, surround], types


def _copying(
    channels: int,
    *,
    name: str,
    inputs: tuple[str, ...],
    output: str,
    kernel: NDArray[np.int8],
    strides: tuple[int, int],
    pads: Pads,
) -> Conv2d:
    return Conv2d(
        name=name,
        inputs=inputs,
        output=output,
        weight=np.tile(kernel, (channels, 1, 1, 1)),
        weight_scale=np.ones(channels, np.float32),
        bias=np.zeros(channels, np.int32),
        strides=strides,
        pads=pads,
        groups=channels,
    )
