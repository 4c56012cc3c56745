# SPDX-License-Identifier: Apache-2.0
"""Trained networks in integers: the parts of the harness, the stored figures, and their truth."""

from pathlib import Path

import numpy as np
import pytest

from designs.design import FOLDER
from designs.trained import centerface, mnist_conv, openpose, pictures, pupils, unet_pupil
from designs.trained.centerface import Box
from designs.trained.figures import from_json, stored, to_json
from designs.trained.models import VARIABLE, find_model, model_path
from designs.trained.openpose import KeyPoint, PosePair
from designs.trained.table import section
from flexcc.errors import InputError


def needs(name: str) -> pytest.MarkDecorator:
    """Skips a test where the model is not at hand."""
    return pytest.mark.skipif(
        find_model(name) is None, reason=f"{name}.onnx is neither in models/ nor in ${VARIABLE}"
    )


def check_digits(found: mnist_conv.DigitFigures) -> None:
    assert found.integer >= 0.992 * found.digits


def check_pupils(found: unet_pupil.PupilFigures) -> None:
    assert found.real > 0.9
    assert abs(found.real - found.integer) <= 0.01


def check_face(found: centerface.FaceFigures) -> None:
    assert found.integer.score >= 0.90
    assert found.overlap >= 0.9


def check_pose(found: openpose.PoseFigures) -> None:
    assert [pair.name for pair in found.points if pair.kept] == list(openpose.FACE)
    assert found.correlation >= 0.95
    assert found.wide <= WIDE_MOST


WIDE_MOST = 34
"""Tensors of 16 bits that OpenPose may have."""


def test_models_are_found_by_environment_or_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    assert find_model("some") is None
    with pytest.raises(InputError, match=r"some.onnx is not here; put it into models/"):
        model_path("some")
    (tmp_path / "some.onnx").touch()
    assert model_path("some") == tmp_path / "some.onnx"
    monkeypatch.delenv(VARIABLE)
    assert find_model("some") is None


def test_pictures_are_resized_about_the_centres_of_pixels() -> None:
    picture = np.array([[[0, 100], [100, 200]]] * 3, np.uint8)
    assert np.array_equal(pictures.resized(picture, 2, 2), picture)
    wide = pictures.resized(picture, 2, 4)
    assert wide[0].tolist() == [[0, 25, 75, 100], [100, 125, 175, 200]]
    assert pictures.resized(picture, 1, 1).reshape(-1).tolist() == [100, 100, 100]
    assert pictures.resized(picture[:, :1, :1], 2, 3).max() == 0


def test_views_are_parts_of_the_picture() -> None:
    picture = pictures.astronaut()
    assert picture.shape == (3, 512, 512)
    taken = pictures.views(picture, 3, 92, 108, 1)
    assert taken.shape == (3, 3, 92, 108)
    assert np.array_equal(taken, pictures.views(picture, 3, 92, 108, 1))
    assert len({view.tobytes() for view in taken}) == 3
    plain = np.full((3, 40, 40), 7, np.uint8)
    assert (pictures.views(plain, 4, 20, 20, 1) == 7).all()


def test_the_picture_is_small_and_has_a_notice() -> None:
    assert pictures.PICTURE.stat().st_size < 700_000
    assert "astronaut.npz" in (pictures.PICTURE.parent / "NOTICE").read_text()


def test_pupils_are_dark_and_inside() -> None:
    drawn, masks = pupils.draw_many(3, 5)
    again, _ = pupils.draw_many(3, 5)
    assert np.array_equal(drawn, again)
    assert drawn.shape == (3, 1, pupils.SIZE, pupils.SIZE)
    for picture, mask in zip(drawn[:, 0], masks, strict=True):
        assert 0.03 < mask.mean() < 0.2
        assert mask[1:-1, 1:-1].sum() == mask.sum()
        assert np.median(picture[mask]) < 40 < np.median(picture[~mask])


def test_overlap_of_masks_and_boxes() -> None:
    first, second = np.array([[True, True, False]]), np.array([[False, True, True]])
    assert unet_pupil.overlap(first, second) == pytest.approx(1 / 3)
    assert unet_pupil.overlap(~first & first, first & ~first) == 1.0
    box = Box(top=0, left=0, bottom=2, right=4)
    assert box.overlap(box) == 1.0
    assert box.overlap(Box(top=1, left=2, bottom=3, right=6)) == pytest.approx(2 / 14)
    assert box.overlap(Box(top=5, left=5, bottom=6, right=6)) == 0.0


def test_the_best_face_is_decoded() -> None:
    scores, sizes, offsets = (np.zeros((1, c, 8, 8), np.float32) for c in (1, 2, 2))
    scores[0, 0, 3, 5] = 0.75
    sizes[0, :, 3, 5] = np.log([2, 3])
    offsets[0, :, 3, 5] = 0.25, -0.5
    face = centerface.best_face({"537": scores, "538": sizes, "539": offsets})
    assert face.score == 0.75
    expected = Box(top=11, left=14, bottom=19, right=26)
    for side in ("top", "left", "bottom", "right"):
        assert getattr(face.box, side) == pytest.approx(getattr(expected, side), abs=1e-5)


def test_key_points_are_kept_near_and_clear() -> None:
    scores = np.zeros((6, 7), np.float32)
    scores[4, 2] = 0.5
    point = openpose.key_point(scores)
    assert point == KeyPoint(row=4, column=2, score=0.5)
    for row, column, score, kept in ((5, 1, 0.3, True), (4, 2, 0.25, False), (4, 4, 0.9, False)):
        other = KeyPoint(row=row, column=column, score=score)
        assert PosePair(name="nose", real=point, integer=other).kept is kept
    assert openpose.correlation(scores, scores * 3 + 1) == pytest.approx(1)
    assert openpose.picture().shape == (1, 3, 368, 432)


def test_stored_figures_are_good_and_stated() -> None:
    found = stored()
    assert from_json(to_json(found)) == found
    check_digits(found.mnist_conv)
    check_pupils(found.unet_pupil)
    check_face(found.centerface)
    check_pose(found.openpose)
    assert section(found) in (FOLDER.parent / "docs" / "results.md").read_text()


def test_some_digits() -> None:
    found = mnist_conv.measure(mnist_conv.network(), 500)
    assert found.digits == 500
    assert found.real >= 490
    assert abs(found.integer - found.real) <= 3


@pytest.mark.slow
def test_all_digits() -> None:
    found = mnist_conv.measure(mnist_conv.network())
    check_digits(found)
    assert found.real == stored().mnist_conv.real


@pytest.mark.slow
@needs(unet_pupil.MODEL)
def test_unet_pupil() -> None:
    found = unet_pupil.measure(unet_pupil.network())
    check_pupils(found)
    # Other processors round float sums otherwise, which moves scales and pixels in doubt.
    assert found.integer == pytest.approx(stored().unet_pupil.integer, abs=2e-3)


@pytest.mark.slow
@needs(centerface.MODEL)
def test_centerface() -> None:
    found = centerface.measure(centerface.network())
    check_face(found)
    assert found.integer.score == pytest.approx(stored().centerface.integer.score, abs=0.01)


@pytest.mark.slow
@needs(openpose.MODEL)
def test_openpose() -> None:
    check_pose(openpose.measure(openpose.network()))


def test_measuring_needs_the_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    with pytest.raises(InputError, match=r"unet_pupil.onnx is not here"):
        unet_pupil.network()
