# SPDX-License-Identifier: Apache-2.0
"""How models of CP-SAT are solved: the same answer every time, in bounded time."""

from ortools.sat.python import cp_model

__all__ = ["solved"]

_EFFORT = 4.0
"""Deterministic seconds."""
_SEED = 1


def solved(model: cp_model.CpModel) -> cp_model.CpSolver:
    """The solver with the best solution that it found of a model that has some.

    Raises:
        RuntimeError: it found none.
    """
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = _SEED
    solver.parameters.max_deterministic_time = _EFFORT
    status = solver.solve(model)
    if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        raise RuntimeError(f"{model.name}: a solution is known, and none was found")
    return solver
