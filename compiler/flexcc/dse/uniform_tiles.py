# SPDX-License-Identifier: Apache-2.0
"""One size of tiles for all layers: what a network takes without tiles of its own for each."""

from collections.abc import Sequence
from itertools import product

from flexcc.dse.tile_search import Candidate, TileSearch
from flexcc.errors import DoesNotFitError
from flexcc.tiles import Stage

__all__ = ["uniform_tiles"]

_ROWS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64)
_COLUMNS = (16, 32, 64, 128, 256)


def uniform_tiles(search: TileSearch, stages: Sequence[Stage]) -> list[Candidate]:
    """The stages with tiles of one size, that with the least sum of their cycles.

    Layers with fewer pixels have smaller tiles.

    Raises:
        DoesNotFitError: a layer has no legal tiles of any of the sizes.
    """
    best: list[Candidate] | None = None
    refused: DoesNotFitError | None = None
    for rows, columns in product(_ROWS, _COLUMNS):
        try:
            found = [item for stage in stages for item in search.of_size(stage, rows, columns)]
        except DoesNotFitError as error:
            refused = refused or error
            continue
        if best is None or sum(x.cost for x in found) < sum(x.cost for x in best):
            best = found
    if best is None:
        assert refused is not None
        raise refused
    return best
