# SPDX-License-Identifier: Apache-2.0
"""Rows of tiles are shared evenly, in bands, and borders come first."""

import pytest

from flexcc.cores import core_rows, core_tiles


def test_one_core_goes_from_top_to_bottom() -> None:
    assert core_rows(5, 1) == ((0, 1, 2, 3, 4),)
    assert core_tiles(2, 3, 1) == ((0, 1, 2, 3, 4, 5),)


def test_borders_come_first() -> None:
    assert core_rows(8, 2) == ((3, 2, 1, 0), (4, 5, 6, 7))
    assert core_rows(15, 3) == ((4, 3, 2, 1, 0), (5, 9, 6, 8, 7), (10, 11, 12, 13, 14))
    assert core_tiles(3, 2, 2) == ((0, 1), (2, 3, 4, 5))


@pytest.mark.parametrize("cores", range(1, 5))
@pytest.mark.parametrize("rows", range(1, 20))
def test_every_row_has_one_core(rows: int, cores: int) -> None:
    orders = core_rows(rows, cores)
    assert sorted(row for order in orders for row in order) == list(range(rows))
    sizes = [len(order) for order in orders]
    assert max(sizes) - min(sizes) <= 1
    # Bands follow each other.
    assert [row for order in orders for row in sorted(order)] == list(range(rows))
