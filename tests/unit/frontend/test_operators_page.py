# SPDX-License-Identifier: Apache-2.0
"""docs/operators.md is complete and current."""

import re
from pathlib import Path

import onnx
import pytest

from flexcc.frontend.operators import attributes, page, restrictions
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
