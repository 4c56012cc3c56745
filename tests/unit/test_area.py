# SPDX-License-Identifier: Apache-2.0
"""Estimated cells keep close to what Yosys mapped."""

from designs.area.fit import fit
from designs.area.points import wholes
from designs.area.table import guarded_counts, part_counts, whole_counts
from flexcc.dse.area import CONSTANTS


def test_multipliers_and_rams_are_counted_exactly() -> None:
    exact = [count for count in whole_counts() if count.kind not in ("LUT", "FF")]
    assert len(exact) == 3 * len(wholes())
    assert [(count.name, count.kind) for count in exact if count.estimated != count.mapped] == []


def test_what_was_held_out_is_estimated_within_ten_percent() -> None:
    held = [count for count in whole_counts() if not count.fitted and count.kind in ("LUT", "FF")]
    assert len(held) >= 4
    assert {count.name: count.error for count in held if abs(count.error) > 0.1} == {}


def test_guarded_designs_are_estimated_within_ten_percent() -> None:
    counts = list(guarded_counts())
    assert {count.name for count in counts} >= {"unet", "mnist_conv_u250"}
    assert {count.name: count.error for count in counts if abs(count.error) > 0.1} == {}
    assert all(count.error == 0 for count in counts if count.kind == "DSP48E2")


def test_modules_are_estimated_within_fifteen_percent() -> None:
    off = {
        (count.name, count.kind): count.error
        for count in part_counts()
        if abs(count.error) > 0.15 and count.mapped > 1000
    }
    assert off == {}


def test_the_constants_are_those_of_the_points() -> None:
    assert CONSTANTS.read_text() == fit(), "run `python -m designs.area.fit`"
