# SPDX-License-Identifier: Apache-2.0
"""The section of docs/results.md on what integers keep of trained networks."""

from designs.trained.figures import Figures
from designs.trained.openpose import KeyPoint

__all__ = ["section"]


def section(figures: Figures) -> str:
    """Its text, from the heading on."""
    digits, pupil = figures.mnist_conv, figures.unet_pupil
    face, pose = figures.centerface, figures.openpose
    points = "\n".join(
        f"| {pair.name} | {_place(pair.real)} | {_place(pair.integer)} | {pair.real.score:.2f} "
        f"| {pair.integer.score:.2f} |"
        for pair in pose.points
    )
    wide = f"{pose.wide} of {pose.choices} tensors have 16 bits"
    return f"""\
## Trained networks in integers

Networks that others have trained ([which, and on what](../designs/trained/README.md)), quantised
with the options of the command line: the float file in ONNX Runtime, and the integer reference.
`python -m designs.trained.figures` measures them.

| network | figure | float | integers |
|---|---|---|---|
| mnist_conv | digits read right, of {digits.digits:,} | {_share(digits.real, digits.digits)} \
| {_share(digits.integer, digits.digits)} |
| unet_pupil | pixels of {pupil.pictures} pupils found, intersection over union | {pupil.real:.4f} \
| {pupil.integer:.4f} |
| | pixels of the same class in both, of {pupil.pixels:,} | | \
{_share(pupil.equal_pixels, pupil.pixels)} |
| centerface_512 | score of the face | {face.real.score:.3f} | {face.integer.score:.3f} |
| | overlap of its boxes, intersection over union | | {face.overlap:.3f} |
| openpose_mobilenet_thin | key points of the face kept, of {len(pose.points)} | \
| {sum(pair.kept for pair in pose.points)} |
| | correlation of the maps of all 18 key points | | {pose.correlation:.3f} |

All activations have 8 bits but for OpenPose, where {wide}, tensors of one scale
counted once; {pose.wide_macs / pose.macs:.1%} of the multiplications read them
([why those](../designs/trained/README.md#openpose)). Its key points, in places (row, column) of the
maps:

| key point | float | integers | score, float | integers |
|---|---|---|---|---|
{points}
"""


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.2%}"


def _place(point: KeyPoint) -> str:
    return f"{point.row}, {point.column}"
