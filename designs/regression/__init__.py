# SPDX-License-Identifier: Apache-2.0
"""Figures of the guarded designs: measured anew, compared with what is stored beside them."""

from designs.regression.compare import Move, Verdict, compare, moves_table
from designs.regression.figures import Figures, figures_json, read_figures
from designs.regression.guarded import GUARDED, Guarded

__all__ = [
    "GUARDED",
    "Figures",
    "Guarded",
    "Move",
    "Verdict",
    "compare",
    "figures_json",
    "moves_table",
    "read_figures",
]
