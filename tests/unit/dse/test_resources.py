# SPDX-License-Identifier: Apache-2.0
"""Multipliers and RAM blocks exactly."""

from dataclasses import replace

import pytest

from designs.versatility.area import stored as stored_areas
from flexcc.accelerator import Accelerator
from flexcc.dse.rams import Ram, core_rams, ram_halves, ram_luts
from flexcc.dse.resources import multipliers, ram_blocks, resources
from flexcc.targets import Family, load_device
from sim.baseline.area import ACCELERATOR as MAPPED

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
        # 64 bytes of a beat, two to a product, 2 each for their lanes.
        (replace(ACCELERATOR, window_taps=1), Family.XCUP, 192 + 20 + 32 + 128 + 1),
        (replace(ACCELERATOR, window_taps=1, slopes=True), Family.XCUP, 192 + 20 + 160 + 2),
    ],
)
def test_multipliers(accelerator: Accelerator, family: Family, expected: int) -> None:
    assert multipliers(accelerator, family) == expected


def test_ram_blocks() -> None:
    # Halves of 18 Kbit. Of 64 bits, 2048 words take 8 a bank, 512 words 2, in four lanes of 16
    # bits as well; 8 rows of weights 2 each; 256 parameters of 156 bits 5; lists and records 4 and
    # 2; FIFOs of 512 beats 15 each, with strobes 16.
    halves = 5 * (8 + 2) + 8 * 2 + 5 + 4 + 2 + 3 * 15 + 16
    assert ram_blocks(ACCELERATOR) == halves / 2
    assert ram_blocks(replace(ACCELERATOR, weight_words=64)) == halves / 2 - 8


def test_slopes_widen_records_and_tables_take_half_a_block_a_lane() -> None:
    plain = ram_blocks(ACCELERATOR)
    assert ram_blocks(replace(ACCELERATOR, slopes=True)) == plain + 3
    assert ram_blocks(replace(ACCELERATOR, tables=True)) == plain + 5
    # 512 parameters of 78 bits are 3 halves.
    assert ram_blocks(replace(ACCELERATOR, q=1, tables=True)) == plain + 2


@pytest.mark.parametrize(
    ("words", "bits", "lane", "halves", "luts"),
    [
        (64, 64, 0, 0, 80),
        (64, 128, 0, 0, 152),
        (128, 64, 0, 2, 0),
        (256, 64, 0, 2, 0),
        (512, 512, 0, 15, 0),
        (512, 576, 0, 16, 0),
        (1024, 64, 16, 4, 0),
        (2048, 64, 0, 8, 0),
        (4096, 8, 0, 2, 0),
        (32, 156, 0, 0, 96),
    ],
)
def test_rams_are_made_of_what_yosys_takes(
    words: int, bits: int, lane: int, halves: int, luts: int
) -> None:
    ram = Ram(name="r", words=words, bits=bits, lane=lane)
    assert (ram_halves(ram), ram_luts(ram)) == (halves, luts)


def test_the_rams_of_a_mapped_core_are_counted_exactly() -> None:
    """`tests/synth` maps it again."""
    assert sum(map(ram_halves, core_rams(MAPPED))) == stored_areas().core.block_rams


def test_what_has_no_formula_is_not_guessed() -> None:
    known = resources(ACCELERATOR, load_device("u250"))
    assert (known.dsp, known.bram36, known.uram) == (213, 69, 0)
    assert known.lut is not None
    assert known.ff is not None
    assert 15_000 < known.lut < known.ff < 60_000
    wide = resources(replace(ACCELERATOR, wide=True), load_device("u250"))
    assert (wide.uram, wide.lut, wide.ff) == (0, None, None)
    # Two banks of 64 bytes, a block for every 4,096 words of 8.
    near = resources(replace(ACCELERATOR, cores=2, on_chip_bytes=1 << 20), load_device("u250"))
    assert (near.uram, near.lut, near.ff) == (2 * 8 * 2, None, None)
    board = resources(replace(ACCELERATOR, packed=False), load_device("ulx3s-85f"))
    assert (board.bram36, board.lut, board.ff) == (None, None, None)


def test_cores_stand_side_by_side() -> None:
    one = resources(ACCELERATOR, load_device("u250"))
    two = resources(replace(ACCELERATOR, cores=2), load_device("u250"))
    assert one.lut is not None
    assert two.lut is not None
    # The control registers are there once.
    assert 1.9 < two.lut / one.lut < 2
    assert two.bram36 == 138
