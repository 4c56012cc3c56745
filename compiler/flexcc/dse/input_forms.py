# SPDX-License-Identifier: Apache-2.0
"""The forms in which a network reads its inputs: the host packs each one as often as is needed."""

from collections.abc import Mapping
from dataclasses import replace

from flexcc.dse.layer_rewrite import UNBLOCKED
from flexcc.ir.graph import Graph, Port
from flexcc.ir.packing import Packing, block
from flexcc.ir.types import TensorType

__all__ = ["input_forms"]


def input_forms(
    graph: Graph, packings: Mapping[str, Packing], tensors: dict[str, TensorType]
) -> tuple[tuple[Port, ...], dict[tuple[str, Packing], str]]:
    """A port for each form of an input that is read, and the tensor of each form.

    `packings` are those that layers read, by layer; others read the input as it is. The tensor
    keeps its name, further forms get a number. Fills in `tensors`.
    """
    ports: list[Port] = []
    forms: dict[tuple[str, Packing], str] = {}
    for port in graph.inputs:
        type_ = graph.tensors[port.tensor]
        plain = block(type_.height, type_.width, *UNBLOCKED)
        read = [packings.get(user.name, plain) for user in graph.users(port.tensor)]
        if graph.is_output(port.tensor) or not read:
            read.append(plain)
        # Other layers than convolutions read the tensor by its name as it is.
        read = [packing for packing in read if packing == plain] + read
        for number, packing in enumerate(dict.fromkeys(read)):
            name = port.tensor if number == 0 else _new_name(port.tensor, tensors)
            tensors[name] = type_ if packing.lanes == 1 else type_.packed(packing)
            forms[port.tensor, packing] = name
            ports.append(replace(port, tensor=name))
    return tuple(ports), forms


def _new_name(tensor: str, taken: Mapping[str, TensorType]) -> str:
    number = 2
    while f"{tensor}_form{number}" in taken:
        number += 1
    return f"{tensor}_form{number}"
