# SPDX-License-Identifier: Apache-2.0
"""Multipliers exactly, RAM blocks by geometry."""

from dataclasses import replace

import pytest

from flexcc.accelerator import Accelerator
from flexcc.dse.resources import multipliers, ram_blocks, resources
from flexcc.targets import Family, load_device

ACCELERATOR = Accelerator(
    m=8,
    p=5,
    n=8,
    q=2,
    packed=True,
    beat_bytes=64,
    act_words=1024,
    weight_words=512,
    param_passes=64,
    out_words=256,
    list_entries=512,
)


@pytest.mark.parametrize(
    ("accelerator", "family", "expected"),
    [
        (ACCELERATOR, Family.XCUP, 8 * 3 * 8 + 5 * 2 * 2 + 1),
        (replace(ACCELERATOR, packed=False), Family.XCUP, 8 * 5 * 8 + 5 * 2 * 2 + 1),
        (replace(ACCELERATOR, packed=False), Family.ECP5, 8 * 5 * 8 + 5 * 2 * 4 + 1),
        (replace(ACCELERATOR, packed=False, sums=True), Family.XCUP, 320 + 10 * 4 + 1),
        (replace(ACCELERATOR, packed=False, sums=True), Family.XC7, 320 + 10 * 6 + 1),
        (replace(ACCELERATOR, packed=False, sums=True), Family.ECP5, 320 + 10 * 8 + 1),
        (replace(ACCELERATOR, p=1, q=8), Family.XCUP, 8 * 1 * 8 + 1 * 8 * 2 + 1),
    ],
)
def test_multipliers(accelerator: Accelerator, family: Family, expected: int) -> None:
    assert multipliers(accelerator, family) == expected


def test_ram_blocks() -> None:
    # 64 bits: 2048 words take 4 blocks a bank, 512 words 1; 8 rows of weights 1 each; parameters
    # 256 x 256 bits 4; lists 1024 x 64 bits 2; three FIFOs of 128 x 512 bits 8 each.
    assert ram_blocks(ACCELERATOR) == 5 * (4 + 1) + 8 * 1 + 4 + 2 + 3 * 8
    assert ram_blocks(replace(ACCELERATOR, weight_words=64)) == 5 * 5 + 4 + 2 + 24


def test_slopes_widen_records_and_tables_take_half_a_block_a_lane() -> None:
    plain = ram_blocks(ACCELERATOR)
    assert ram_blocks(replace(ACCELERATOR, slopes=True)) == plain + 4
    assert ram_blocks(replace(ACCELERATOR, tables=True)) == plain + 5
    assert ram_blocks(replace(ACCELERATOR, q=1, tables=True)) == plain - 2 + 3


def test_what_only_synthesis_tells_is_not_guessed() -> None:
    known = resources(ACCELERATOR, load_device("u250"))
    assert known.dsp == 213
    assert (known.bram36, known.uram, known.lut, known.ff) == (None, None, None, None)
