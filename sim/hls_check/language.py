# SPDX-License-Identifier: Apache-2.0
"""Rules of the language subset: nothing that has no form in hardware."""

from collections.abc import Iterator

from tree_sitter import Node

from sim.hls_check.source import Fault
from sim.hls_check.tree import Function, Unit, calls, text_of, walk

__all__ = ["language_faults"]

_NODES = {
    "new_expression": "allocation",
    "delete_expression": "allocation",
    "virtual": "virtual function",
    "virtual_function_specifier": "virtual function",
    "lambda_expression": "lambda",
    "try_statement": "exception",
    "throw_statement": "exception",
    "goto_statement": "goto",
    "ERROR": "syntax",
}
_ALLOCATORS = {"malloc", "calloc", "realloc", "free", "alloca"}
_CONTAINERS = (
    *("std::vector", "std::deque", "std::list", "std::map", "std::set", "std::string"),
    *("std::unique_ptr", "std::shared_ptr", "std::unordered_map"),
)


def language_faults(unit: Unit) -> Iterator[Fault]:
    """The faults of single nodes, and recursion."""
    for node in walk(unit.root):
        fault = _fault_of(node)
        if fault is not None:
            rule, text = fault
            yield unit.source.fault(node.start_point[0], rule, " ".join(text.split())[:80])
        if node.is_missing:
            yield unit.source.fault(node.start_point[0], "syntax", f"{node.type} is missing")
    for call in calls(walk(unit.root)):
        if call.name in _ALLOCATORS and not call.receiver:
            yield unit.source.fault(call.node.start_point[0], "allocation", call.name)
    yield from _recursion(unit)


def _fault_of(node: Node) -> tuple[str, str] | None:
    text = text_of(node)
    if node.type in _NODES:
        return _NODES[node.type], text
    if node.type == "assignment_expression":
        left = text_of(node.child_by_field_name("left"))
        if ".range(" in left.replace(" ", ""):
            return "range", "a part of a number is assigned: use shifts and masks"
    if node.type in ("qualified_identifier", "template_type") and text.startswith(_CONTAINERS):
        return "allocation", text
    if node.type == "qualified_identifier" and text.startswith("std::function"):
        return "function pointer", text
    if node.type == "function_declarator":
        inner = node.child_by_field_name("declarator")
        if inner is not None and inner.type == "parenthesized_declarator":
            return "function pointer", text
    return None


def _recursion(unit: Unit) -> Iterator[Fault]:
    """Functions that call themselves, by way of others or not.

    Functions that the compiler computes may.
    """
    functions = [function for function in unit.functions if not function.is_constexpr]
    edges: dict[str, set[str]] = {}
    for function in functions:
        called = edges.setdefault(function.name, set())
        for call in calls(walk(function.body)):
            # Methods of other objects share names; only those of `this` can lead back.
            if call.receiver in ("", "this"):
                called.add(call.name)
    for function in functions:
        if _reaches(edges, function):
            line = function.body.start_point[0]
            yield unit.source.fault(line, "recursion", f"{function.name} calls itself")


def _reaches(edges: dict[str, set[str]], function: Function) -> bool:
    seen: set[str] = set()
    queue = list(edges[function.name])
    while queue:
        name = queue.pop()
        if name == function.name:
            return True
        if name not in seen:
            seen.add(name)
            queue += edges.get(name, ())
    return False
