# SPDX-License-Identifier: Apache-2.0
"""Rounding of weights: what it costs on data it has not seen, and means that stay."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from flexcc import reference
from flexcc.ir.layers import Conv2d, Convolution
from flexcc.quantization import QuantizationOptions, WeightRounding, quantize
from flexcc.quantization.moments import MomentCollector, Moments
from flexcc.quantization.rounding import compensated, mean_shift, nearest
from flexcc.quantization.scales import weight_scale
from tests.models import chain, random_conv, tensor, transposed

Floats = NDArray[np.float32]


def _images(rng: np.random.Generator, count: int) -> Floats:
    """Channels that mostly follow a few others."""
    causes = np.maximum(rng.normal(size=(count, 4, 12, 12)), 0)
    # The same mixture every time.
    mixture = np.random.default_rng(5).normal(size=(12, 4))
    mixed = np.einsum("oc,bchw->bohw", mixture, causes)
    result: Floats = (mixed + 0.05 * rng.normal(size=(count, 12, 12, 12))).astype(np.float32)
    return result


def _moments(conv: Convolution, images: Floats) -> Moments:
    graph = chain(tensor(*images.shape[1:]), [conv])
    collector = MomentCollector(graph, len(images), covariances=True)
    for image in images:
        collector.add({"x": image[None]})
    return collector.finish()["c"]


def _outputs(conv: Convolution, images: Floats) -> NDArray[np.float64]:
    return reference.run_float(chain(tensor(*images.shape[1:]), [conv]), {"x": images})["c_out"]


def _rounded(conv: Convolution, integers: NDArray[np.int8], scale: Floats) -> Convolution:
    weight = integers * scale[:, None, None, None]
    return replace(conv, weight=weight.astype(np.float32))


def _conv(rng: np.random.Generator, groups: int) -> Conv2d:
    source = "x", tensor(12, 12, 12)
    return random_conv(rng, "c", source, channels=24, kernel=(3, 3), groups=groups)


@pytest.mark.parametrize(("groups", "gain"), [(1, 3.0), (3, 1.5), (12, 0.99)])
@pytest.mark.parametrize("transpose", [False, True])
def test_compensation_carries_over_to_new_data(
    seed: int, groups: int, gain: float, transpose: bool
) -> None:
    rng = np.random.default_rng(seed)
    plain = _conv(rng, groups)
    conv: Convolution = transposed(plain) if transpose else plain
    scale = (weight_scale(conv) * 8).astype(np.float32)
    moments = _moments(conv, _images(rng, 8))
    unseen = _images(rng, 4)
    real = _outputs(conv, unseen)
    noise = []
    for rounding in (nearest, compensated(moments)):
        integers = rounding(conv, scale)
        assert integers.dtype == np.int8
        assert np.abs(integers.astype(np.int16)).max() <= 127
        error = _outputs(_rounded(conv, integers, scale), unseen) - real
        # What is the same everywhere is the bias's business.
        noise.append(float(error.var(axis=(0, 2, 3)).mean()))
    assert noise[1] <= noise[0] / gain


def test_large_and_small_blocks_agree(seed: int) -> None:
    """More columns than a block, against the plain recursion."""
    rng = np.random.default_rng(seed)
    conv = _conv(rng, 1)
    moments = _moments(conv, _images(rng, 6))
    assert moments.covariance is not None
    scale = (weight_scale(conv) * 8).astype(np.float32)
    covariance = moments.covariance[0]
    order = np.argsort(-np.diag(covariance), kind="stable")
    damped = covariance + 0.01 * np.diag(covariance).mean() * np.eye(len(covariance))
    inverse = np.linalg.inv(damped[np.ix_(order, order)])
    left = (conv.weight.reshape(24, -1) / scale[:, None]).astype(np.float64)[:, order]
    for column in range(left.shape[1]):
        whole = np.clip(np.rint(left[:, column]), -127, 127)
        error = (left[:, column] - whole) / inverse[0, 0]
        left[:, column + 1 :] -= error[:, None] * inverse[0, 1:]
        left[:, column] = whole
        inverse = inverse[1:, 1:] - np.outer(inverse[1:, 0], inverse[0, 1:]) / inverse[0, 0]
    expected = np.empty_like(left)
    expected[:, order] = left
    integers = compensated(moments)(conv, scale).reshape(24, -1)
    assert np.mean(integers == expected) > 0.99


def test_inputs_that_never_move_do_no_harm(seed: int) -> None:
    rng = np.random.default_rng(seed)
    conv = _conv(rng, 1)
    images = np.zeros((2, 12, 12, 12), np.float32)
    scale = weight_scale(conv)
    assert np.array_equal(compensated(_moments(conv, images))(conv, scale), nearest(conv, scale))


@pytest.mark.parametrize("transpose", [False, True])
@pytest.mark.parametrize("groups", [1, 4])
def test_means_stay(seed: int, transpose: bool, groups: int) -> None:
    rng = np.random.default_rng(seed)
    plain = _conv(rng, groups)
    conv: Convolution = replace(transposed(plain), strides=(2, 2)) if transpose else plain
    images = _images(rng, 4)
    scale = (weight_scale(conv) * 16).astype(np.float32)
    integers = nearest(conv, scale)
    shift = mean_shift(conv, integers, scale, _moments(conv, images))
    lost = (_outputs(conv, images) - _outputs(_rounded(conv, integers, scale), images)).mean(
        axis=(0, 2, 3)
    )
    # The borders of a transposed layer see fewer elements than its inside.
    assert shift == pytest.approx(lost, rel=0.15 if transpose else 1e-3, abs=1e-4)


def test_quantised_layers_keep_their_means(seed: int) -> None:
    rng = np.random.default_rng(seed)
    conv = _conv(rng, 1)
    weight = (conv.weight + 0.3).astype(np.float32)
    graph = chain(tensor(12, 12, 12), [replace(conv, weight=weight)])
    samples = {"x": np.abs(_images(rng, 4))}
    biases = {}
    for on in (False, True):
        options = QuantizationOptions(correct_bias=on)
        (layer,) = quantize(graph, samples, options).graph.layers
        assert isinstance(layer, Conv2d)
        biases[on] = layer.bias
    assert not np.array_equal(biases[True], biases[False])
    options = QuantizationOptions(rounding=WeightRounding.COMPENSATED)
    (layer,) = quantize(graph, samples, options).graph.layers
    assert isinstance(layer, Conv2d)
    assert layer.weight_scale is not None
    assert not np.array_equal(
        layer.weight, nearest(replace(conv, weight=weight), layer.weight_scale)
    )
