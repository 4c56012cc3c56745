# SPDX-License-Identifier: Apache-2.0
"""What the integers of the trained E-Net keep of its accuracy."""

import numpy as np
import onnx
import pytest

from designs.design import FOLDER
from designs.enet import accuracy
from designs.enet.accuracy import Segmentation, mean_iou
from designs.enet.table import section
from tests.onnx_models import run_onnx


def test_intersection_over_union_of_known_masks() -> None:
    masks = np.array([[[0, 0, 1, 1], [2, 2, 3, 3]]])
    found = np.array([[[0, 1, 1, 1], [2, 2, 3, 0]]])
    by_class = accuracy.intersection_over_union(masks, found)
    assert by_class == (1 / 3, 2 / 3, 1.0, 0.5)
    assert mean_iou(by_class) == pytest.approx(0.625)
    nowhere = accuracy.intersection_over_union(np.zeros((1, 2, 2), int), np.zeros((1, 2, 2), int))
    assert nowhere == (1.0, 1.0, 1.0, 1.0)


def check_integers(segmentation: Segmentation) -> accuracy.Accuracy:
    figures = accuracy.accuracy(segmentation)
    assert abs(mean_iou(figures.integer) - mean_iou(figures.real)) <= 0.02
    assert figures.equal_pixels >= 0.97 * figures.pixels
    return figures


def test_float_accuracy_is_the_stored_one() -> None:
    model = onnx.load(accuracy.MODEL)
    with np.load(accuracy.PICTURES) as held_out:
        x, masks = held_out["x"].astype(np.float32), held_out["y"].astype(np.intp)
    found = [run_onnx(model, {"x": image[None]})["fullconv"].argmax(axis=1) for image in x]
    real = accuracy.intersection_over_union(masks, np.concatenate(found))
    # Other processors round float sums otherwise, which moves pixels that are in doubt.
    assert real == pytest.approx(accuracy.stored().real, abs=1e-3)


def test_integers_keep_the_accuracy_of_a_few_pictures() -> None:
    check_integers(accuracy.segment(slice(0, 2)))


@pytest.mark.slow
def test_integers_keep_the_accuracy() -> None:
    figures, stored = check_integers(accuracy.segment()), accuracy.stored()
    # The scales follow the float sums of calibration.
    assert figures.integer == pytest.approx(stored.integer, abs=2e-3)
    assert (figures.pictures, figures.pixels) == (stored.pictures, stored.pixels)


def test_page_states_the_stored_figures() -> None:
    page = (FOLDER.parent / "docs" / "results.md").read_text()
    assert section(accuracy.stored()) in page
