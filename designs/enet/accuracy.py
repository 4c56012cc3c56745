# SPDX-License-Identifier: Apache-2.0
"""How well the trained E-Net segments its held-out pictures, in float and in integers."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from designs.enet.shapes import CLASSES
from flexcc import reference
from flexcc.frontend import import_model, load_calibration, load_model
from flexcc.frontend.observe import observe
from flexcc.ir.affine import quantize_array
from flexcc.ir.graph import Graph
from flexcc.passes import lower
from flexcc.quantization import quantize

__all__ = [
    "CALIBRATION",
    "MODEL",
    "PICTURES",
    "STORED",
    "Accuracy",
    "Segmentation",
    "accuracy",
    "intersection_over_union",
    "mean_iou",
    "segment",
    "stored",
    "to_json",
]

_FOLDER = Path(__file__).resolve().parent
MODEL, STORED = _FOLDER / "trained.onnx", _FOLDER / "accuracy.json"
PICTURES, CALIBRATION = _FOLDER / "shapes.npz", _FOLDER / "calibration.npz"

Classes = NDArray[np.intp]
"""The class of each pixel of some pictures [K, H, W]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accuracy:
    """Intersection over union by class, of float and integer model, over all pictures.

    `equal_pixels` are those to which both models give the same class.
    """

    pictures: int
    pixels: int
    equal_pixels: int
    real: tuple[float, ...]
    integer: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Segmentation:
    """The true classes of held-out pictures, and those that the two models give."""

    masks: Classes
    real: Classes
    integer: Classes


def segment(pictures: slice = slice(None)) -> Segmentation:
    """Both models on held-out pictures: float in ONNX Runtime, integers in the reference.

    The integer model is the float one, quantised on the calibration pictures.
    """
    graph = lower(import_model(load_model(MODEL)))
    integer = quantize(graph, load_calibration(CALIBRATION, graph)).graph
    with np.load(PICTURES) as held_out:
        x, masks = held_out["x"][pictures].astype(np.float32), held_out["y"][pictures]
    source, target = graph.inputs[0].tensor, graph.outputs[0].tensor
    scores = [values[target] for values in observe(graph, {source: x})]
    return Segmentation(
        masks=masks.astype(np.intp),
        real=np.concatenate(scores).argmax(axis=1),
        integer=_integer_scores(integer, x).argmax(axis=1),
    )


def accuracy(segmentation: Segmentation) -> Accuracy:
    """The figures of a segmentation."""
    return Accuracy(
        pictures=len(segmentation.masks),
        pixels=segmentation.masks.size,
        equal_pixels=int((segmentation.real == segmentation.integer).sum()),
        real=intersection_over_union(segmentation.masks, segmentation.real),
        integer=intersection_over_union(segmentation.masks, segmentation.integer),
    )


def intersection_over_union(masks: Classes, found: Classes) -> tuple[float, ...]:
    """By class: the pixels that are and were found to be it, of those that are or were.

    1 for a class that is nowhere and was found nowhere.
    """
    result = []
    for number in range(len(CLASSES)):
        are, were = masks == number, found == number
        either = int((are | were).sum())
        result.append(int((are & were).sum()) / either if either else 1.0)
    return tuple(result)


def mean_iou(by_class: Sequence[float]) -> float:
    """The mean over the classes, each of the same weight."""
    return sum(by_class) / len(by_class)


def _integer_scores(graph: Graph, x: NDArray[np.float32]) -> NDArray[Any]:
    """Integer scores [K, classes, H, W]; one scale serves all classes, so they compare."""
    source, target = graph.inputs[0].tensor, graph.outputs[0].tensor
    quantization = graph.tensors[source].quantization
    assert quantization is not None
    integers = quantize_array(x, quantization)
    # One at a time: all tensors of a run are held in memory.
    scores = [reference.run(graph, {source: image[None]})[target] for image in integers]
    return np.concatenate(scores)


def to_json(figures: Accuracy) -> str:
    """The text of `accuracy.json`."""
    return json.dumps(asdict(figures), indent=2) + "\n"


def stored() -> Accuracy:
    """The figures in `accuracy.json`, as `make results` measured them."""
    data: dict[str, Any] = json.loads(STORED.read_text())
    real, integer = tuple(data.pop("real")), tuple(data.pop("integer"))
    return Accuracy(real=real, integer=integer, **data)
