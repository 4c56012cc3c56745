# SPDX-License-Identifier: Apache-2.0
"""Proofs of modules that everything relies on: for all inputs, in all states, for all time.

Each source here is named after its module and holds it, an environment that may do whatever the
assumptions leave, and assertions. Those under "invariants" say where the module keeps what it has
taken; without them induction would begin in states that never occur.
"""

from pathlib import Path

__all__ = ["SOURCES"]

SOURCES = tuple(sorted(Path(__file__).resolve().parent.glob("*_proof.sv")))
