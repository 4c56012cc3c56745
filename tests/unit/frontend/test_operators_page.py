# SPDX-License-Identifier: Apache-2.0
"""docs/operators.md is complete and current."""

import ast
import re
from collections.abc import Callable
from functools import partial
from inspect import getsourcefile
from pathlib import Path
from typing import Any

import onnx
import pytest

from flexcc.frontend.operators import attributes, page, refusals, restrictions
from flexcc.frontend.qoperator import QUANTIZED_OPERATORS
from flexcc.frontend.registry import HANDLERS

PAGE = Path(__file__).parents[3] / "docs" / "operators.md"


def test_the_page_is_current() -> None:
    assert PAGE.read_text() == page(), "`make generate` writes it"


def test_the_page_lists_every_handler_with_a_sentence() -> None:
    rows = dict(re.findall(r"^\| (\w+) \| (.*?) \|", PAGE.read_text(), re.M))
    assert rows.keys() - {"operator"} == HANDLERS.keys() | QUANTIZED_OPERATORS.keys()
    assert all(rows[name].endswith(".") for name in HANDLERS)


@pytest.mark.parametrize("operator", sorted(HANDLERS))
def test_every_attribute_is_listed_once(operator: str) -> None:
    newest = onnx.defs.get_schema(operator).attributes
    listed = [*attributes(operator), *restrictions(operator)]
    assert newest.keys() <= set(listed)
    assert len(set(listed)) == len(listed)


@pytest.mark.parametrize(
    ("operator", "honoured", "refused"),
    [
        ("Conv", {"auto_pad", "dilations", "group", "kernel_shape", "pads", "strides"}, set()),
        ("HardSigmoid", {"alpha", "beta"}, set()),
        ("Gemm", {"alpha", "beta", "transA", "transB"}, set()),
        ("Clip", {"min", "max"}, set()),
    ],
)
def test_attributes_are_found_in_the_code(
    operator: str, honoured: set[str], refused: set[str]
) -> None:
    assert set(attributes(operator)) == honoured
    assert set(restrictions(operator)) == refused


@pytest.mark.parametrize(
    ("operator", "text"),
    [
        ("Resize", "mode=... is not supported, only nearest and linear"),
        ("LRN", "its ... is ..., but must be positive, in ONNX Runtime, too"),
        ("MaxPool", "one of its windows covers nothing but padding"),
        ("QuantizeLinear", "blocked quantisation is not supported"),
    ],
)
def test_refusals_are_found_in_the_code(operator: str, text: str) -> None:
    """Those of the handler itself, and of what it calls."""
    assert text in refusals(operator)
    assert f": {text}\n" in page()


def test_every_refusal_of_the_handlers_is_listed() -> None:
    """Whatever stands in their files; what other files say is found by what they call."""
    listed = {text for operator in HANDLERS for text in refusals(operator)}
    files = {getsourcefile(_plain(handler)) for handler in HANDLERS.values()}
    for file in sorted(filter(None, files)):
        for call in ast.walk(ast.parse(Path(file).read_text())):
            if isinstance(call, ast.Call) and ast.unparse(call.func) == "NodeError":
                literal = "".join(
                    str(part.value) if isinstance(part, ast.Constant) else "..."
                    for part in getattr(call.args[0], "values", [call.args[0]])
                )
                # Clips of integers have a handler beside the table.
                assert literal in listed or "integers.py" in file, (file, literal)


def _plain(handler: Callable[..., Any]) -> Callable[..., Any]:
    return _plain(handler.func) if isinstance(handler, partial) else handler
