# SPDX-License-Identifier: Apache-2.0
"""Calibration data: representative inputs, from a file or, when asked for, random."""

import logging
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from flexcc.errors import InputError
from flexcc.frontend.host import Host
from flexcc.ir.graph import Graph, Port

__all__ = ["CALIBRATION_LIMIT", "Samples", "load_calibration", "random_calibration"]

logger = logging.getLogger(__name__)

CALIBRATION_LIMIT = 256
"""Samples that are used of a file, evenly spread over it, unless told otherwise."""

_RANDOM_SAMPLES = 8
# What a file that is no archive, a damaged or an encrypted one makes the libraries raise.
_UNREADABLE = (OSError, ValueError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error)
_SKIP_BYTES = 1 << 20

Samples = Mapping[str, NDArray[np.float32]]
"""Arrays [K, C, H, W] by tensor name."""


def load_calibration(
    path: Path, graph: Graph, limit: int = CALIBRATION_LIMIT, host: Host | None = None
) -> Samples:
    """Reads an .npz that holds, by ONNX input name, arrays of K samples, any numeric type.

    What the `host` does in front of the graph is done to every sample.

    Samples are [C,H,W] or shaped as in the ONNX model. For a model with a single input, an array
    called `x` or the only array of the file serves whatever the input's name. Of more than `limit`
    samples an even spread is taken, and only those are ever held in memory.

    Raises:
        InputError: unreadable, an input is missing, or has a wrong shape, type or value.
    """
    if host is not None and host.head is not None:
        wanted = [_Wanted(name=s.name, shapes=(_sample_shape(s.shape or ()),)) for s in host.inputs]
        return _behind(path, graph, host, _read_samples(path, wanted, limit))
    wanted = [
        _Wanted(name=port.onnx_name, shapes=(_shape(graph, port), _sample_shape(port.onnx_shape)))
        for port in graph.inputs
    ]
    arrays = _read_samples(path, wanted, limit)
    return {
        port.tensor: _images(graph, port, _real(path, port.onnx_name, arrays[port.onnx_name]))
        for port in graph.inputs
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """An input of the model and the shapes that its samples may have."""

    name: str
    shapes: tuple[tuple[int, ...], ...]


def _sample_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    return shape[1:] if len(shape) > 1 else shape


def _behind(
    path: Path, graph: Graph, host: Host, arrays: Mapping[str, NDArray[Any]]
) -> dict[str, NDArray[np.float32]]:
    """The samples as the host hands them to the accelerator."""
    images = []
    for index in range(min(len(array) for array in arrays.values())):
        inputs = {
            s.name: arrays[s.name][index].astype(s.dtype).reshape(s.shape or ())
            for s in host.inputs
        }
        known = host.before(inputs)
        images.append({port.tensor: known[port.onnx_name] for port in graph.inputs})
    return {
        port.tensor: _images(
            graph,
            port,
            _real(path, port.onnx_name, np.stack([image[port.tensor] for image in images])),
        )
        for port in graph.inputs
    }


def _read_samples(path: Path, inputs: Sequence[_Wanted], limit: int) -> dict[str, NDArray[Any]]:
    """At most `limit` samples of every input, by name."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = {
                name.removesuffix(".npy"): name
                for name in archive.namelist()
                if name.endswith(".npy")
            }
            headers = {name: _read_header(archive, file) for name, file in members.items()}
            chosen = {wanted: _find(path, inputs, wanted, headers) for wanted in inputs}
            for wanted, name in chosen.items():
                _check_header(path, wanted, headers[name])
            counts = {wanted.name: headers[name].shape[0] for wanted, name in chosen.items()}
            if len(set(counts.values())) > 1:
                raise InputError(f"{path}: inputs differ in their number of samples: {counts}")
            arrays = {
                wanted.name: _read_spread(archive, members[name], headers[name], limit)
                for wanted, name in chosen.items()
            }
    except _UNREADABLE as error:
        raise InputError(
            f"{path}: cannot be read as .npz ({error}); write it with numpy.savez(path, "
            f"{inputs[0].name}=samples)"
        ) from error
    count = next(iter(counts.values()))
    if count > limit:
        logger.info("%s: %d of %d samples, evenly spread", path, limit, count)
    return arrays


def random_calibration(graph: Graph, seed: int = 0) -> Samples:
    """Standard normal samples: they show cycles and equality, never accuracy."""
    rng = np.random.default_rng(seed)
    return {
        port.tensor: rng.standard_normal((_RANDOM_SAMPLES, *_shape(graph, port)), dtype=np.float32)
        for port in graph.inputs
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Header:
    """What an .npy file says of its array before the values."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    fortran_order: bool


def _open(archive: zipfile.ZipFile, member: str) -> tuple[IO[bytes], _Header]:
    """The member behind its header, and the header."""
    file = archive.open(member)
    version = np.lib.format.read_magic(file)
    read = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }.get(version)
    if read is None:
        raise ValueError(f"{member} has version {version}")
    shape, fortran_order, dtype = read(file)
    return file, _Header(shape=shape, dtype=dtype, fortran_order=fortran_order)


