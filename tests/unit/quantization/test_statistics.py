# SPDX-License-Identifier: Apache-2.0
"""Statistics of tensors, and the values that ONNX Runtime shows of every tensor."""

import numpy as np

from flexcc import reference
from flexcc.frontend.observe import observe
from flexcc.quantization.statistics import collect
from tests.models import random_float_graph


def test_statistics_are_over_pixels_and_images(seed: int) -> None:
    rng = np.random.default_rng(seed)
    images = rng.normal(size=(5, 3, 4, 6)).astype(np.float32)
    found = collect([{"x": image[None]} for image in images], histograms=False)["x"]
    assert np.array_equal(found.lows, images.min(axis=(0, 2, 3)))
    assert np.array_equal(found.highs, images.max(axis=(0, 2, 3)))
    wide = images.astype(np.float64)
    assert np.allclose(found.mean, wide.mean(axis=(0, 2, 3)))
    assert np.allclose(found.mean_square, np.square(wide).mean(axis=(0, 2, 3)))
    assert (found.low, found.high) == (images.min(), images.max())
    assert found.histogram is None


def test_every_tensor_is_observed(seed: int) -> None:
    """Inputs, inner tensors and outputs, equal to the float reference."""
    for trial in range(5):
        rng = np.random.default_rng([seed, trial])
        graph = random_float_graph(rng, depth=4)
        x = rng.normal(size=(3, *graph.inputs[0].onnx_shape[1:])).astype(np.float32)
        samples = {graph.inputs[0].tensor: x}
        expected = reference.run_float(graph, samples)
        images = list(observe(graph, samples))
        assert len(images) == 3
        for index, image in enumerate(images):
            assert image.keys() == graph.tensors.keys()
            for name, values in image.items():
                np.testing.assert_allclose(
                    values, expected[name][index : index + 1], rtol=1e-4, atol=1e-4
                )
