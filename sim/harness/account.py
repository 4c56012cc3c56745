# SPDX-License-Identifier: Apache-2.0
"""What `flex_sim_account` writes: every cycle of the array under one name, tile by tile."""

from dataclasses import dataclass
from pathlib import Path

from flexcc.measured import ArrayCycles

ACCOUNT = "account.txt"
# The counts of a line in their order; flex_sim_top joins the causes of waiting in this order.
_KINDS = ("steps", "records", "window", "weights", "parameters", "second", "output", "drain")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunAccount:
    """The array's cycles by tile, in order, and the cycles from the last step of all to done."""

    tiles: tuple[ArrayCycles, ...]
    end: ArrayCycles

    @property
    def cycles(self) -> int:
        """All cycles of the run."""
        return sum(part.total for part in (*self.tiles, self.end))


def tiles_so_far(path: Path) -> int:
    """Tiles computed in all runs until now; 0 while there is no account."""
    try:
        return path.read_bytes().count(b"\ntile")
    except FileNotFoundError:
        return 0


def read_account(path: Path) -> list[RunAccount]:
    """The accounts of the runs that ended.

    Raises:
        ValueError: a line is none of an account.
    """
    runs: list[RunAccount] = []
    tiles: list[ArrayCycles] = []
    for line in path.read_text().splitlines():
        word, *numbers = line.split()
        match word:
            case "run":
                tiles = []
            case "tile":
                tiles.append(_cycles(numbers))
            case "end":
                runs.append(RunAccount(tiles=tuple(tiles), end=_after_all(_cycles(numbers))))
            case _:
                raise ValueError(f"{path}: {line!r} is no line of an account")
    return runs


def _cycles(numbers: list[str]) -> ArrayCycles:
    return ArrayCycles(**dict(zip(_KINDS, map(int, numbers), strict=True)))


def _after_all(cycles: ArrayCycles) -> ArrayCycles:
    """Behind the last step no record is missing: the outputs are on their way."""
    return ArrayCycles(
        end=cycles.records,
        **{kind: getattr(cycles, kind) for kind in _KINDS if kind != "records"},
    )
