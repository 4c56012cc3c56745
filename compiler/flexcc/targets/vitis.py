# SPDX-License-Identifier: Apache-2.0
"""Vitis: what AMD's tools call a board, its memories and its dies."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

__all__ = ["HostCpu", "Vitis", "vitis_of", "vitis_problems"]


class HostCpu(Enum):
    """The processor that runs the host program; the value is what compilers call it."""

    X86 = "x86_64"
    ARM = "aarch64"


@dataclass(frozen=True, slots=True, kw_only=True)
class Vitis:
    """The names of a platform, for `v++`.

    `activations` and `weights` are the tags of the memory that holds tensors, and of the one that
    holds weights and program; one memory may be both. `slr` is the die next to the first, None
    where there is one die. `source` names where these come from.
    """

    platform: str
    activations: str
    weights: str
    slr: str | None
    host: HostCpu
    source: str


_TEXTS = ("platform", "activations", "weights", "source")


def vitis_problems(table: object, regions: object) -> list[str]:
    """What is wrong with the table [vitis] of a device of `regions` dies, or nothing."""
    if not isinstance(table, dict):
        return [f"vitis: a table is expected, not {table!r}"]
    known = {*_TEXTS, "slr", "host"}
    problems = [f"vitis.{key}: no such key" for key in sorted(table.keys() - known)]
    problems += [
        f"vitis.{key}: a text is expected, not {table.get(key)!r}"
        for key in _TEXTS
        if not isinstance(table.get(key), str) or not table[key].strip()
    ]
    cpus = [cpu.value for cpu in HostCpu]
    if table.get("host") not in cpus:
        problems.append(f"vitis.host: one of {cpus} is expected, not {table.get('host')!r}")
    slr = table.get("slr")
    dies = [f"SLR{die}" for die in range(regions)] if isinstance(regions, int) else []
    if len(dies) > 1 and slr not in dies:
        problems.append(f"vitis.slr: one of {dies} is expected, not {slr!r}")
    if len(dies) <= 1 and slr is not None:
        problems.append("vitis.slr: a device of one die has none")
    return problems


def vitis_of(table: Mapping[str, str]) -> Vitis:
    """The names that a table without problems holds."""
    values = {key: table[key] for key in _TEXTS}
    return Vitis(slr=table.get("slr"), host=HostCpu(table["host"]), **values)
