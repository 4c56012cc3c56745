# SPDX-License-Identifier: Apache-2.0
"""Inputs and outputs as users hold them: arrays by ONNX name, floats or raw integers, in batches.

Inside, a batch is int8 [B, C, H, W] by tensor name.
"""

import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flexcc.backend.archive import arrays_to_bytes
from flexcc.errors import InputError
from flexcc.ir.affine import dequantize_array, quantize_array
from flexcc.ir.graph import Graph, Port, Signature
from flexcc.ir.types import Quantization, TensorType
from flexcc.output_file import write_file

__all__ = [
    "Batch",
    "BatchAxis",
    "read_arrays",
    "read_batch",
    "write_arrays",
    "write_outputs",
]

# What a file that is no archive, a damaged or an encrypted one makes the libraries raise.
_UNREADABLE = (OSError, ValueError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error)


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchAxis:
    """How a file's arrays hold several images; the outputs follow the inputs.

    `images` is None when every array is exactly what the model takes. Otherwise the images stand
    in the model's own batch dimension of one, or with `added` in a dimension before it.
    """

    images: int | None
    added: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Batch:
    """The inputs of a run: int8 [images, C, H, W] by tensor name, packed as the graph says."""

    axis: BatchAxis
    images: int
    tensors: Mapping[str, NDArray[np.int8]]


def read_batch(path: Path, graph: Graph, *, raw: bool) -> Batch:
    """The inputs in the .npz file `path`, quantised, or as they are when `raw`.

    A model with one input also takes an array called `x`, the only array of any name, or an .npy.

    Raises:
        InputError: the file is unreadable, an array is missing, has a wrong shape or NaN.
    """
    signatures = list(dict.fromkeys(port.signature for port in graph.inputs))
    arrays, axis = _read(path, signatures)
    images = 1 if axis.images is None else axis.images
    ports = {port.onnx_name: port for port in graph.inputs}
    values = {
        name: _integers(path, port, arrays[name], graph, images, raw=raw)
        for name, port in ports.items()
    }
    return Batch(axis=axis, images=images, tensors=graph.pack_inputs(values))


def read_arrays(
    path: Path, signatures: Sequence[Signature]
) -> tuple[dict[str, NDArray[Any]], BatchAxis]:
    """The arrays [images, *shape] by name in the .npz file `path`, of their signatures' types.

    Raises:
        InputError: as `read_batch`, or a number does not fit its type.
    """
    arrays, axis = _read(path, signatures)
    images = 1 if axis.images is None else axis.images
    typed = {}
    for signature in signatures:
        values = _as_type(path, signature, arrays[signature.name])
        typed[signature.name] = values.reshape(images, *(signature.shape or ()))
    return typed, axis


def write_outputs(
    path: Path,
    graph: Graph,
    tensors: Mapping[str, NDArray[np.int8]],
    axis: BatchAxis,
    *,
    raw: bool,
) -> None:
    """Writes int8 [images, C, H, W] by tensor name as an .npz by ONNX name; whole or not at all.

    `tensors` are packed as the graph says.

    Raises:
        InputError: the file system refuses.
    """
    arrays: dict[str, NDArray[Any]] = {}
    for port in graph.outputs:
        values = graph.tensors[port.tensor].unpack(tensors[port.tensor])
        shaped = port.to_onnx(values).reshape(_batched(port.onnx_shape, axis))
        arrays[port.onnx_name] = (
            shaped if raw else dequantize_array(shaped, _quantization(graph, port))
        )
    write_file(path, arrays_to_bytes(arrays))


def write_arrays(path: Path, images: Sequence[Mapping[str, NDArray[Any]]], axis: BatchAxis) -> None:
    """Writes the arrays of one or several images, each shaped as in the model, as an .npz by name.

    Raises:
        InputError: the file system refuses, or the images' arrays differ in shape.
    """
    arrays = {}
    for name, first in images[0].items():
        shapes = {image[name].shape for image in images}
        if len(shapes) > 1:
            raise InputError(
                f"output '{name}' has another shape for each image: {sorted(shapes)}; run the "
                "images one by one"
            )
        stacked = np.stack([image[name] for image in images])
        arrays[name] = stacked.reshape(_batched(first.shape, axis))
    write_file(path, arrays_to_bytes(arrays))


