# SPDX-License-Identifier: Apache-2.0
"""Moments of patches, against loops over outputs."""

import numpy as np
import pytest
from numpy.typing import NDArray

from flexcc.ir.layers import Conv2d, Pads
from flexcc.quantization import moments
from flexcc.quantization.moments import MomentCollector, Moments
from tests.models import chain, random_conv, tensor, transposed


def _patches(conv: Conv2d, x: NDArray[np.float32], height: int, width: int) -> NDArray[np.float64]:
    """All patches [groups, n, elements], one output after the other."""
    pads, (kh, kw) = conv.pads, conv.weight.shape[2:]
    padded = np.pad(x, ((0, 0), (pads.top, pads.bottom), (pads.left, pads.right)))
    result = []
    for oy, ox in np.ndindex(height, width):
        taps = np.array(
            [
                [
                    padded[
                        :,
                        oy * conv.strides[0] + ky * conv.dilations[0],
                        ox * conv.strides[1] + kx * conv.dilations[1],
                    ]
                    for kx in range(kw)
                ]
                for ky in range(kh)
            ]
        )
        result.append(taps.transpose(2, 0, 1).reshape(conv.groups, -1))
    return np.stack(result, axis=1).astype(np.float64)


def _collect(
    conv: Conv2d,
    images: NDArray[np.float32],
    *,
    covariances: bool = True,
    patches: int = 16384,
) -> Moments:
    graph = chain(tensor(*images.shape[1:]), [conv])
    collector = MomentCollector(graph, len(images), covariances=covariances, patches=patches)
    for image in images:
        collector.add({"x": image[None]})
    return collector.finish()["c"]


@pytest.mark.parametrize("groups", [1, 2, 6])
def test_moments_of_a_convolution(seed: int, groups: int) -> None:
    rng = np.random.default_rng(seed)
    images = rng.normal(1, 2, (3, 6, 9, 8)).astype(np.float32)
    conv = random_conv(
        rng,
        "c",
        ("x", tensor(6, 9, 8)),
        channels=6,
        kernel=(3, 2),
        groups=groups,
        strides=(2, 1),
        dilations=(1, 2),
        pads=Pads(top=1, right=2),
    )
    target = chain(tensor(6, 9, 8), [conv]).tensors["c_out"]
    patches = np.concatenate(
        [_patches(conv, image, target.height, target.width) for image in images], axis=1
    )
    found = _collect(conv, images)
    assert found.mean == pytest.approx(patches.mean(axis=1), abs=1e-5)
    assert found.covariance is not None
    for group, covariance in enumerate(found.covariance):
        expected = np.cov(patches[group].T, bias=True)
        assert covariance == pytest.approx(expected, abs=1e-4)
    assert _collect(conv, images, covariances=False).covariance is None


def test_elements_of_a_transposed_layer_are_the_channels(seed: int) -> None:
    rng = np.random.default_rng(seed)
    images = rng.normal(1, 2, (2, 4, 5, 5)).astype(np.float32)
    conv = random_conv(rng, "c", ("x", tensor(4, 5, 5)), channels=6, kernel=(3, 2), groups=2)
    graph = chain(tensor(4, 5, 5), [transposed(conv)])
    collector = MomentCollector(graph, 2, covariances=True)
    for image in images:
        collector.add({"x": image[None]})
    found = collector.finish()["c"]
    pixels = images.transpose(1, 0, 2, 3).reshape(2, 2, -1)
    assert found.mean == pytest.approx(pixels.mean(axis=2), abs=1e-5)
    assert found.covariance is not None
    assert found.covariance[1] == pytest.approx(np.cov(pixels[1], bias=True), abs=1e-4)


def test_large_images_are_sampled(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(seed)
    images = rng.normal(1, 2, (2, 3, 40, 40)).astype(np.float32)
    conv = random_conv(rng, "c", ("x", tensor(3, 40, 40)), channels=4, kernel=(3, 3))
    whole = _collect(conv, images)
    some = _collect(conv, images, patches=900)
    assert some.mean == pytest.approx(whole.mean, abs=0.2)
    assert not np.array_equal(some.mean, whole.mean)
    monkeypatch.setattr(moments, "LARGEST_PATCH", 26)
    assert _collect(conv, images).covariance is None
