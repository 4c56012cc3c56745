# SPDX-License-Identifier: Apache-2.0
"""Biases that make up for all that integers take from the means in front of them.

Rounding and saturation of activations shift means, too, and shifts of many layers add up. Layer by
layer, with the integers that the corrected layers in front of it make of some samples, a bias takes
what separates the mean of each channel from the float model's, in front of its activation.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from flexcc import reference
from flexcc.ir.affine import dequantize_array, quantize_array
from flexcc.ir.graph import Graph
from flexcc.ir.layers import Convolution, ConvTranspose2d, Layer
from flexcc.ir.types import Integers, Quantization
from flexcc.quantization.moments import MomentCollector, patches
from flexcc.quantization.weights import bias_fits

__all__ = ["settle_biases"]

# Patches that are taken of a layer and sample, spread over its outputs.
_PATCHES = 4096

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]


def settle_biases(
    integer: Graph, source: Graph, images: Iterable[Mapping[str, Floats]], count: int
) -> Graph:
    """The integer form of the float graph `source`, with biases that suit `count` samples.

    `images` are all tensors [1,C,H,W] of the float graph, sample by sample. A bias that would not
    fit the accelerator stays as it is.
    """
    moments = MomentCollector(source, count, covariances=False, patches=_PATCHES * count)
    inputs = dict[str, list[Integers]]()
    for image in images:
        moments.add(image)
        for tensor in dict.fromkeys(port.tensor for port in integer.inputs):
            quantized = quantize_array(image[tensor], _quantization(integer, tensor))
            inputs.setdefault(tensor, []).append(quantized)
    means = {name: each.mean for name, each in moments.finish().items()}
    reals = {layer.name: layer for layer in source.layers}
    known, last = inputs, _last_readers(integer)
    layers = list[Layer]()
    for index, plain in enumerate(integer.layers):
        layer = plain
        if isinstance(plain, Convolution):
            real = reals[plain.name]
            assert isinstance(real, Convolution)
            mean = _patch_mean(integer, plain, known[plain.inputs[0]])
            layer = _settled(integer, plain, real, means[plain.name], mean)
        layers.append(layer)
        sources = [integer.tensors[name] for name in layer.inputs]
        known[layer.output] = [
            reference.run_layer(layer, sources, integer.tensors[layer.output], list(operands))
            for operands in zip(*(known[name] for name in layer.inputs), strict=True)
        ]
        for name in {*layer.inputs, layer.output}:
            if last.get(name, index) == index:
                del known[name]
    return replace(integer, layers=tuple(layers))


def _settled(
    graph: Graph, conv: Convolution, real: Convolution, expected: Doubles, found: Doubles
) -> Convolution:
    """The layer, whose patches have the mean `found`, with the mean outputs of the real one."""
    source, target = (_quantization(graph, name) for name in (conv.inputs[0], conv.output))
    assert conv.weight_scale is not None
    scale = conv.weight_scale.astype(np.float64)
    integers = conv.weight * scale[:, None, None, None]
    wanted = real.bias + _mean_output(real, real.weight, expected)
    steps = np.rint((wanted - _mean_output(conv, integers, found)) / (scale * source.scale))
    room = np.iinfo(np.int32)
    kept = (steps >= room.min) & (steps <= room.max)
    bias = np.where(kept, steps, conv.bias).astype(np.int32)
    fits = bias_fits(replace(conv, bias=bias), source, target)
    return replace(conv, bias=np.where(fits, bias, conv.bias).astype(np.int32))


def _mean_output(conv: Convolution, weight: NDArray[np.generic], mean: Doubles) -> Doubles:
    """The mean of each output channel without bias, for patches of this mean [groups, n]."""
    values = weight.astype(np.float64)
    if isinstance(conv, ConvTranspose2d):
        values = values.sum(axis=(2, 3)) / (conv.strides[0] * conv.strides[1])
    rows = values.reshape(conv.groups, values.shape[0] // conv.groups, -1)
    result: Doubles = (rows @ mean[:, :, None]).reshape(-1)
    return result


def _patch_mean(graph: Graph, conv: Convolution, inputs: Sequence[Integers]) -> Doubles:
    """Of what the weights multiply, in real numbers, over all samples [1,C,H,W]."""
    target, quantization = graph.tensors[conv.output], _quantization(graph, conv.inputs[0])
    means = []
    for x in inputs:
        real = dequantize_array(x[0], quantization)
        means.append(patches(conv, target, real, _PATCHES).mean(axis=2, dtype=np.float64))
    result: Doubles = np.mean(means, axis=0)
    return result


def _last_readers(graph: Graph) -> dict[str, int]:
    """The index of the last layer that reads each tensor."""
    return {name: index for index, layer in enumerate(graph.layers) for name in layer.inputs}


def _quantization(graph: Graph, tensor: str) -> Quantization:
    quantization = graph.tensors[tensor].quantization
    assert quantization is not None
    return quantization
