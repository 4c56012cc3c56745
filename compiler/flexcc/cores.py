# SPDX-License-Identifier: Apache-2.0
"""Which core computes which tiles of a stage, and in which order."""

from itertools import zip_longest

__all__ = ["core_rows", "core_tiles"]


def core_rows(rows: int, cores: int) -> tuple[tuple[int, ...], ...]:
    """The rows of tiles that each core computes, in the order of its work.

    Every core has a band of neighbouring rows, as even as they come. What borders on another core's
    band comes first, from both ends in turn, so that no core waits for its neighbour between two
    layers: the rows that the neighbour reads were stored long ago.
    """
    orders = []
    for core in range(cores):
        band = list(range(core * rows // cores, (core + 1) * rows // cores))
        if core == cores - 1:
            orders.append(tuple(band))
        elif core == 0:
            orders.append(tuple(reversed(band)))
        else:
            half = -(-len(band) // 2)
            both = zip_longest(band[:half], reversed(band[half:]))
            orders.append(tuple(row for pair in both for row in pair if row is not None))
    return tuple(orders)


def core_tiles(rows: int, cols: int, cores: int) -> tuple[tuple[int, ...], ...]:
    """The tiles that each core computes, in order; they count row by row, `cols` in each."""
    return tuple(
        tuple(row * cols + col for row in order for col in range(cols))
        for order in core_rows(rows, cores)
    )
