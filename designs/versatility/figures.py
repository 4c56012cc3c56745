# SPDX-License-Identifier: Apache-2.0
"""The measured figures of single layers, and the file that guards them."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

__all__ = [
    "STORED",
    "Array",
    "Comparison",
    "Figures",
    "Gain",
    "ReshapeFigures",
    "Run",
    "ZerosFigures",
    "from_json",
    "stored",
    "to_json",
]

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
class ZerosFigures:
    """Tap lists against inserted zeros on one array."""

    array: Array
    layers: tuple[Comparison, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gain:
    """Layers `name` as they are and after a `reshape`."""

    name: str
    reshape: str
    plain: Run
    reshaped: Run

    @property
    def ratio(self) -> float:
        """How many times the cycles of the reshaped layers the plain ones take."""
        return self.plain.measured / self.reshaped.measured


@dataclass(frozen=True, slots=True, kw_only=True)
class ReshapeFigures:
    """Layers before and after reshapes on one array."""

    array: Array
    chains: tuple[Gain, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Everything that is measured on single layers and short chains."""

    zeros: ZerosFigures
    reshapes: ReshapeFigures


def to_json(figures: Figures) -> str:
    """The text of `figures.json`."""
    return json.dumps(asdict(figures), indent=2) + "\n"


def from_json(text: str) -> Figures:
    """The figures that `to_json` wrote; TypeError for a key too many or too few."""
    data: dict[str, Any] = json.loads(text)
    return Figures(
        **{
            **data,
            "zeros": _part(ZerosFigures, data["zeros"], "layers", Comparison, ("taps", "zeros")),
            "reshapes": _part(
                ReshapeFigures, data["reshapes"], "chains", Gain, ("plain", "reshaped")
            ),
        }
    )


def stored() -> Figures:
    """The figures as they were measured."""
    return from_json(STORED.read_text())


def _part(
    part: Callable[..., Any],
    data: dict[str, Any],
    rows: str,
    row: Callable[..., Any],
    runs: tuple[str, str],
) -> Any:
    """One of the figures' parts: its array and its rows, each of two runs."""
    return part(
        **{
            **data,
            "array": Array(**data["array"]),
            rows: tuple(
                row(**{**item, **{name: Run(**item[name]) for name in runs}}) for item in data[rows]
            ),
        }
    )
