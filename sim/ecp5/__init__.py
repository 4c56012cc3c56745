# SPDX-License-Identifier: Apache-2.0
"""Cells of ECP5 that Yosys knows by name alone, as far as this project uses them."""

from pathlib import Path

__all__ = ["PLL", "SOURCES"]

_FOLDER = Path(__file__).resolve().parent
PLL = _FOLDER / "EHXPLLL.sv"
SOURCES = (PLL,)
"""The models, one module a file."""
