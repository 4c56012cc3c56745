# SPDX-License-Identifier: Apache-2.0
"""Calibration data: representative inputs, from a file or, when asked for, random."""

import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from flexcc.errors import InputError
from flexcc.ir.graph import Graph, Port

__all__ = ["CALIBRATION_LIMIT", "Samples", "load_calibration", "random_calibration"]

CALIBRATION_LIMIT = 256
"""Samples that are used of a file, the first ones, unless told otherwise."""

_RANDOM_SAMPLES = 8

Samples = Mapping[str, NDArray[np.float32]]
"""Arrays [K, C, H, W] by tensor name."""


def load_calibration(path: Path, graph: Graph, limit: int = CALIBRATION_LIMIT) -> Samples:
    """Reads an .npz that holds, by ONNX input name, arrays of K samples, any numeric type.

    A single array serves a model with a single input whatever its name, as does one called `x`
    among several. The first `limit` samples are taken.

    Raises:
        InputError: unreadable, an input is missing, or has a wrong shape, type or value.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError, AttributeError, zipfile.BadZipFile) as error:
        raise InputError(
            f"{path}: cannot be read as .npz ({error}); write it with numpy.savez(path, "
            f"{graph.inputs[0].onnx_name}=samples)"
        ) from error
    samples = {
        port.tensor: _checked(path, graph, port, _find(path, graph, port, arrays))[:limit]
        for port in graph.inputs
    }
    counts = {name: len(array) for name, array in samples.items()}
    if len(set(counts.values())) > 1:
        raise InputError(f"{path}: inputs differ in their number of samples: {counts}")
    return samples


def random_calibration(graph: Graph, seed: int = 0) -> Samples:
    """Standard normal samples: they show cycles and equality, never accuracy."""
    rng = np.random.default_rng(seed)
    return {
        port.tensor: rng.standard_normal((_RANDOM_SAMPLES, *_shape(graph, port)), dtype=np.float32)
        for port in graph.inputs
    }


def _shape(graph: Graph, port: Port) -> tuple[int, int, int]:
    type_ = graph.tensors[port.tensor]
    return type_.channels, type_.height, type_.width


def _find(
    path: Path, graph: Graph, port: Port, arrays: Mapping[str, NDArray[np.generic]]
) -> NDArray[np.generic]:
    if port.onnx_name in arrays:
        return arrays[port.onnx_name]
    if len(graph.inputs) == 1:
        if "x" in arrays:
            return arrays["x"]
        if len(arrays) == 1:
            return next(iter(arrays.values()))
    held = ", ".join(sorted(arrays)) or "nothing"
    raise InputError(
        f"{path}: no array for input '{port.onnx_name}'; the file holds {held}; "
        f"name the array '{port.onnx_name}'"
    )


def _checked(
    path: Path, graph: Graph, port: Port, array: NDArray[np.generic]
) -> NDArray[np.float32]:
    place = f"{path}: input '{port.onnx_name}'"
    if array.dtype.kind not in "fiub":
        raise InputError(f"{place}: values of type {array.dtype} are no numbers; use float32")
    shape = _shape(graph, port)
    wanted = "x".join(str(size) for size in ("K", *shape))
    # An input without spatial axes may come as the model takes it: [K, C].
    flat = shape[1:] == (1, 1) and array.ndim == 2 and array.shape[1] == shape[0]
    if not flat and (array.ndim != 4 or array.shape[1:] != shape):
        got = "x".join(str(size) for size in array.shape) or "a scalar"
        raise InputError(f"{place}: calibration has shape {got}, the model needs {wanted}")
    if len(array) == 0:
        raise InputError(f"{place}: calibration holds no samples; give at least one")
    samples = array.reshape(-1, *shape).astype(np.float32)
    if not np.isfinite(samples).all():
        first = tuple(int(i) for i in np.argwhere(~np.isfinite(samples))[0])
        raise InputError(f"{place}: not a finite number at {first}; remove the sample")
    return samples
