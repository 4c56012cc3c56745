# SPDX-License-Identifier: Apache-2.0
"""Writes a selection of channels, rows and columns as ONNX nodes."""

from collections.abc import Sequence

import numpy as np

from flexcc.frontend.nodes import NodeWriter
from flexcc.ir.layers import Select
from flexcc.ir.types import TensorType

__all__ = ["write_select"]


def write_select(
    writer: NodeWriter, layer: Select, kind: TensorType, source: str, target: str
) -> None:
    """Resize if it repeats pixels; else Slice, Gather and Pad, axis by axis as needed."""
    sizes = (kind.channels, kind.height, kind.width)
    indices = (layer.channels, layer.rows, layer.columns)
    repeats = _repeats(sizes[1], layer.rows), _repeats(sizes[2], layer.columns)
    if layer.channels == tuple(range(sizes[0])) and all(repeats) and repeats != (1, 1):
        scales = writer.constant(f"{layer.name}.scales", np.array([1, 1, *repeats], np.float32))
        writer.node(
            "Resize",
            [source, "", scales],
            target,
            layer.name,
            mode="nearest",
            coordinate_transformation_mode="asymmetric",
            nearest_mode="floor",
        )
        return
    steps = [
        step
        for axis, (size, wanted) in enumerate(zip(sizes, indices, strict=True), start=1)
        for step in _steps(axis, size, wanted, layer.fill)
    ]
    for number, step in enumerate(steps):
        last = number == len(steps) - 1
        into = target if last else writer.fresh(f"{target}.{number}")
        name = layer.name if last else f"{layer.name}.{number}"
        step(writer, source, into, name)
        source = into
    if not steps:
        writer.node("Identity", [source], target, layer.name)


def _repeats(size: int, indices: Sequence[int]) -> int:
    """How often each pixel is repeated in place; 0 if it is anything else."""
    factor = len(indices) // size
    return factor if tuple(indices) == tuple(i for i in range(size) for _ in range(factor)) else 0


class _Slice:
    """Indices that rise in equal steps."""

    def __init__(self, axis: int, indices: Sequence[int]) -> None:
        step = indices[1] - indices[0] if len(indices) > 1 else 1
        self.values = ([indices[0]], [indices[-1] + 1], [axis], [step])

    def __call__(self, writer: NodeWriter, source: str, target: str, name: str) -> None:
        names = ("starts", "ends", "axes", "steps")
        inputs = [
            writer.constant(f"{name}.{what}", np.array(value))
            for what, value in zip(names, self.values, strict=True)
        ]
        writer.node("Slice", [source, *inputs], target, name)


class _Gather:
    """Any indices, none of them negative."""

    def __init__(self, axis: int, indices: Sequence[int]) -> None:
        self.axis, self.indices = axis, indices

    def __call__(self, writer: NodeWriter, source: str, target: str, name: str) -> None:
        indices = writer.constant(f"{name}.indices", np.array(self.indices))
        writer.node("Gather", [source, indices], target, name, axis=self.axis)


class _Pad:
    """Constants before and after."""

    def __init__(self, axis: int, before: int, after: int, fill: float) -> None:
        self.sides = np.zeros(8, np.int64)
        self.sides[[axis, 4 + axis]] = before, after
        self.fill = fill

    def __call__(self, writer: NodeWriter, source: str, target: str, name: str) -> None:
        inputs = [
            writer.constant(f"{name}.pads", self.sides),
            writer.constant(f"{name}.fill", np.array(self.fill, np.float32)),
        ]
        writer.node("Pad", [source, *inputs], target, name)


def _steps(
    axis: int, size: int, wanted: Sequence[int], fill: float
) -> list[_Slice | _Gather | _Pad]:
    """The nodes that pick `wanted` of `size` indices along an axis."""
    before = next((n for n, index in enumerate(wanted) if index >= 0), len(wanted))
    after = next((n for n, index in enumerate(reversed(wanted)) if index >= 0), 0)
    inner = list(wanted[before : len(wanted) - after])
    if -1 in inner or not inner:
        # A constant among the pixels, or nothing else: one is appended to be picked from there.
        picked = [size if index == -1 else index for index in wanted]
        return [_Pad(axis, 0, 1, fill), _Gather(axis, picked)]
    result: list[_Slice | _Gather | _Pad] = []
    if inner != list(range(size)):
        step = inner[1] - inner[0] if len(inner) > 1 else 1
        is_slice = step > 0 and inner == list(range(inner[0], inner[-1] + 1, step))
        result.append(_Slice(axis, inner) if is_slice else _Gather(axis, inner))
    if before or after:
        result.append(_Pad(axis, before, after, fill))
    return result
