# SPDX-License-Identifier: Apache-2.0
"""ONNX's own test cases of single nodes."""

import warnings
from functools import cache
from typing import Any

__all__ = ["node_cases"]


@cache
def node_cases() -> tuple[Any, ...]:
    """All cases with their inputs and outputs; they take ten seconds to make."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the operators that generate their expectations
        from onnx.backend.test.case.node import collect_testcases  # noqa: PLC0415

        return tuple(collect_testcases(None))
