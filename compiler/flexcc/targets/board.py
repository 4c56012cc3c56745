# SPDX-License-Identifier: Apache-2.0
"""Board: what open tools and a host must know of a board that gets a bitstream."""

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["Board", "Pll", "board_of", "board_problems"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pll:
    """Dividers: output = input / `input_divider` * `feedback`, oscillator = output * `output`."""

    input_divider: int
    feedback: int
    output: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """A board with an ECP5, a serial line to a host and memory on the chip.

    `size`, `package` and `speed` are those of nextpnr-ecp5, `name` that of openFPGALoader. The
    accelerator runs at `clock_mhz`, made from the crystal's `crystal_mhz`; a placement that is
    slower is refused. `memory_bytes` is the largest memory made of RAM blocks.
    """

    name: str
    size: str
    package: str
    speed: int
    crystal_mhz: int
    clock_mhz: int
    baud: int
    memory_bytes: int
    source: str

    @property
    def clocks_per_bit(self) -> int:
        """Clock cycles of a bit on the serial line."""
        return round(self.clock_mhz * 1_000_000 / self.baud)

    @property
    def gap_cycles(self) -> int:
        """Cycles without a byte after which a frame is given up: 20 ms, longer than USB pauses."""
        return self.clock_mhz * 20_000

    @property
    def pll(self) -> Pll:
        """The least dividers that give the clock, the oscillator between 400 and 800 MHz.

        Raises:
            ValueError: none do.
        """
        for divider in range(1, 9):
            feedback, rest = divmod(self.clock_mhz * divider, self.crystal_mhz)
            if rest == 0 and 1 <= feedback <= 80:
                output = -(-400 // self.clock_mhz)
                # The middle of the range, where it is kindest.
                while (output + 1) * self.clock_mhz <= 600:
                    output += 1
                return Pll(input_divider=divider, feedback=feedback, output=output)
        raise ValueError(f"no PLL makes {self.clock_mhz} MHz of {self.crystal_mhz} MHz")


_TEXTS = ("name", "size", "package", "source")
_INTEGERS = ("speed", "crystal_mhz", "clock_mhz", "baud", "memory_bytes")


def board_problems(table: object) -> list[str]:
    """What is wrong with the table [board] of a device, or nothing."""
    if not isinstance(table, dict):
        return [f"board: a table is expected, not {table!r}"]
    problems = [f"board.{key}: no such key" for key in sorted(table.keys() - {*_TEXTS, *_INTEGERS})]
    problems += [
        f"board.{key}: a text is expected, not {table.get(key)!r}"
        for key in _TEXTS
        if not isinstance(table.get(key), str) or not table[key].strip()
    ]
    problems += [
        f"board.{key}: a positive integer is expected, not {table.get(key)!r}"
        for key in _INTEGERS
        if not isinstance(table.get(key), int) or isinstance(table[key], bool) or table[key] <= 0
    ]
    if not problems:
        board = board_of(table)
        try:
            error = abs(board.clocks_per_bit * board.baud / (board.clock_mhz * 1e6) - 1)
            if error > 0.01:
                problems.append(f"board.baud: {error:.1%} off at {board.clock_mhz} MHz")
            if board.pll.output > 128:
                problems.append("board.clock_mhz: too slow for the PLL")
        except ValueError as error_:
            problems.append(f"board.clock_mhz: {error_}")
    return problems


def board_of(table: Mapping[str, object]) -> Board:
    """The board that a table without problems describes."""
    return Board(**table)  # type: ignore[arg-type]