def _read_header(archive: zipfile.ZipFile, member: str) -> _Header:
    file, header = _open(archive, member)
    file.close()
    return header


def _read_spread(
    archive: zipfile.ZipFile, member: str, header: _Header, limit: int
) -> NDArray[Any]:
    """At most `limit` samples, evenly spread over the array."""
    file, _ = _open(archive, member)
    count, shape = header.shape[0], header.shape[1:]
    wanted = [index * count // min(limit, count) for index in range(min(limit, count))]
    size = header.dtype.itemsize * int(np.prod(shape))
    with file:
        if header.fortran_order:
            # The samples are interleaved: there is no reading one without the others.
            values = np.frombuffer(file.read(), header.dtype)
            return values.reshape(header.shape, order="F")[wanted]
        result = np.empty((len(wanted), *shape), header.dtype)
        position = 0
        for row, index in enumerate(wanted):
            _skip(file, (index - position) * size)
            content = file.read(size)
            if len(content) < size:
                raise ValueError(f"{member} ends in sample {index} of {count}")
            result[row] = np.frombuffer(content, header.dtype).reshape(shape)
            position = index + 1
    return result


def _skip(file: IO[bytes], size: int) -> None:
    while size > 0:
        step = len(file.read(min(size, _SKIP_BYTES)))
        if step == 0:
            return
        size -= step


def _images(graph: Graph, port: Port, array: NDArray[np.float32]) -> NDArray[np.float32]:
    """Samples as [K,C,H,W], which they may be already."""
    shape = _shape(graph, port)
    ordered = array if array.shape[1:] == shape else port.from_onnx(array)
    return ordered.reshape(-1, *shape)


def _shape(graph: Graph, port: Port) -> tuple[int, int, int]:
    type_ = graph.tensors[port.tensor]
    return type_.channels, type_.height, type_.width


def _find(
    path: Path, inputs: Sequence[_Wanted], wanted: _Wanted, headers: Mapping[str, _Header]
) -> str:
    """The name of the array for an input."""
    if wanted.name in headers:
        return wanted.name
    if len(inputs) == 1:
        if "x" in headers:
            return "x"
        if len(headers) == 1:
            return next(iter(headers))
    held = ", ".join(sorted(headers)) or "nothing"
    raise InputError(
        f"{path}: no array for input '{wanted.name}'; the file holds {held}; "
        f"name the array '{wanted.name}'"
    )


def _check_header(path: Path, wanted: _Wanted, header: _Header) -> None:
    place = f"{path}: input '{wanted.name}'"
    if header.dtype.kind not in "fiub":
        raise InputError(f"{place}: values of type {header.dtype} are no numbers; use float32")
    if header.shape[1:] not in wanted.shapes or len(header.shape) < 2:
        got = "x".join(map(str, header.shape)) or "a scalar"
        needed = "x".join(map(str, ("K", *wanted.shapes[0])))
        raise InputError(f"{place}: calibration has shape {got}, the model needs {needed}")
    if header.shape[0] == 0:
        raise InputError(f"{place}: calibration holds no samples; give at least one")


def _real(path: Path, name: str, array: NDArray[Any]) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):
        samples = array.astype(np.float32)
    if not np.isfinite(samples).all():
        first = tuple(int(i) for i in np.argwhere(~np.isfinite(samples))[0])
        raise InputError(
            f"{path}: input '{name}': not a finite number at {first} of the samples "
            "taken; remove the sample"
        )
    return samples
