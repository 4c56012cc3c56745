# SPDX-License-Identifier: Apache-2.0
"""Frozen dataclasses as JSON plus named arrays, and back: how a build remembers its IR.

Dataclasses are tagged with their class name, tuples become lists, arrays become a reference to
an entry of an .npz file that is named after its place. Only listed classes are ever built.
"""

import io
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Json", "arrays_from_bytes", "arrays_to_bytes", "pack", "unpack"]

Json = Any
"""Whatever the json module reads and writes."""

_CLASS, _ARRAY, _MAP, _ENUM = "$class", "$array", "$map", "$enum"


def pack(value: object, arrays: dict[str, NDArray[Any]], place: str = "") -> Json:
    """`value` as JSON; its arrays go to `arrays`, named after their place within it.

    Raises:
        TypeError: something in it has no JSON form.
    """
    match value:
        case Enum():
            return {_ENUM: type(value).__name__, "name": value.name}
        case None | bool() | int() | float() | str():
            return value
        case np.ndarray():
            arrays[place] = value
            return {_ARRAY: place}
        case Mapping():
            items = [[pack(k, arrays), pack(v, arrays, _at(place, k))] for k, v in value.items()]
            return {_MAP: items}
        case tuple() | list():
            return [pack(item, arrays, _at(place, i)) for i, item in enumerate(value)]
    if is_dataclass(value) and not isinstance(value, type):
        named = {
            f.name: pack(getattr(value, f.name), arrays, _at(place, f.name)) for f in fields(value)
        }
        return {_CLASS: type(value).__name__, **named}
    raise TypeError(f"{place or 'value'}: {type(value).__name__} has no JSON form")


def unpack(json: Json, arrays: Mapping[str, NDArray[Any]], classes: Iterable[type]) -> Any:
    """What `pack` was given, rebuilt from `classes`; sequences come back as tuples.

    Raises:
        ValueError: a class, member, field or array is not known, or one is missing.
    """
    return _unpack(json, arrays, {cls.__name__: cls for cls in classes})


def _unpack(json: Json, arrays: Mapping[str, NDArray[Any]], classes: Mapping[str, type]) -> Any:
    if isinstance(json, list):
        return tuple(_unpack(item, arrays, classes) for item in json)
    if not isinstance(json, dict):
        return json
    if _ARRAY in json:
        if json[_ARRAY] not in arrays:
            raise ValueError(f"array {json[_ARRAY]!r} is missing")
        return arrays[json[_ARRAY]]
    if _MAP in json:
        items = (_unpack(item, arrays, classes) for item in json[_MAP])
        return dict(items)
    if _ENUM in json:
        cls = _known(json[_ENUM], classes)
        if json["name"] not in cls.__members__:  # type: ignore[attr-defined]
            raise ValueError(f"{cls.__name__} has no member {json['name']!r}")
        return cls[json["name"]]  # type: ignore[index]
    cls = _known(json.get(_CLASS), classes)
    values = {k: _unpack(v, arrays, classes) for k, v in json.items() if k != _CLASS}
    if {f.name for f in fields(cls)} != values.keys():
        raise ValueError(f"{cls.__name__}: fields {sorted(values)} are not those of this version")
    return cls(**values)


def _known(name: Any, classes: Mapping[str, type]) -> type:
    if name not in classes:
        raise ValueError(f"class {name!r} is unknown")
    return classes[name]


def _at(place: str, key: object) -> str:
    return f"{place}.{key}" if place else str(key)


def arrays_to_bytes(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """An .npz file; the same arrays give the same bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(arrays):
            entry = io.BytesIO()
            np.lib.format.write_array(entry, np.asarray(arrays[name], order="C"))
            info = zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, entry.getvalue())
    return buffer.getvalue()


def arrays_from_bytes(data: bytes) -> dict[str, NDArray[Any]]:
    """The arrays of an .npz file; never unpickles."""
    with np.load(io.BytesIO(data), allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}
