# SPDX-License-Identifier: Apache-2.0
"""The trained E-Net: its structure, its pictures, and how well it segments them."""

from collections.abc import Iterator

import numpy as np
import onnx
import pytest

from designs.design import FOLDER
from designs.enet import shapes
from designs.enet.network import build
from tests.onnx_models import run_onnx

WIDTH, SIZE = 32, 160
MODEL, PICTURES, CALIBRATION = (
    FOLDER / "enet" / name for name in ("trained.onnx", "shapes.npz", "calibration.npz")
)


@pytest.fixture(scope="module")
def model() -> onnx.ModelProto:
    return onnx.load(MODEL)


def weights(model: onnx.ModelProto, **attributes: list[int]) -> Iterator[np.ndarray]:
    """The weights of the layers with these attributes."""
    arrays = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        found = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        if node.op_type in ("Conv", "ConvTranspose") and attributes.items() <= found.items():
            yield onnx.numpy_helper.to_array(arrays[node.input[1]])


def test_structure_is_that_of_the_builder(model: onnx.ModelProto) -> None:
    built = build(SIZE, classes=len(shapes.CLASSES), width=WIDTH)
    assert list(model.graph.node) == list(built.graph.node)
    kinds = [
        {tensor.name: (tensor.data_type, list(tensor.dims)) for tensor in each.graph.initializer}
        for each in (model, built)
    ]
    assert kinds[0] == kinds[1]


def test_dilated_and_transposed_layers_are_trained(model: onnx.ModelProto) -> None:
    built = build(SIZE, classes=len(shapes.CLASSES), width=WIDTH)
    for attributes in (*({"dilations": [d, d]} for d in (2, 4, 8, 16)), {"strides": [2, 2]}):
        pairs = list(zip(weights(model, **attributes), weights(built, **attributes), strict=True))
        assert len(pairs) >= 2
        for trained, initial in pairs:
            assert np.abs(trained - initial).max() > 0.1 * np.abs(initial).max()


def test_files_are_small() -> None:
    assert MODEL.stat().st_size < 1_000_000
    assert PICTURES.stat().st_size < 500_000
    assert CALIBRATION.stat().st_size < 250_000


def test_pictures_are_those_of_the_seed() -> None:
    (picture, mask), (again, mask_again) = (
        shapes.draw(np.random.default_rng(5), 32) for _ in range(2)
    )
    assert np.array_equal(picture, again)
    assert np.array_equal(mask, mask_again)
    with np.load(PICTURES) as held_out:
        x, y = held_out["x"], held_out["y"]
    assert x.shape == (12, 3, SIZE, SIZE)
    assert np.array_equal(x * shapes.LEVELS, np.floor(x * shapes.LEVELS))
    assert np.unique(y).tolist() == [0, 1, 2, 3]


def test_float_model_segments_the_held_out_pictures(model: onnx.ModelProto) -> None:
    with np.load(PICTURES) as held_out:
        x, masks = held_out["x"].astype(np.float32), held_out["y"]
    found = np.concatenate([run_onnx(model, {"x": image[None]})["fullconv"] for image in x])
    classes = found.argmax(axis=1)
    assert np.mean(classes == masks) > 0.9
    for number in range(len(shapes.CLASSES)):
        are, were = masks == number, classes == number
        assert (are & were).sum() > 0.6 * (are | were).sum(), shapes.CLASSES[number]
