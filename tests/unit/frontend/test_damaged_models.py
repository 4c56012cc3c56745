# SPDX-License-Identifier: Apache-2.0
"""Whatever is wrong with a model, the user meets an InputError, never a compiler fault."""

import logging
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

from flexcc.errors import InputError
from flexcc.frontend import import_model, load_model
from flexcc.frontend.export import export_model
from flexcc.frontend.registry import HANDLERS
from flexcc.passes import lower
from tests.models import random_float_graph, random_integer_graph

MODEL = Path(__file__).parents[3] / "designs" / "mnist_conv_u250" / "model.onnx"
MUTATIONS = 600
# Supported and other ones; among these are all that change which inputs are constants.
OPERATORS = [*HANDLERS, "Cast", "Concat", "Constant", "Gather", "If", "Loop", "Transpose"]

Change = Callable[[random.Random, onnx.GraphProto], None]


def _rewire(rng: random.Random, graph: onnx.GraphProto) -> None:
    target = rng.choice(graph.node)
    names = [name for node in graph.node for name in node.output]
    names += [tensor.name for tensor in graph.initializer] + ["", "missing"]
    target.input[rng.randrange(len(target.input))] = rng.choice(names)


def _other_operator(rng: random.Random, graph: onnx.GraphProto) -> None:
    rng.choice(graph.node).op_type = rng.choice(OPERATORS)


def _other_attribute(rng: random.Random, graph: onnx.GraphProto) -> None:
    node = rng.choice([node for node in graph.node if node.attribute])
    attribute = rng.choice(node.attribute)
    attribute.ints[:] = [rng.randint(-3, 5) for _ in range(rng.randint(0, 5))]


def _no_attribute(rng: random.Random, graph: onnx.GraphProto) -> None:
    node = rng.choice([node for node in graph.node if node.attribute])
    node.attribute.remove(rng.choice(node.attribute))


def _other_shape(rng: random.Random, graph: onnx.GraphProto) -> None:
    tensor = rng.choice(graph.initializer)
    tensor.dims[:] = [rng.randint(-1, 5) for _ in tensor.dims]


def _other_type(rng: random.Random, graph: onnx.GraphProto) -> None:
    rng.choice(graph.initializer).data_type = rng.randint(0, 30)


def _fewer_inputs(rng: random.Random, graph: onnx.GraphProto) -> None:
    node = rng.choice([node for node in graph.node if node.input])
    del node.input[rng.randrange(len(node.input)) :]


def _other_output(rng: random.Random, graph: onnx.GraphProto) -> None:
    node = rng.choice(graph.node)
    node.output[0] = rng.choice(["x", "", "y", f"{node.output[0]}2"])


def _fewer_nodes(rng: random.Random, graph: onnx.GraphProto) -> None:
    graph.node.remove(rng.choice(graph.node))


def _flip_bytes(rng: random.Random, content: bytes) -> bytes:
    flipped = bytearray(content)
    for _ in range(rng.randint(1, 4)):
        flipped[rng.randrange(len(flipped))] = rng.randrange(256)
    return bytes(flipped)


CHANGES: list[Change] = [
    _rewire,
    _other_operator,
    _other_attribute,
    _no_attribute,
    _other_shape,
    _other_type,
    _fewer_inputs,
    _other_output,
    _fewer_nodes,
]


def _mutated(rng: random.Random, content: bytes) -> bytes:
    if rng.random() < 0.3:
        return _flip_bytes(rng, content)
    model = onnx.ModelProto.FromString(content)
    for _ in range(rng.randint(1, 3)):
        change = rng.choice(CHANGES)
        if model.graph.node and all(node.input for node in model.graph.node):
            change(rng, model.graph)
    return bytes(model.SerializeToString())


def _outcome(path: Path) -> str:
    try:
        lower(import_model(load_model(path)))
    except InputError:
        return "refused"
    return "accepted"


def test_only_input_errors(seed: int, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)  # dynamic batches made by chance
    rng = random.Random(seed)
    contents = [MODEL.read_bytes()]
    for make in (random_float_graph, random_integer_graph):
        graphs = [make(np.random.default_rng([seed, trial]), 3) for trial in range(3)]
        contents += [export_model(graph).model.SerializeToString() for graph in graphs]
    path = tmp_path / "m.onnx"
    outcomes: Counter[str] = Counter()
    for index in range(MUTATIONS):
        path.write_bytes(_mutated(rng, rng.choice(contents)))
        try:
            outcomes[_outcome(path)] += 1
        except Exception as error:
            error.add_note(f"mutation {index}")
            raise
    assert outcomes["refused"] > MUTATIONS / 2
    assert outcomes["accepted"] > MUTATIONS / 20
