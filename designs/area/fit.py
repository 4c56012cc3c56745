# SPDX-License-Identifier: Apache-2.0
"""Finds the constants of `flexcc.dse.area`: `python -m designs.area.fit` writes its `area.json`.

Of each part the terms' constants whose errors, as shares of what was mapped, have the least sum of
squares; none is negative. Then the share that is left of all parts in one netlist.
"""

import json
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from designs.area.points import Point, points, wholes
from flexcc.dse import area as formulas

__all__ = ["constants", "fit"]

_DIGITS = 5


def _least_squares(
    amounts: npt.NDArray[np.float64], counts: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Constants, none below 0, for rows of amounts and their counts; errors are relative."""
    rows = amounts / counts[:, None]
    used = list(range(amounts.shape[1]))
    found = np.zeros(amounts.shape[1])
    while used:
        scale = np.abs(rows[:, used]).max(axis=0)
        scale[scale == 0] = 1
        solved = np.linalg.lstsq(rows[:, used] / scale, np.ones(len(counts)), rcond=None)[0] / scale
        if solved.min() >= 0:
            found[used] = solved
            break
        del used[int(np.argmin(solved * scale))]
    return found


def constants(mapped: Sequence[Point]) -> dict[str, dict[str, float]]:
    """The constants of one part, for LUTs and registers, by term.

    Raises:
        ValueError: fewer points than terms.
    """
    terms = [term for term in mapped[0].terms if any(point.terms[term] for point in mapped)]
    if len(mapped) < len(terms):
        raise ValueError(f"{mapped[0].part}: {len(mapped)} points for {len(terms)} constants")
    amounts = np.array([[float(point.terms[term]) for term in terms] for point in mapped])
    counts = {
        "lut": np.array([float(point.own_lut) for point in mapped]),
        "ff": np.array([float(point.ff) for point in mapped]),
    }
    return {
        kind: {
            term: float(f"{value:.{_DIGITS}g}")
            for term, value in zip(terms, _least_squares(amounts, count), strict=True)
        }
        for kind, count in counts.items()
    }


def fit() -> str:
    """The text of `area.json`."""
    by_part: dict[str, list[Point]] = {}
    for point in (item for item in points() if not item.held_out):
        by_part.setdefault(point.part, []).append(point)
    parts = {part: constants(mapped) for part, mapped in sorted(by_part.items())}
    shares: dict[str, list[float]] = {"lut": [], "ff": []}
    for whole in (item for item in wholes() if item.fitted):
        parted = formulas.around_cells(whole.accelerator, parts, top=whole.module == "flex_top")
        rams = formulas.ram_cells(whole.accelerator)
        around = whole.around
        shares["lut"].append((around.luts + around.lut_rams - rams.lut) / parted.lut)
        shares["ff"].append(around.registers / parted.ff)
    left = {kind: float(f"{np.mean(values):.{_DIGITS}g}") for kind, values in shares.items()}
    data = {"left": left, "parts": parts}
    return json.dumps(data, indent=1) + "\n"


if __name__ == "__main__":
    formulas.CONSTANTS.write_text(fit())