def _read(path: Path, signatures: Sequence[Signature]) -> tuple[dict[str, NDArray[Any]], BatchAxis]:
    arrays = _named(path, _read_file(path), [signature.name for signature in signatures])
    axes = {_axis(path, signature, arrays[signature.name]) for signature in signatures}
    if len(axes) > 1:
        found = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
        raise InputError(f"{path}: the inputs hold different numbers of images: {found}")
    return arrays, axes.pop()


def _batched(shape: tuple[int, ...], axis: BatchAxis) -> tuple[int, ...]:
    if axis.images is None:
        return shape
    if not axis.added and shape and shape[0] == 1:
        return axis.images, *shape[1:]
    return axis.images, *shape


def _read_file(path: Path) -> dict[str | None, NDArray[Any]]:
    """The arrays of a file by name; the only one of an .npy has none."""
    try:
        with path.open("rb") as file:
            loaded = np.load(file, allow_pickle=False)
            if isinstance(loaded, np.ndarray):
                return {None: loaded}
            return {name: loaded[name] for name in loaded.files}
    except _UNREADABLE as error:
        fact = error.strerror if isinstance(error, OSError) and error.strerror else "no NumPy file"
        raise InputError(
            f"{path} cannot be read: {fact}; write it with numpy.savez(file, NAME=array)"
        ) from error


def _named(
    path: Path, arrays: Mapping[str | None, NDArray[Any]], wanted: Sequence[str]
) -> dict[str, NDArray[Any]]:
    if len(wanted) == 1 and wanted[0] not in arrays:
        single = arrays.get("x") if len(arrays) > 1 else next(iter(arrays.values()), None)
        if single is not None:
            return {wanted[0]: single}
    missing = [name for name in wanted if name not in arrays]
    if missing:
        has = ", ".join(str(name) for name in arrays) or "nothing"
        raise InputError(
            f"{path} lacks input {', '.join(missing)}; it has {has}; "
            "name its arrays after the model's inputs"
        )
    return {name: arrays[name] for name in wanted}


def _axis(path: Path, signature: Signature, array: NDArray[Any]) -> BatchAxis:
    shape = signature.shape or ()
    if array.shape == shape:
        return BatchAxis(images=None)
    if (
        shape
        and array.ndim == len(shape)
        and shape[0] == 1
        and array.shape[1:] == shape[1:]
        and len(array)
    ):
        return BatchAxis(images=len(array))
    if array.ndim == len(shape) + 1 and array.shape[1:] == shape and len(array):
        return BatchAxis(images=len(array), added=True)
    raise InputError(
        f"{path}: input '{signature.name}' has shape {_times(array.shape)}, the model takes "
        f"{_times(shape)}; give that, or K times that for K images"
    )


def _integers(
    path: Path, port: Port, array: NDArray[Any], graph: Graph, images: int, *, raw: bool
) -> NDArray[np.int8]:
    type_ = graph.tensors[port.tensor].unpacked
    if array.dtype.kind not in "biuf":
        raise InputError(
            f"{path}: input '{port.onnx_name}' holds {array.dtype}; numbers are expected"
        )
    if raw:
        if array.dtype.kind == "f" or array.min() < -128 or array.max() > 127:
            raise InputError(
                f"{path}: input '{port.onnx_name}' is not int8 ({array.dtype}, {array.min()} to "
                f"{array.max()}); without --raw floats are quantised"
            )
        values = array.astype(np.int8)
    else:
        wide = array.astype(np.float32)
        if np.isnan(wide).any():
            raise InputError(f"{path}: input '{port.onnx_name}' holds NaN; remove it")
        values = quantize_array(wide, _quantization(graph, port))
    return port.from_onnx(values).reshape(images, *_shape(type_))


def _as_type(path: Path, signature: Signature, array: NDArray[Any]) -> NDArray[Any]:
    if array.dtype.kind not in "biuf":
        raise InputError(
            f"{path}: input '{signature.name}' holds {array.dtype}; numbers are expected"
        )
    with np.errstate(invalid="ignore", over="ignore"):
        values = array.astype(signature.dtype)
    if values.dtype.kind in "iub" and not np.array_equal(values, array):
        raise InputError(
            f"{path}: input '{signature.name}' holds numbers from {array.min()} to {array.max()} "
            f"that are no {signature.dtype}"
        )
    return values


def _quantization(graph: Graph, port: Port) -> Quantization:
    quantization = graph.tensors[port.tensor].quantization
    if quantization is None:
        raise ValueError(f"{port.tensor}: the graph is not quantised")
    return quantization


def _shape(type_: TensorType) -> tuple[int, int, int]:
    return type_.channels, type_.height, type_.width


def _times(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "none"
