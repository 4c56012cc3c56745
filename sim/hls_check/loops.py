# SPDX-License-Identifier: Apache-2.0
"""Rules of loops: a label, a bound that the tool can know, an interval stated for inner ones."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from tree_sitter import Node

from sim.hls_check.source import Fault
from sim.hls_check.tree import (
    LOOPS,
    Function,
    Unit,
    calls,
    directives,
    loop_body,
    name_of,
    text_of,
    walk,
)

__all__ = ["loop_faults"]

_CONSTANT = re.compile(r"k[A-Z]\w*$")


@dataclass(frozen=True, slots=True)
class _Loop:
    """A loop with its directives by first word."""

    node: Node
    function: Function
    directives: dict[str, str]

    @property
    def is_unrolled(self) -> bool:
        return "UNROLL" in self.directives

    @property
    def is_pipelined(self) -> bool:
        return "PIPELINE" in self.directives


@dataclass(slots=True)
class _Reader:
    unit: Unit
    # Names of functions in whose calls a loop that is not unrolled runs.
    rolled: dict[str, bool] = field(default_factory=dict)

    def has_rolled(self, name: str) -> bool:
        """Whether a call of `name` runs a loop that takes more than one step."""
        if name not in self.rolled:
            self.rolled[name] = False  # ends recursion
            self.rolled[name] = any(
                any(True for _ in self.rolled_below(function.body, function))
                for function in self.unit.named(name)
                if not function.is_constexpr
            )
        return self.rolled[name]

    def rolled_below(self, node: Node, function: Function) -> Iterator[str]:
        """What takes several steps below a node: loops, and calls that run such."""
        for inner in _steps(node):
            if inner.type in LOOPS and not _loop(inner, function).is_unrolled:
                yield "a loop"
        for call in calls(_steps(node)):
            if not call.receiver and self.has_rolled(call.name):
                yield call.name


def loop_faults(unit: Unit) -> Iterator[Fault]:
    """The faults of every loop."""
    reader = _Reader(unit)
    for function in unit.functions:
        if function.is_constexpr:
            continue
        for node in walk(function.body):
            if node.type in LOOPS:
                yield from _faults(unit, reader, _loop(node, function))


def _faults(unit: Unit, reader: _Reader, loop: _Loop) -> Iterator[Fault]:
    line = loop.node.start_point[0]
    if loop.node.parent is None or loop.node.parent.type != "labeled_statement":
        yield unit.source.fault(line, "label", "the loop has no label")
    body = loop_body(loop.node)
    if body.type != "compound_statement":
        yield unit.source.fault(line, "braces", "the loop has no braces to hold its directives")
    yield from _misplaced(unit, body)
    known = _has_known_bound(unit, loop)
    if not known and "LOOP_TRIPCOUNT" not in loop.directives:
        yield unit.source.fault(line, "bound", "no constant bound and no LOOP_TRIPCOUNT")
    if not known and loop.is_unrolled:
        yield unit.source.fault(line, "unroll", "a loop without a constant bound is unrolled")
    if loop.is_pipelined and not re.search(r"\bII\s*=\s*\d+", loop.directives["PIPELINE"]):
        yield unit.source.fault(line, "interval", "PIPELINE without II")
    inside = _enclosing_pipeline(loop)
    rolled = sorted(set(reader.rolled_below(body, loop.function)))
    if loop.is_pipelined and rolled:
        text = f"a pipelined loop runs what takes several steps: {', '.join(rolled)}"
        yield unit.source.fault(line, "nested", text)
    if not (loop.is_pipelined or loop.is_unrolled or rolled or inside):
        yield unit.source.fault(line, "interval", "an inner loop with neither PIPELINE nor UNROLL")


def _misplaced(unit: Unit, body: Node) -> Iterator[Fault]:
    """Directives of a loop stand before everything else below its brace."""
    begun = False
    for child in body.named_children:
        if child.type == "preproc_call":
            words = text_of(child).split()
            if begun and words[2:3] and words[2] in ("PIPELINE", "UNROLL", "LOOP_TRIPCOUNT"):
                yield unit.source.fault(
                    child.start_point[0], "place", f"{words[2]} stands behind statements"
                )
        elif text_of(child).strip() not in ("", ";") and child.type != "comment":
            begun = True


def _loop(node: Node, function: Function) -> _Loop:
    texts = [text for text, _ in directives(loop_body(node))]
    return _Loop(node, function, {text.split()[0].upper(): text for text in texts})


def _steps(node: Node) -> Iterator[Node]:
    """The nodes below a node, without those inside of constant expressions."""
    for child in node.children:
        if child.type in ("template_argument_list", "static_assert_declaration"):
            continue
        yield child
        yield from _steps(child)


def _enclosing_pipeline(loop: _Loop) -> bool:
    above = loop.node.parent
    while above is not None:
        if above.type in LOOPS and _loop(above, loop.function).is_pipelined:
            return True
        above = above.parent
    return False


def _has_known_bound(unit: Unit, loop: _Loop) -> bool:
    """Whether a for loop counts one variable from one constant to another."""
    if loop.node.type != "for_statement":
        return False
    start, condition, update = (
        loop.node.child_by_field_name(name) for name in ("initializer", "condition", "update")
    )
    if start is None or condition is None or start.type != "declaration":
        return False
    if update is None and "--" not in text_of(condition):
        return False
    declarators = start.children_by_field_name("declarator")
    if len(declarators) != 1 or condition.type != "binary_expression":
        return False
    variable = name_of(declarators[0].child_by_field_name("declarator"))
    value = declarators[0].child_by_field_name("value")
    names = set() if value is None else _free_names(unit, loop.function, value)
    names |= _free_names(unit, loop.function, condition) - {variable}
    if update is not None:
        names |= _free_names(unit, loop.function, update) - {variable}
    return not names


def _free_names(unit: Unit, function: Function, node: Node) -> set[str]:
    """The names in an expression that are no constants."""
    names: set[str] = set()
    if node.type == "qualified_identifier":
        last = text_of(node).split("::")[-1]
        return set() if _CONSTANT.match(last) else {text_of(node)}
    if node.type in ("identifier", "field_identifier"):
        name = text_of(node)
        constant = _CONSTANT.match(name) or name in function.values
        constexpr = any(f.is_constexpr for f in unit.named(name))
        return set() if constant or constexpr else {name}
    for child in node.named_children:
        names |= _free_names(unit, function, child)
    return names
