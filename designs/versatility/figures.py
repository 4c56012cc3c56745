# SPDX-License-Identifier: Apache-2.0
"""The measured figures of single layers, and the file that guards them."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

__all__ = ["STORED", "Array", "Comparison", "Figures", "Run", "from_json", "to_json"]

STORED = Path(__file__).with_name("figures.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Array:
    """The accelerator that all runs share: M rows, P columns, N lanes, Q drain chains a column."""

    m: int
    p: int
    n: int
    q: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run from start to done: cycles estimated and measured, and bytes equal to the reference.

    `products` are those that the layer computes, zeros included.
    """

    products: int
    estimated: int
    measured: int
    compared_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A layer `name` of channels and pixels `shape`, as tap lists and with inserted zeros."""

    name: str
    shape: str
    taps: Run
    zeros: Run

    @property
    def ideal(self) -> float:
        """How many times the products of the tap lists the zero-inserting layer has."""
        return self.zeros.products / self.taps.products

    @property
    def ratio(self) -> float:
        """How many times the cycles of the tap lists the zero-inserting layer takes."""
        return self.zeros.measured / self.taps.measured


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """All comparisons."""

    array: Array
    layers: tuple[Comparison, ...]


def to_json(figures: Figures) -> str:
    """The text of `figures.json`."""
    return json.dumps(asdict(figures), indent=2) + "\n"


def from_json(text: str) -> Figures:
    """The figures that `to_json` wrote; TypeError for a key too many or too few."""
    data: dict[str, Any] = json.loads(text)
    return Figures(
        array=Array(**data.pop("array")),
        layers=tuple(
            Comparison(**{**layer, "taps": Run(**layer["taps"]), "zeros": Run(**layer["zeros"])})
            for layer in data.pop("layers")
        ),
        **data,
    )
