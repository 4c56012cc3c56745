# SPDX-License-Identifier: Apache-2.0
"""Cells of ECP5 that Yosys knows by name alone, as far as this project uses them."""

from pathlib import Path

__all__ = ["MULTIPLIER", "PLL", "RAM", "SOURCES"]

_FOLDER = Path(__file__).resolve().parent
PLL = _FOLDER / "EHXPLLL.sv"
RAM = _FOLDER / "DP16KD.sv"
MULTIPLIER = _FOLDER / "MULT18X18D.sv"
SOURCES = (PLL, RAM, MULTIPLIER)
"""The models, one module a file."""
