# SPDX-License-Identifier: Apache-2.0
"""What the explorer does to be fast, each of which measurements can leave out."""

from enum import Enum

__all__ = ["Technique"]


class Technique(Enum):
    """`TILING`: every layer has tiles of its own size; else all have one, the best for all.

    `FUSION`: sums, bends, tables, poolings and depthwise layers run in a stage of others; else each
    is a stage with a copying convolution, but for depthwise layers, which are convolutions.
    `LAYOUT`: reshapes, output phases side by side, and concatenations that only name their parts;
    else layers are as the model has them, and every concatenation is copied into one tensor.
    """

    TILING = "tiling"
    FUSION = "fusion"
    LAYOUT = "layout"
