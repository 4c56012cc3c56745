# SPDX-License-Identifier: Apache-2.0
"""Rules of dataflow: one producer and one consumer a stream, nothing else between processes."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from tree_sitter import Node

from sim.hls_check.source import Fault
from sim.hls_check.tree import (
    Call,
    Function,
    Unit,
    calls,
    directives,
    name_of,
    text_of,
    walk,
)

__all__ = ["stream_faults"]

_READS = {"read", "read_nb", "empty", "read_request", "size"}
_WRITES = {"write", "write_nb", "full", "write_request", "write_response"}
_LOCKS = {"read_lock": "read", "write_lock": "write"}
_CHANNELS = ("hls::stream<", "hls::stream_of_blocks<")
_NUMBERS = ("bool", "int", "uint", "unsigned", "size_t", "std::")


@dataclass(slots=True)
class _Use:
    """What a function does with one of its parameters."""

    reads: bool = False
    writes: bool = False

    def add(self, other: "_Use") -> None:
        self.reads |= other.reads
        self.writes |= other.writes


@dataclass(slots=True)
class _Uses:
    """What each function does with each parameter, callees included."""

    unit: Unit
    known: dict[int, list[_Use]] = field(default_factory=dict)

    def of(self, function: Function) -> list[_Use]:
        key = function.body.id
        if key not in self.known:
            self.known[key] = [_Use() for _ in function.parameters]
            self._fill(function)
        return self.known[key]

    def of_call(self, call: Call) -> list[_Use]:
        """By position, of all functions that the call may mean."""
        uses = [_Use() for _ in call.arguments]
        for function in self.unit.named(call.name):
            if len(function.parameters) == len(call.arguments):
                for use, other in zip(uses, self.of(function), strict=True):
                    use.add(other)
        return uses

    def _fill(self, function: Function) -> None:
        uses = self.known[function.body.id]
        place = {parameter.name: i for i, parameter in enumerate(function.parameters)}
        nodes = list(self.unit.live(function.body))
        for call in calls(iter(nodes)):
            receiver = call.receiver.split("[")[0]
            if receiver in place:
                uses[place[receiver]].reads |= call.name in _READS
                uses[place[receiver]].writes |= call.name in _WRITES
            for argument, use in zip(call.arguments, self.of_call(call), strict=True):
                name = text_of(argument).split("[")[0]
                if name in place:
                    uses[place[name]].add(use)
        for way, stream in _locks(nodes):
            if stream in place:
                uses[place[stream]].reads |= way == "read"
                uses[place[stream]].writes |= way == "write"


def stream_faults(unit: Unit) -> Iterator[Fault]:
    """The faults of every dataflow region."""
    uses = _Uses(unit)
    regions = [
        function
        for function in unit.functions
        if any(text.upper().startswith("DATAFLOW") for text, _ in directives(function.body))
    ]
    if not regions:
        yield unit.source.fault(0, "dataflow", "there is no dataflow region")
    for region in regions:
        yield from _region_faults(unit, uses, region)
    yield from _global_faults(unit)


def _region_faults(unit: Unit, uses: _Uses, region: Function) -> Iterator[Fault]:
    nodes = list(unit.live(region.body))
    channels: dict[str, tuple[Node, str]] = {}
    for node in nodes:
        if node.type != "declaration" or "constexpr" in text_of(node).split():
            continue
        type_ = text_of(node.child_by_field_name("type"))
        for declarator in node.children_by_field_name("declarator"):
            if type_.startswith(_CHANNELS):
                channels[name_of(declarator)] = (node, type_)
            else:
                yield _fault(
                    unit, node, "shared variable",
                    f"{name_of(declarator)} lies between processes; only streams may",
                )  # fmt: skip
    yield from _depth_faults(unit, region, channels)
    # What is neither a stream nor a number is a port of memory.
    ports = {
        parameter.name
        for parameter in region.parameters
        if not parameter.type.startswith(_NUMBERS + _CHANNELS)
    }
    processes = [
        call
        for call in calls(iter(nodes))
        if call.node.parent is not None
        and call.node.parent.type == "expression_statement"
        and not call.receiver
    ]
    producers: dict[str, list[int]] = {name: [] for name in channels}
    consumers: dict[str, list[int]] = {name: [] for name in channels}
    users: dict[str, list[int]] = {name: [] for name in ports}
    for number, process in enumerate(processes):
        if not unit.named(process.name):
            yield _fault(
                unit, process.node, "unknown process", f"{process.name} has no body to be checked"
            )
        for argument, use in zip(process.arguments, uses.of_call(process), strict=True):
            name = text_of(argument).split("[")[0]
            if name in channels:
                if use.writes:
                    producers[name].append(number)
                if use.reads:
                    consumers[name].append(number)
            elif name in users:
                users[name].append(number)
    for name, (node, type_) in channels.items():
        for title, found in (("producer", producers[name]), ("consumer", consumers[name])):
            both = producers[name] or consumers[name]
            if len(found) != 1 and both:
                who = ", ".join(processes[i].name for i in found) or "nobody"
                yield _fault(unit, node, title, f"{name} has {len(found)} {title}s: {who}")
        if set(producers[name]) & set(consumers[name]):
            yield _fault(unit, node, "feedback", f"a process both writes and reads {name}")
        backward = any(p > c for p in producers[name] for c in consumers[name])
        if backward and not type_.startswith("hls::stream<"):
            yield _fault(unit, node, "feedback", f"{name} goes backward and is no hls::stream")
    for name, found in users.items():
        if len(found) > 1:
            who = ", ".join(processes[i].name for i in found)
            yield _fault(unit, region.body, "port", f"{name} is used by {len(found)}: {who}")
    yield from _static_faults(unit, processes)


def _depth_faults(
    unit: Unit, region: Function, channels: dict[str, tuple[Node, str]]
) -> Iterator[Fault]:
    sized = set()
    for node in walk(region.body):
        for text, _ in directives(node):
            words = text.replace("=", " = ").split()
            if words[0].upper() == "STREAM" and "variable" in words and "depth" in words:
                sized.add(words[words.index("variable") + 2])
    for name, (node, type_) in channels.items():
        if type_.startswith("hls::stream<") and name not in sized:
            yield _fault(unit, node, "depth", f"{name} has no STREAM directive with its depth")


def _static_faults(unit: Unit, processes: list[Call]) -> Iterator[Fault]:
    """State of a function that two processes call with the same template arguments is one."""
    seen: dict[tuple[str, str], int] = {}
    for process in processes:
        key = process.name, process.template
        seen[key] = seen.get(key, 0) + 1
        if seen[key] != 2:
            continue
        for function in _reached(unit, process.name):
            for node in unit.live(function.body):
                if node.type == "declaration" and text_of(node).startswith("static "):
                    yield _fault(
                        unit, node, "static",
                        f"{function.name} keeps state, and two processes are {process.name}",
                    )  # fmt: skip


def _reached(unit: Unit, name: str) -> list[Function]:
    found: list[Function] = []
    queue = unit.named(name)
    while queue:
        function = queue.pop()
        if function not in found:
            found.append(function)
            for call in calls(unit.live(function.body)):
                queue += unit.named(call.name)
    return found


def _global_faults(unit: Unit) -> Iterator[Fault]:
    for node in walk(unit.root):
        parents = ("translation_unit", "declaration_list")
        if node.type != "declaration" or node.parent is None or node.parent.type not in parents:
            continue
        words = text_of(node).split()
        is_function = any(child.type == "function_declarator" for child in walk(node))
        if not is_function and not {"constexpr", "const", "using"} & set(words):
            yield _fault(unit, node, "global variable", " ".join(words)[:60])


def _locks(nodes: list[Node]) -> Iterator[tuple[str, str]]:
    """Way and stream of each hls::read_lock or hls::write_lock that is declared."""
    for node in nodes:
        if node.type != "declaration":
            continue
        type_ = text_of(node.child_by_field_name("type"))
        way = next((way for lock, way in _LOCKS.items() if lock in type_), None)
        if way is None:
            continue
        for inner in walk(node):
            if inner.type in ("argument_list", "parameter_list", "initializer_list"):
                for argument in inner.named_children:
                    yield way, text_of(argument).split("[")[0]


def _fault(unit: Unit, node: Node, rule: str, text: str) -> Fault:
    return unit.source.fault(node.start_point[0], rule, text)
