# SPDX-License-Identifier: Apache-2.0
"""Design-space exploration: from a graph and a device to a mapping."""

from flexcc.dse.insert_zeros import insert_zeros
from flexcc.dse.lower import lower
from flexcc.dse.mapping import Group, Mapping, WeightMode
from flexcc.dse.reshape import Reshape
from flexcc.dse.solution import Estimate, StageEstimate
from flexcc.dse.solver import Exploration, explore
from flexcc.dse.technique import Technique

__all__ = [
    "Estimate",
    "Exploration",
    "Group",
    "Mapping",
    "Reshape",
    "StageEstimate",
    "Technique",
    "WeightMode",
    "explore",
    "insert_zeros",
    "lower",
]
