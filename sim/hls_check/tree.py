# SPDX-License-Identifier: Apache-2.0
"""The syntax tree of a source: its functions, loops, directives and calls."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import tree_sitter_cpp
from tree_sitter import Language, Node, Parser

from sim.hls_check.constants import Value, evaluate
from sim.hls_check.source import Source

__all__ = [
    "LOOPS",
    "Call",
    "Function",
    "Parameter",
    "Unit",
    "calls",
    "directives",
    "loop_body",
    "name_of",
    "parse",
    "text_of",
    "walk",
]

LOOPS = ("for_statement", "while_statement", "do_statement", "for_range_loop")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A parameter: its name, "" if it has none, and the text of its type."""

    name: str
    type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """A function that has a body; `owner` is the class of a method, else "".

    `values` are the template parameters that are numbers.
    """

    name: str
    owner: str
    parameters: tuple[Parameter, ...]
    body: Node
    values: frozenset[str]
    is_constexpr: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call: the name called, with the object before it, and the texts of the arguments."""

    name: str
    receiver: str
    template: str
    arguments: tuple[Node, ...]
    node: Node


@dataclass(frozen=True, kw_only=True)
class Unit:
    """A parsed source; `constants` are the known numbers of its configuration."""

    source: Source
    root: Node
    constants: Mapping[str, Value]

    @cached_property
    def functions(self) -> tuple[Function, ...]:
        """All functions with a body, in order."""
        found = []
        for node in walk(self.root):
            if node.type == "function_definition":
                function = _function(node)
                if function is not None:
                    found.append(function)
        return tuple(found)

    def named(self, name: str) -> list[Function]:
        """The functions of a name: overloads, specialisations, methods."""
        return [function for function in self.functions if function.name == name]

    def live(self, node: Node, scope: Mapping[str, Value] | None = None) -> Iterator[Node]:
        """The nodes below a node but for branches that the configuration rules out."""
        known = dict(self.constants if scope is None else scope)
        yield from self._live(node, known)

    def _live(self, node: Node, known: dict[str, Value]) -> Iterator[Node]:
        yield node
        if node.type == "declaration" and "constexpr" in text_of(node).split():
            for name, initial in _definitions(node):
                known[name] = evaluate(initial, known)
        if node.type == "if_statement":
            condition = node.child_by_field_name("condition")
            assert condition is not None
            value = evaluate(condition, known)
            yield from self._live(condition, known)
            for field, dead in (("consequence", value == 0), ("alternative", bool(value))):
                branch = node.child_by_field_name(field)
                if branch is not None and not dead:
                    yield from self._live(branch, known)
            return
        for child in node.children:
            yield from self._live(child, known)


def parse(source: Source, constants: Mapping[str, Value] | None = None) -> Unit:
    """The tree of a source. Static constants of its classes are known, and `constants`."""
    parser = Parser(Language(tree_sitter_cpp.language()))
    root = parser.parse(source.text.encode()).root_node
    known: dict[str, Value] = dict(constants or {})
    for node in walk(root):
        inside = node.parent is not None and node.parent.type == "field_declaration_list"
        if node.type == "field_declaration" and inside and "constexpr" in text_of(node).split():
            name, value = (node.child_by_field_name(f) for f in ("declarator", "default_value"))
            if name is not None and value is not None and text_of(name) not in known:
                known[text_of(name)] = evaluate(value, known)
    return Unit(source=source, root=root, constants=known)


def walk(node: Node) -> Iterator[Node]:
    """A node and all below it, in order."""
    yield node
    for child in node.children:
        yield from walk(child)


def text_of(node: Node | None) -> str:
    """The text of a node."""
    return "" if node is None or node.text is None else node.text.decode()


def name_of(node: Node | None) -> str:
    """The name that a declarator or an expression like a[i] or (&a)[N] is about, else ""."""
    while node is not None and node.type not in ("identifier", "field_identifier"):
        inner = next(
            (
                child
                for child in node.named_children
                if child.type in ("identifier", "field_identifier")
                or child.type.endswith(("declarator", "expression"))
            ),
            None,
        )
        if inner is None or node.type in ("call_expression", "binary_expression"):
            return ""
        node = inner
    return text_of(node)


def directives(body: Node) -> Iterator[tuple[str, Node]]:
    """The text behind `#pragma HLS` of each directive right below a node."""
    for child in body.children:
        if child.type == "preproc_call":
            words = text_of(child).split()
            if words[:2] == ["#pragma", "HLS"]:
                yield " ".join(words[2:]), child


def loop_body(loop: Node) -> Node:
    """The statement that a loop repeats."""
    body = loop.child_by_field_name("body")
    assert body is not None
    return body


def calls(nodes: Iterator[Node]) -> Iterator[Call]:
    """The calls among some nodes."""
    for node in nodes:
        if node.type != "call_expression":
            continue
        function, arguments = (node.child_by_field_name(f) for f in ("function", "arguments"))
        assert function is not None
        receiver = ""
        if function.type == "field_expression":
            receiver = text_of(function.child_by_field_name("argument"))
            function = function.child_by_field_name("field")
            assert function is not None
        template = text_of(function.child_by_field_name("arguments"))
        while function.type in ("qualified_identifier", "template_function", "template_method"):
            inner = function.child_by_field_name("name")
            assert inner is not None
            template = template or text_of(inner.child_by_field_name("arguments"))
            function = inner
        yield Call(
            name=text_of(function),
            receiver=receiver,
            template=template,
            arguments=() if arguments is None else tuple(arguments.named_children),
            node=node,
        )


def _definitions(declaration: Node) -> Iterator[tuple[str, Node]]:
    for child in declaration.named_children:
        if child.type == "init_declarator":
            name, value = (child.child_by_field_name(f) for f in ("declarator", "value"))
            if value is not None:
                yield text_of(name), value


def _function(node: Node) -> Function | None:
    declarator, body = (node.child_by_field_name(f) for f in ("declarator", "body"))
    while declarator is not None and declarator.type != "function_declarator":
        declarator = declarator.child_by_field_name("declarator") or next(
            (child for child in declarator.named_children if child.type.endswith("declarator")),
            None,
        )
    if declarator is None or body is None:
        return None
    name = text_of(declarator.child_by_field_name("declarator"))
    parameters = declarator.child_by_field_name("parameters")
    assert parameters is not None
    owner, values = "", set()
    above = node.parent
    while above is not None:
        if above.type in ("struct_specifier", "class_specifier") and not owner:
            owner = text_of(above.child_by_field_name("name"))
        if above.type == "template_declaration":
            listed = above.child_by_field_name("parameters")
            assert listed is not None
            values |= {
                name_of(parameter.child_by_field_name("declarator"))
                for parameter in listed.named_children
                if parameter.type == "parameter_declaration"
            }
        above = above.parent
    return Function(
        name=name.split("::")[-1],
        owner=owner,
        parameters=tuple(
            Parameter(
                name=name_of(parameter.child_by_field_name("declarator")),
                type=text_of(parameter.child_by_field_name("type")),
            )
            for parameter in parameters.named_children
            if parameter.type in ("parameter_declaration", "optional_parameter_declaration")
        ),
        body=body,
        values=frozenset(values),
        is_constexpr="constexpr" in text_of(node).split("(", 1)[0].split(),
    )
