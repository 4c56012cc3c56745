# SPDX-License-Identifier: Apache-2.0
"""Dataclasses survive the way to JSON and back; only known classes are built."""

import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from flexcc.backend.archive import arrays_from_bytes, arrays_to_bytes, pack, unpack


class Colour(Enum):
    """An enum to pack."""

    RED = "r"


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """A dataclass of plain fields."""

    size: tuple[int, ...]
    scale: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tree:
    """A dataclass of everything that packs."""

    leaves: Mapping[str, Leaf]
    colour: Colour
    pair: tuple[Leaf, bool]
    weight: NDArray[Any]


CLASSES = (Colour, Leaf, Tree)


def tree() -> Tree:
    return Tree(
        leaves={"b": Leaf(size=(1, 2), scale=0.1), "a": Leaf(size=())},
        colour=Colour.RED,
        pair=(Leaf(size=(3,), scale=float(np.float32(0.1))), True),
        weight=np.arange(6, dtype=np.int8).reshape(2, 3),
    )


def packed() -> tuple[Any, dict[str, NDArray[Any]]]:
    arrays: dict[str, NDArray[Any]] = {}
    return pack(tree(), arrays), arrays


def test_round_trip() -> None:
    packed_json, arrays = packed()
    again = unpack(
        json.loads(json.dumps(packed_json)), arrays_from_bytes(arrays_to_bytes(arrays)), CLASSES
    )
    assert again.leaves == tree().leaves
    assert list(again.leaves) == ["b", "a"]
    assert again.colour is Colour.RED
    assert again.pair == tree().pair
    assert again.weight.dtype == np.int8
    np.testing.assert_array_equal(again.weight, tree().weight)


def test_arrays_are_named_after_their_place() -> None:
    assert list(packed()[1]) == ["weight"]


def test_array_files_do_not_depend_on_time_or_order(tmp_path: Path) -> None:
    arrays: dict[str, NDArray[Any]] = {"b": np.zeros(3), "a": np.ones((), np.float32)}
    data = arrays_to_bytes(arrays)
    assert data == arrays_to_bytes({name: arrays[name] for name in reversed(arrays)})
    (tmp_path / "x.npz").write_bytes(data)
    with zipfile.ZipFile(tmp_path / "x.npz") as archive:
        assert {info.date_time[0] for info in archive.infolist()} == {1980}
    assert arrays_from_bytes(data)["a"].shape == ()


@pytest.mark.parametrize(
    ("classes", "change", "message"),
    [
        ((Colour, Leaf), {}, "class 'Tree' is unknown"),
        (CLASSES, {"$class": "Path"}, "class 'Path' is unknown"),
        (CLASSES, {"extra": 1}, "not those of this version"),
        (CLASSES, {"weight": {"$array": "w"}}, "array 'w' is missing"),
        (CLASSES, {"colour": {"$enum": "Colour", "name": "BLUE"}}, "no member 'BLUE'"),
    ],
)
def test_refuses_what_it_does_not_know(
    classes: tuple[type, ...], change: dict[str, Any], message: str
) -> None:
    packed_json, arrays = packed()
    with pytest.raises(ValueError, match=message):
        unpack(packed_json | change, arrays, classes)


def test_refuses_what_has_no_form() -> None:
    with pytest.raises(TypeError, match=r"x\.1: set has no JSON form"):
        pack((1, {2}), {}, "x")
