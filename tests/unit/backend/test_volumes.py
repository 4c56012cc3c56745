# SPDX-License-Identifier: Apache-2.0
"""A network over volumes, from ONNX to the model of the hardware, equal to direct numpy."""

import numpy as np
import pytest

from flexcc.backend.image import expected_image, first_difference, initial_image
from flexcc.backend.interpreter import interpret
from flexcc.backend.planner import build_plan
from flexcc.dse import explore
from flexcc.frontend import import_model
from flexcc.ir.affine import dequantize_array, quantize_array
from flexcc.passes import lower
from flexcc.quantization import quantize
from flexcc.targets.device import load_device
from tests.networks import evaluate
from tests.onnx_models import make_model, node, run_onnx
from tests.quantization import quantization_of

VOLUME = (1, 2, 8, 9, 10)


@pytest.mark.parametrize("array", [(8, 4, 8), (4, 8, 4)])
def test_program_computes_volumes(array: tuple[int, int, int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    nodes = [
        node("Conv", "x w", "c", "first", strides=[2, 1, 1], pads=[1, 1, 1, 1, 1, 1]),
        node("Relu", "c", "r"),
        node("Conv", "r v b", "d", "second", group=2, dilations=[2, 1, 2]),
        node("ConvTranspose", "d u", "y", "third", strides=[2, 2, 2]),
    ]
    constants = {
        "w": rng.normal(size=(4, 2, 3, 3, 3)),
        "v": rng.normal(size=(6, 2, 2, 3, 2)),
        "b": rng.normal(size=6),
        "u": rng.normal(size=(6, 3, 2, 3, 2)),
    }
    model = make_model(nodes, constants, shape=VOLUME)
    data = rng.normal(size=(4, *VOLUME[1:])).astype(np.float32)
    samples = data.reshape(4, 16, 9, 10)
    graph = quantize(lower(import_model(model)), {"x": samples}).graph
    exploration = explore(graph, load_device("u250"), array)
    plan = build_plan(exploration.graph, exploration.mapping)

    inputs = {"x": quantize_array(samples[0], quantization_of(graph, "x"))}
    tensors = evaluate(exploration.graph, inputs)
    initial = initial_image(plan, inputs)
    beats = (len(initial) - plan.program_address) // plan.accelerator.beat_bytes
    actual, counts = interpret(
        plan.accelerator, initial, program_address=plan.program_address, program_beats=beats
    )
    assert first_difference(plan, expected_image(plan, initial, tensors), actual) is None
    assert counts.tiles == plan.tiles

    expected = run_onnx(model, {"x": data[:1]})["y"]
    result = dequantize_array(tensors["y"], quantization_of(graph, "y")).reshape(expected.shape)
    assert np.abs(result - expected).max() < 0.05 * np.abs(expected).max()
