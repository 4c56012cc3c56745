# SPDX-License-Identifier: Apache-2.0
"""The section of docs/results.md on the accuracy of the trained E-Net."""

from designs.enet.accuracy import Accuracy, mean_iou
from designs.enet.shapes import CLASSES

__all__ = ["section"]


def section(figures: Accuracy) -> str:
    """Its text, from the heading on."""
    rows = [
        *zip(CLASSES, figures.real, figures.integer, strict=True),
        ("mean", mean_iou(figures.real), mean_iou(figures.integer)),
    ]
    table = "\n".join(
        f"| {name} | {real:.2%} | {integer:.2%} | {_points(integer - real)} |"
        for name, real, integer in rows
    )
    equal = f"{figures.equal_pixels / figures.pixels:.2%} of {figures.pixels:,}"
    return f"""\
## Trained E-Net in integers

An E-Net of half the channels, trained on synthetic shapes ([how](../designs/enet/README.md)):
{figures.pictures} held-out pictures, segmented by the float model in ONNX Runtime and by the int8
reference. Intersection over union by class, the difference in percent points. Both give the same
class to {equal} pixels.

| class | float | int8 | difference |
|---|---|---|---|
{table}
"""


def _points(share: float) -> str:
    """A difference in percent points; no minus before a zero."""
    return f"{round(100 * share, 2) + 0.0:+.2f}"
