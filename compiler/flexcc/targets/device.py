# SPDX-License-Identifier: Apache-2.0
"""Device: what a board offers, read from `<name>.toml` beside this file."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from importlib.resources import files
from math import isfinite

from flexcc.errors import InputError
from flexcc.targets.board import Board, board_of, board_problems
from flexcc.targets.vitis import Vitis, vitis_of, vitis_problems

__all__ = ["Device", "Family", "available_targets", "load_device", "parse_device"]


class Family(Enum):
    """An FPGA family; the value is what Yosys calls it."""

    XCUP = "xcup"
    XC7 = "xc7"
    ECP5 = "ecp5"

    @property
    def packs(self) -> bool:
        """Whether one multiplier takes two int8 products with a shared factor (27x18 bits)."""
        return self is Family.XCUP

    @property
    def splits(self) -> bool:
        """Whether multipliers take 18x18 bits, so that products behind the array need several."""
        return self is Family.ECP5


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A board: its FPGA's resources, its memory and the clock that estimates assume.

    `dsp` counts multiplier blocks, `bram36` RAM blocks of 36 Kbit (two of 18 Kbit count as one),
    `uram` blocks of 288 Kbit, `lut` look-up tables, `ff` flip-flops. `regions` is the number of
    dies; a core stays within one. `memory_bytes` is the width of one AXI port to a memory channel
    in bytes, a power of two. `vitis` has the names for AMD's tools, None where those do not know
    the board; `board` is what a bitstream needs, None where no open tool makes one. `sources`
    names where each figure comes from.
    """

    name: str
    title: str
    part: str
    family: Family
    regions: int
    clock_mhz: float
    dsp: int
    bram36: int
    uram: int
    lut: int
    ff: int
    memory: str
    memory_channels: int
    memory_bytes: int
    vitis: Vitis | None
    board: Board | None
    sources: Mapping[str, str]


_POSITIVE = ("regions", "dsp", "bram36", "lut", "ff", "memory_channels", "memory_bytes")
_SOURCED = ("clock_mhz", "dsp", "bram36", "uram", "lut", "ff", "memory")
_TEXTS = ("title", "part", "memory")
_INTEGERS = (*_POSITIVE, "uram")


def parse_device(name: str, text: str, place: str) -> Device:
    """The device `name` described by the TOML document `text`.

    Raises:
        InputError: names the file (`place`), the key and what is expected of it, all at once.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{place}: no TOML document: {error}") from error
    problems = [problem for key in document if (problem := _unknown(key))]
    problems += [problem for key in _TEXTS if (problem := _text(key, document))]
    problems += [problem for key in _INTEGERS if (problem := _integer(key, document))]
    problems += _other(document)
    if problems:
        raise InputError("\n".join(f"{place}: {problem}" for problem in problems))
    values = {key: document[key] for key in (*_TEXTS, *_INTEGERS)}
    return Device(
        name=name,
        family=Family(document["family"]),
        clock_mhz=float(document["clock_mhz"]),
        board=None if "board" not in document else board_of(document["board"]),
        vitis=None if "vitis" not in document else vitis_of(document["vitis"]),
        sources=dict(document["sources"]),
        **values,
    )


def _unknown(key: str) -> str | None:
    known = {*_TEXTS, *_INTEGERS, "family", "clock_mhz", "board", "vitis", "sources"}
    return None if key in known else f"{key}: no such key; known are {', '.join(sorted(known))}"


def _text(key: str, document: Mapping[str, object]) -> str | None:
    value = document.get(key)
    good = isinstance(value, str) and value.strip()
    return None if good else f"{key}: a text is expected, not {value!r}"


def _integer(key: str, document: Mapping[str, object]) -> str | None:
    value = document.get(key)
    least = 1 if key in _POSITIVE else 0
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        return f"{key}: an integer of at least {least} is expected, not {value!r}"
    if key == "memory_bytes" and (value & (value - 1) or not 8 <= value <= 128):
        return f"{key}: a power of two from 8 to 128 is expected, not {value}"
    return None


def _other(document: Mapping[str, object]) -> list[str]:
    problems = []
    families = [family.value for family in Family]
    if document.get("family") not in families:
        problems.append(f"family: one of {families} is expected, not {document.get('family')!r}")
    clock = document.get("clock_mhz")
    number = isinstance(clock, int | float) and not isinstance(clock, bool)
    if not number or not isfinite(clock) or clock <= 0:  # type: ignore[arg-type, operator]
        problems.append(f"clock_mhz: a positive number is expected, not {clock!r}")
    if "vitis" in document:
        problems += vitis_problems(document["vitis"], document.get("regions"))
    if "board" in document:
        problems += board_problems(document["board"])
    sources = document.get("sources")
    if not isinstance(sources, dict):
        problems.append("sources: a table is expected that names the source of each figure")
    else:
        missing = [k for k in _SOURCED if not isinstance(sources.get(k), str) or not sources[k]]
        problems += [f"sources.{key}: the source of the figure is missing" for key in missing]
        unknown = sorted(sources.keys() - set(_SOURCED))
        problems += [f"sources.{key}: no such figure" for key in unknown]
    return problems


def available_targets() -> tuple[str, ...]:
    """The names that `load_device` takes, sorted."""
    entries = files("flexcc.targets").iterdir()
    return tuple(sorted(e.name[:-5] for e in entries if e.name.endswith(".toml")))


def load_device(name: str) -> Device:
    """The device of a target name.

    Raises:
        InputError: no such target, or its file is wrong.
    """
    if name not in available_targets():
        raise InputError(
            f"target {name!r} is unknown; choose one of {', '.join(available_targets())}"
        )
    file = files("flexcc.targets") / f"{name}.toml"
    return parse_device(name, file.read_text(encoding="utf-8"), f"targets/{name}.toml")
