# SPDX-License-Identifier: Apache-2.0
"""The value of an expression, as far as the configuration tells it."""

import operator
from collections.abc import Callable, Mapping

from tree_sitter import Node

__all__ = ["Value", "evaluate"]

Value = int | None
"""A number, or None for what is known only when the kernel runs or is instantiated."""

_BINARY: dict[str, Callable[[int, int], int]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def evaluate(node: Node, known: Mapping[str, Value]) -> Value:
    """The value of an expression; names are looked up without the scope before them."""
    text = "" if node.text is None else node.text.decode()
    match node.type:
        case "number_literal":
            digits = text.rstrip("uUlL")
            return int(digits, 0) if digits.isalnum() else None
        case "true" | "false":
            return int(node.type == "true")
        case "identifier":
            return known.get(text)
        case "qualified_identifier":
            return known.get(text.split("::")[-1])
        case "parenthesized_expression" | "condition_clause":
            inner = [child for child in node.named_children if child.type != "comment"]
            return evaluate(inner[0], known) if len(inner) == 1 else None
        case "unary_expression":
            argument = node.child_by_field_name("argument")
            value = None if argument is None else evaluate(argument, known)
            if value is None:
                return None
            return {"!": int(not value), "-": -value, "+": value}.get(text[0])
        case "binary_expression":
            return _binary(node, known)
    return None


def _binary(node: Node, known: Mapping[str, Value]) -> Value:
    parts = [node.child_by_field_name(field) for field in ("left", "operator", "right")]
    left, sign, right = parts
    assert left is not None
    assert sign is not None
    assert right is not None
    a, b = evaluate(left, known), evaluate(right, known)
    name = sign.type
    if name == "&&":
        if 0 in (a, b):
            return 0
        return None if a is None or b is None else 1
    if name == "||":
        if a or b:
            return 1
        return None if a is None or b is None else 0
    if a is None or b is None or name not in _BINARY:
        return None
    return int(_BINARY[name](a, b))
