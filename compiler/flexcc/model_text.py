# SPDX-License-Identifier: Apache-2.0
"""What people read of a model: its nodes, where they run, what they cost."""

from collections.abc import Sequence

from flexcc.errors import InputError
from flexcc.frontend.network import NodePlace, Place, Survey
from flexcc.ir.graph import Signature
from flexcc.ir.layers import Convolution
from flexcc.ir.macs import is_depthwise, parameter_count, useful_macs
from flexcc.ir.printer import print_layer, print_type

__all__ = ["explain", "nodes_table"]

_HOST = (Place.HEAD, Place.TAIL)


def nodes_table(survey: Survey) -> str:
    """A line per node: operator, place, output shape, MAC, parameters, reason; then the totals."""
    costs = _costs(survey)
    rows = [("node", "operator", "runs on", "output", "MAC", "parameters", "")]
    for node in survey.nodes:
        macs, parameters = costs.get(node.name, (None, None))
        rows.append(
            (
                node.name,
                node.op,
                node.place.value,
                _shape(survey.values.get(next(iter(node.makes), ""))),
                _number(macs),
                _number(parameters),
                node.reason or "",
            )
        )
    lines = [*_aligned(rows), "", *_totals(survey)]
    return "\n".join(lines)


def explain(survey: Survey, name: str) -> str:
    """All about the node of this name, or that makes the value of this name.

    Raises:
        InputError: there is no such node.
    """
    node = next(
        (n for n in survey.nodes if n.name == name),
        next((n for n in survey.nodes if name in n.makes), None),
    )
    if node is None:
        near = [n.name for n in survey.nodes if name.lower() in n.name.lower()][:5]
        hint = f"did you mean {', '.join(near)}?" if near else "`flexcc inspect MODEL` lists them"
        raise InputError(f"the outputs of the model need no node '{name}'; {hint}")
    lines = [f"{node.name} ({node.op}) {_where(survey, node)}"]
    lines += [f"  reads {value}: {_value(survey, value)}" for value in node.reads]
    lines += [f"  makes {value}: {_value(survey, value)}" for value in node.makes]
    lines += [f"  attribute {text}" for text in node.attributes]
    for layer in survey.layers.layers:
        if layer.name == node.name:
            kind = print_type(survey.layers.tensors[layer.output])
            lines.append(f"  becomes {print_layer(layer)} : {kind}")
    macs, parameters = _costs(survey).get(node.name, (None, None))
    if macs is not None and parameters is not None:
        lines.append(f"  costs {macs:,} MAC, {parameters:,} parameters")
    return "\n".join(lines)


def _where(survey: Survey, node: NodePlace) -> str:
    match node.place:
        case Place.COMPILER:
            return "is evaluated by the compiler: all that it reads is known"
        case Place.ACCELERATOR:
            return "runs on the accelerator"
        case Place.NOWHERE:
            return f"is refused: {node.reason}"
    if node.reason is not None:
        return f"runs on the {node.place.value} the accelerator: {node.reason}"
    return f"runs on the {node.place.value} the accelerator, as {_neighbour(survey, node)}"


def _neighbour(survey: Survey, node: NodePlace) -> str:
    """Why a node that the accelerator could take is on the host."""
    others = [n for n in survey.nodes if n.place is node.place]
    if node.place is Place.TAIL:
        found = [n for n in others if set(n.makes) & set(node.reads)]
        return f"it reads what {found[0].name} ({found[0].op}) makes"
    found = [n for n in others if set(node.makes) & set(n.reads)]
    return f"{found[0].name} ({found[0].op}) reads what it makes"


def _costs(survey: Survey) -> dict[str, tuple[int, int]]:
    """MAC and parameters of every layer with weights by name."""
    return {
        layer.name: (useful_macs(survey.layers, layer), parameter_count(layer))
        for layer in survey.layers.layers
        if isinstance(layer, Convolution)
    }


def _totals(survey: Survey) -> list[str]:
    costs = _costs(survey)
    macs, parameters = (sum(cost[index] for cost in costs.values()) for index in (0, 1))
    depthwise = sum(
        costs[layer.name][0]
        for layer in survey.layers.layers
        if isinstance(layer, Convolution) and is_depthwise(layer)
    )
    counts = {place: sum(node.place is place for node in survey.nodes) for place in Place}
    places = [f"{counts[place]} {place.value}" for place in Place if counts[place]]
    lines = [
        f"{len(survey.nodes)} nodes: {', '.join(places)}",
        f"{macs:,} MAC, {depthwise:,} of them depthwise",
        f"{parameters:,} parameters in {len(costs)} layers",
    ]
    return [*lines, "", survey.problem] if survey.problem else lines


def _shape(signature: Signature | None) -> str:
    if signature is None or signature.shape is None:
        return "?"
    return "x".join(map(str, signature.shape)) or "scalar"


def _value(survey: Survey, name: str) -> str:
    signature = survey.values.get(name)
    known = "constant " if name in survey.constants else ""
    if signature is None or signature.shape is None:
        return f"{known}of unknown shape"
    return f"{known}{signature.dtype} {_shape(signature)}"


def _number(value: int | None) -> str:
    return "" if value is None else f"{value:,}"


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if index in (4, 5) else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
