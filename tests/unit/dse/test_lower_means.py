# SPDX-License-Identifier: Apache-2.0
"""Means and interpolations as convolutions: the same integers; what cannot be one is refused."""

import numpy as np
import pytest

from flexcc import reference
from flexcc.dse.lower import lower
from flexcc.dse.lower_means import LONGEST_LIST, lower_means
from flexcc.errors import InputError
from flexcc.ir.graph import Graph, Port
from flexcc.ir.layers import (
    AveragePool2d,
    Clamp,
    Convolution,
    Coordinates,
    Interpolate2d,
    Layer,
    Pads,
)
from flexcc.ir.shapes import output_shape
from flexcc.ir.types import Quantization, TensorType
from flexcc.ir.verify import verify

ALL = Pads(top=1, left=1, bottom=1, right=1)


def _graph(layer: Layer, height: int, width: int, scale: float = 0.31, channels: int = 5) -> Graph:
    source = TensorType(
        channels=channels,
        height=height,
        width=width,
        quantization=Quantization(scale=0.125, zero_point=-7),
    )
    shape = output_shape(layer, [source], source)
    target = TensorType(
        channels=shape[0],
        height=shape[1],
        width=shape[2],
        quantization=Quantization(scale=float(np.float32(scale)), zero_point=11),
    )
    tensors = {"x": source, "y": target}
    ports = {
        name: Port(tensor=name, onnx_name=name, onnx_shape=(1, t.channels, t.height, t.width))
        for name, t in tensors.items()
    }
    return Graph(
        name="net",
        inputs=(ports["x"],),
        outputs=(ports["y"],),
        tensors=tensors,
        layers=(layer,),
    )


def _mean(
    kernel: tuple[int, int],
    strides: tuple[int, int] = (1, 1),
    pads: Pads = Pads(),  # noqa: B008
    counted: Pads = Pads(),  # noqa: B008
) -> AveragePool2d:
    return AveragePool2d(
        name="mean",
        inputs=("x",),
        output="y",
        kernel=kernel,
        strides=strides,
        pads=pads,
        counted=counted,
        clamp=Clamp(low=-3.0),
    )


def _resize(height: int, width: int, coordinates: Coordinates) -> Interpolate2d:
    return Interpolate2d(
        name="resize",
        inputs=("x",),
        output="y",
        height=height,
        width=width,
        coordinates=coordinates,
    )


@pytest.mark.parametrize("scale", [0.125, 0.31, 0.011, 1.7, 1e-3])
@pytest.mark.parametrize(
    ("layer", "size"),
    [
        (_mean((2, 2), (2, 2)), (6, 8)),
        (_mean((3, 3), (2, 1)), (7, 9)),
        (_mean((3, 3), (1, 1), ALL, ALL), (7, 9)),
        (_mean((7, 5)), (7, 5)),
        (_mean((20, 23)), (20, 23)),
        (_resize(3, 4, Coordinates.HALF_PIXEL), (6, 8)),
        (_resize(2, 3, Coordinates.HALF_PIXEL), (8, 9)),
        (_resize(3, 4, Coordinates.ASYMMETRIC), (6, 8)),
        (_resize(3, 4, Coordinates.ALIGN_CORNERS), (5, 7)),
        (_resize(5, 9, Coordinates.HALF_PIXEL), (5, 9)),
        (_resize(4, 7, Coordinates.ALIGN_CORNERS), (1, 1)),
    ],
)
def test_means_and_interpolations_become_convolutions(
    layer: Layer, size: tuple[int, int], scale: float
) -> None:
    graph = _graph(layer, *size, scale)
    lowered = lower_means(graph)
    verify(lowered)
    assert isinstance(lowered.layers[0], Convolution)
    x = np.random.default_rng(4).integers(-128, 128, (3, 5, *size)).astype(np.int8)
    x[0], x[1] = -128, 127
    expected, actual = (reference.run(g, {"x": x})["y"] for g in (graph, lowered))
    assert np.array_equal(actual, expected)


@pytest.mark.parametrize("coordinates", [Coordinates.HALF_PIXEL, Coordinates.ASYMMETRIC])
@pytest.mark.parametrize("factors", [(2, 2), (1, 2), (3, 1), (4, 2), (2, 5)])
@pytest.mark.parametrize("size", [(6, 8), (2, 3), (5, 2)])
def test_enlarging_by_whole_factors_is_a_transposed_convolution(
    size: tuple[int, int], factors: tuple[int, int], coordinates: Coordinates
) -> None:
    outputs = size[0] * factors[0], size[1] * factors[1]
    graph = _graph(_resize(*outputs, coordinates), *size)
    lowered = lower(lower_means(graph))
    verify(lowered)
    x = np.random.default_rng(4).integers(-128, 128, (3, 5, *size)).astype(np.int8)
    x[0], x[1] = -128, 127
    expected, actual = (reference.run(g, {"x": x})["y"] for g in (graph, lowered))
    assert np.array_equal(actual, expected)


@pytest.mark.parametrize(
    ("layer", "size", "reason"),
    [
        (_mean((3, 3), (1, 1), ALL), (7, 9), "mean: its windows at the border average fewer"),
        (
            _mean((3, 3), (1, 1), ALL, Pads(top=1, bottom=1)),
            (7, 9),
            "mean: its windows at the border average fewer",
        ),
        (
            _mean((64, 64)),
            (64, 64),
            f"mean: it averages 64x64 pixels, and a reduction list has {LONGEST_LIST} entries",
        ),
        (_resize(12, 16, Coordinates.ALIGN_CORNERS), (6, 8), "resize: its weights change"),
        (_resize(9, 12, Coordinates.HALF_PIXEL), (6, 8), "resize: its weights change"),
        (_resize(48, 64, Coordinates.HALF_PIXEL), (6, 8), "resize: its weights change"),
    ],
)
def test_what_is_no_convolution_is_refused_by_name(
    layer: Layer, size: tuple[int, int], reason: str
) -> None:
    graph = lower_means(_graph(layer, *size))
    assert graph.layers == (layer,)
    with pytest.raises(InputError, match=f"^{reason}"):
        lower(graph)
