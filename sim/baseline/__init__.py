# SPDX-License-Identifier: Apache-2.0
"""The core that versatility is measured against: modules that stand in for those of `rtl/`.

A plain core knows convolutions of stride 1 or 2 and nothing else. What it shares with the real core
is the real core's source; what differs lies here, under the name of the module that it replaces,
or is built smaller by parameters.
"""

from pathlib import Path

__all__ = ["PARAMETERS", "SOURCES"]

_FOLDER = Path(__file__).resolve().parent

# In dependency order.
SOURCES = tuple(
    _FOLDER / f"{name}.sv" for name in ("flex_plain_pkg", "flex_plain_reader", "flex_sequencer")
)

# Strides of at most 2, no transposed convolution.
PARAMETERS = {"ColumnPhases": 2, "OutputPhases": 0}
