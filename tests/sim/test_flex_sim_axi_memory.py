# SPDX-License-Identifier: Apache-2.0
"""The AXI memory model: data, order, timing, errors; and it catches masters that break rules."""

from pathlib import Path

import pytest

from sim.runner import simulate

TESTS_OF_BOTH_HALVES = 25
RULES = [
    *(
        f"A{direction}{rule}"
        for direction in "rw"
        for rule in ("Stable", "Burst", "Size", "InPage")
    ),
    "WStable",
    "WLastAtEnd",
]


def run(folder: Path, data_bytes: int, *, read: int = 1, write: int = 1, rule: str = "") -> int:
    return simulate(
        "flex_sim_axi_memory",
        folder,
        {"DataBytes": data_bytes, "HasRead": read, "HasWrite": write, "IdWidth": 2},
        env={
            "DATA_BYTES": str(data_bytes),
            "HAS_READ": str(read),
            "HAS_WRITE": str(write),
            "VIOLATION": rule,
        },
    )


@pytest.mark.parametrize("data_bytes", [8, 64, 128])
def test_memory(data_bytes: int, tmp_path: Path) -> None:
    assert run(tmp_path, data_bytes) == TESTS_OF_BOTH_HALVES


@pytest.mark.parametrize(("read", "write"), [(1, 0), (0, 1)])
def test_half_a_port(read: int, write: int, tmp_path: Path) -> None:
    assert run(tmp_path, 64, read=read, write=write) == 1


@pytest.mark.parametrize("rule", RULES)
def test_broken_rule_is_found(rule: str, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=rf"assertion failed: \S*{rule}"):
        run(tmp_path, 64, rule=rule)
