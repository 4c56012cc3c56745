# SPDX-License-Identifier: Apache-2.0
"""A slow, exact model of the accelerator that runs encoded programs; `run` tells more."""

from flexcc.backend.interpreter.run import Schedule, interpret
from flexcc.backend.interpreter.state import Counts, HazardError

__all__ = ["Counts", "HazardError", "Schedule", "interpret"]
