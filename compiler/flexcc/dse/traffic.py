# SPDX-License-Identifier: Apache-2.0
"""Off-chip traffic of a mapped stage, in bytes of whole beats, as the AXI ports carry it."""

from dataclasses import dataclass
from functools import lru_cache

from flexcc.accelerator import Accelerator
from flexcc.axis_tiles import AxisTile, AxisTiles
from flexcc.dse.mapping import WeightMode
from flexcc.tiles import StageLists, Tiling

__all__ = [
    "Traffic",
    "image_beats",
    "load_beats",
    "pixel_groups",
    "row_beats",
    "skip_beats",
    "span_beats",
    "stage_traffic",
    "store_beats",
    "weight_beats",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """Bytes read for activations, those of second tensors among them, for weights, and written.

    What `on_chip` memory reads and writes comes on top.
    """

    activations: int
    weights: int
    outputs: int
    on_chip: int = 0

    @property
    def total(self) -> int:
        """All bytes of shared memory."""
        return self.activations + self.weights + self.outputs


def row_beats(cols: AxisTile, beat_pixels: int) -> int:
    """Beats that hold the memory pixels of a window row."""
    return span_beats(cols.read.start, cols.read.count, beat_pixels)


def span_beats(start: int, count: int, beat_pixels: int) -> int:
    """Beats that hold `count` pixels from pixel `start` of a row on."""
    return (start + count - 1) // beat_pixels - start // beat_pixels + 1 if count else 0


def load_beats(tiling: Tiling) -> int:
    """Beats read for the windows of all tiles: planes x rows x beats of a row.

    Rows and columns are independent, so the sum over tiles is a product of two sums.
    """
    beats = _read_beats(tiling.cols, tiling.accelerator.beat_pixels)
    return tiling.in_planes * tiling.rows.read * beats


@lru_cache(maxsize=4096)
def _read_beats(cols: AxisTiles, beat_pixels: int) -> int:
    return sum(row_beats(col, beat_pixels) for col in cols)


def skip_beats(tiling: Tiling) -> int:
    """Beats read of the second tensor of a sum: its pixels where the tiles' raw outputs lie."""
    if tiling.stage.skip is None:
        return 0
    beats = _raw_beats(tiling.cols, tiling.accelerator.beat_pixels)
    return tiling.skip_planes * tiling.rows.raw * beats


@lru_cache(maxsize=4096)
def _raw_beats(cols: AxisTiles, beat_pixels: int) -> int:
    return sum(span_beats(col.raw.start, len(col.raw), beat_pixels) for col in cols)


def image_beats(tiling: Tiling, *, stream: bool) -> tuple[int, int]:
    """Beats of all pass images without, and of, what is streamed for each pixel group.

    A pass image is a header beat, M parameter records and K words of M*N bytes; a streamed one has
    a second header in front of its words.
    """
    parameters, words = _pass_beats(tiling.lists, tiling.accelerator)
    passes = len(tiling.lists.pass_steps)
    if stream:
        return parameters * passes, words + passes
    return parameters * passes + words, 0


@lru_cache(maxsize=4096)
def _pass_beats(lists: StageLists, a: Accelerator) -> tuple[int, int]:
    """Beats of one pass's header and parameters, and of all passes' words."""
    parameters = 1 + -(-a.m * a.record_bytes // a.beat_bytes)
    return parameters, sum(-(-steps * a.m * a.n // a.beat_bytes) for steps in lists.pass_steps)


def weight_beats(tiling: Tiling, mode: WeightMode) -> int:
    """Beats read for weights and parameters by all tiles."""
    fixed, streamed = image_beats(tiling, stream=mode is WeightMode.STREAM)
    tiles = 1 if mode is WeightMode.KEEP else len(tiling.rows) * len(tiling.cols)
    groups = pixel_groups(tiling.cols, tiling.accelerator.p)
    return fixed * tiles + streamed * tiling.rows.grid * groups


@lru_cache(maxsize=4096)
def pixel_groups(cols: AxisTiles, p: int) -> int:
    """Pixel groups of a row, those of all tiles."""
    return sum(-(-len(col.grid) // p) for col in cols)


def store_beats(tiling: Tiling) -> int:
    """Beats written by all tiles; rows of a tile start with a beat."""
    stored, kept = _stored_beats(tiling.cols, tiling.accelerator.beat_pixels)
    return tiling.stored_planes * (tiling.rows.stored * stored + tiling.rows.kept * kept)


@lru_cache(maxsize=4096)
def _stored_beats(cols: AxisTiles, beat_pixels: int) -> tuple[int, int]:
    """Beats of a row of what is stored, and of what is pooled."""
    return (
        sum(-(-len(col.stored) // beat_pixels) for col in cols),
        sum(-(-len(col.kept) // beat_pixels) for col in cols),
    )


def stage_traffic(tiling: Tiling, mode: WeightMode) -> Traffic:
    """The traffic of one run of the stage."""
    beat_bytes = tiling.accelerator.beat_bytes
    return Traffic(
        activations=(load_beats(tiling) + skip_beats(tiling)) * beat_bytes,
        weights=weight_beats(tiling, mode) * beat_bytes,
        outputs=store_beats(tiling) * beat_bytes,
    )
